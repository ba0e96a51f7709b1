"""The shapes of the API's documents, for OpenAPI; worklist/api/documents.py builds them.

Volumes in mL, diameters in mm, probabilities 0 to 1, times ISO 8601 in UTC.
"""

from __future__ import annotations

from rest_framework import serializers

from foundation.accounts.models import Role
from pacs.models import LocationClass, OrderPriority, StudyState
from triage import models as triage
from triage.agreement import Agreement
from triage.models import ModelState, Outcome, RunState
from worklist.alerts.models import AlertState
from worklist.alerts.models import DeliveryState as AlertDeliveryState
from worklist.api.blinding import ShownAiStatus
from worklist.queue.models import HoldReason, ItemFlag, ItemState
from worklist.reading.models import Mode
from worklist.reports.models import FindingDecision, ReportState


class Person(serializers.Serializer):
    username = serializers.CharField()
    display_name = serializers.CharField()


class Patient(serializers.Serializer):
    id = serializers.CharField(help_text="Patient ID (0010,0020).")
    name = serializers.CharField(help_text="Patient's Name as received (PN).")
    birth_date = serializers.DateField(allow_null=True)
    age = serializers.CharField(allow_null=True, help_text="At the time of the study: 71 Y, 5 M, 3 W, 2 D.")
    sex = serializers.CharField()


class Ppv(serializers.Serializer):
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    flags = serializers.IntegerField()
    true_flags = serializers.IntegerField()


class SecondOpinion(serializers.Serializer):
    agreement = serializers.ChoiceField(choices=[(one.value, one.value) for one in Agreement])
    model = serializers.CharField()
    model_version = serializers.CharField()
    probability = serializers.FloatField(allow_null=True)
    text = serializers.CharField(help_text="The whole in words.")


class PriorComparison(serializers.Serializer):
    state = serializers.ChoiceField(choices=triage.Comparison.choices)
    prior_study_instance_uid = serializers.CharField()
    prior_study_date = serializers.DateField(allow_null=True)
    known_since = serializers.DateField(
        allow_null=True, help_text="Date of the first of the scans that it is known from."
    )
    growth_ml = serializers.FloatField(
        allow_null=True, help_text="Volume now minus then, of what has a counterpart."
    )
    text = serializers.CharField(help_text="known since 20 Nov 2026, not grown")


class Finding(serializers.Serializer):
    id = serializers.CharField()
    code = serializers.CharField()
    scheme = serializers.CharField()
    meaning = serializers.CharField()
    presence = serializers.ChoiceField(choices=triage.Finding.Presence.choices)
    probability = serializers.FloatField(allow_null=True)
    probability_method = serializers.CharField(help_text="How the model's output became a probability.")
    volume_ml = serializers.FloatField(allow_null=True)
    largest_diameter_mm = serializers.FloatField(allow_null=True)
    side = serializers.CharField()
    subtype = serializers.CharField()
    midline_shift_mm = serializers.FloatField(
        allow_null=True, help_text="At the septum of the lateral ventricles, positive to the patient's left."
    )
    midline_shift_uncertainty_mm = serializers.FloatField(
        allow_null=True, help_text="Half width of the interval that holds 95 of 100 true values."
    )
    comparison = PriorComparison(
        allow_null=True, help_text="With the newest analysed prior, if there is one."
    )
    slice_from = serializers.IntegerField(allow_null=True)
    slice_to = serializers.IntegerField(allow_null=True)
    key_sop_instance_uid = serializers.CharField()
    key_series_instance_uid = serializers.CharField()
    model = serializers.CharField()
    model_version = serializers.CharField()
    model_state = serializers.ChoiceField(choices=ModelState.choices)
    seg_sop_instance_uid = serializers.CharField()
    seg_series_instance_uid = serializers.CharField()
    ppv = Ppv(allow_null=True, help_text="This site's own, with a 95 % interval.")
    decision = serializers.ChoiceField(choices=FindingDecision.Decision.choices, allow_null=True)
    second_opinion = SecondOpinion(
        allow_null=True, help_text="On a worklist item: what a slower model says. Moves no deadline."
    )


class Reason(serializers.Serializer):
    code = serializers.CharField()
    text = serializers.CharField()
    minutes = serializers.IntegerField(allow_null=True)


class Held(serializers.Serializer):
    reason = serializers.ChoiceField(choices=HoldReason.choices)
    note = serializers.CharField()
    by = Person(allow_null=True)
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="Never after due_at.")


class RaisedByReader(serializers.Serializer):
    to = serializers.ChoiceField(choices=OrderPriority.choices)
    by = Person(allow_null=True)
    at = serializers.DateTimeField()
    reason = serializers.CharField()


class GroupName(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()


class ItemMark(serializers.Serializer):
    kind = serializers.ChoiceField(choices=ItemFlag.Kind.choices)
    note = serializers.CharField()
    by = Person(allow_null=True)
    at = serializers.DateTimeField()


class WorklistItem(serializers.Serializer):
    id = serializers.CharField()
    version = serializers.IntegerField()
    study_instance_uid = serializers.CharField()
    accession_number = serializers.CharField()
    modality = serializers.CharField()
    study_description = serializers.CharField()
    study_date = serializers.DateField(allow_null=True)
    body_part = serializers.CharField()
    patient = Patient()
    priority_class = serializers.ChoiceField(choices=OrderPriority.choices)
    location_class = serializers.ChoiceField(choices=LocationClass.choices)
    location = serializers.CharField()
    reason_for_exam = serializers.CharField()
    state = serializers.ChoiceField(choices=ItemState.choices)
    claimed_by = Person(allow_null=True)
    claim_expires_at = serializers.DateTimeField(allow_null=True)
    is_mine = serializers.BooleanField()
    arrived_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    study_state = serializers.ChoiceField(choices=StudyState.choices)
    number_of_series = serializers.IntegerField()
    number_of_instances = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    due_without_ai_at = serializers.DateTimeField()
    reasons = Reason(many=True)
    ai_status = serializers.ChoiceField(choices=ShownAiStatus.choices)
    ai_reason = serializers.CharField()
    ai_hidden = serializers.ChoiceField(
        choices=[Mode.AFTER_FIRST_LOOK, Mode.HIDDEN],
        allow_null=True,
        help_text="The caller's reading mode, while it hides AI: the order stays, its reasons are not told.",
    )
    findings = Finding(many=True)
    prior_count = serializers.IntegerField()
    report_id = serializers.CharField(allow_null=True)
    report_state = serializers.ChoiceField(choices=ReportState.choices, allow_null=True)
    first_opened_at = serializers.DateTimeField(allow_null=True)
    signed_at = serializers.DateTimeField(allow_null=True)
    assigned_to = Person(allow_null=True)
    assigned_at = serializers.DateTimeField(allow_null=True)
    held = Held(allow_null=True)
    raised = RaisedByReader(allow_null=True)
    flags = ItemMark(many=True)
    groups = GroupName(many=True, help_text="Open groups whose rule the study matches, by name.")
    shared = serializers.BooleanField(help_text="Opened to all readers while its groups were not on duty.")


class CountsByClass(serializers.Serializer):
    stat = serializers.IntegerField()
    asap = serializers.IntegerField()
    routine = serializers.IntegerField()


class WorklistSummary(serializers.Serializer):
    open = serializers.IntegerField(help_text="Unread: unclaimed and claimed.")
    unclaimed = serializers.IntegerField()
    mine = serializers.IntegerField()
    stat = serializers.IntegerField()
    er = serializers.IntegerField()
    ai_flags = serializers.IntegerField()
    due_30_min = serializers.IntegerField()
    held = serializers.IntegerField()
    assigned_to_me = serializers.IntegerField()
    signed_today = serializers.IntegerField(help_text="Since midnight in the caller's time zone.")
    by_class = CountsByClass(help_text="Unread, by priority.")


class RankChange(serializers.Serializer):
    at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    reasons = Reason(many=True)
    cause = serializers.CharField()


class Prior(serializers.Serializer):
    study_instance_uid = serializers.CharField()
    study_date = serializers.DateField(allow_null=True)
    modality = serializers.CharField()
    study_description = serializers.CharField()
    report_state = serializers.ChoiceField(choices=ReportState.choices, allow_null=True)
    impression = serializers.CharField()


class TriageRun(serializers.Serializer):
    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    series_instance_uid = serializers.CharField()
    state = serializers.ChoiceField(choices=RunState.choices)
    model = serializers.CharField()
    model_version = serializers.CharField()
    model_state = serializers.ChoiceField(choices=ModelState.choices)
    weights_sha256 = serializers.CharField()
    input_instance_count = serializers.IntegerField()
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(choices=[("", "None yet"), *Outcome.choices])
    outcome_reason = serializers.CharField()
    documents_filed = serializers.BooleanField(help_text="SEG and SR of the result are in the archive.")
    documents_reason = serializers.CharField(help_text="Why they are not, where making them failed.")
    findings = Finding(many=True)


class Told(serializers.Serializer):
    at = serializers.DateTimeField()
    who = serializers.CharField()
    channel = serializers.CharField()
    outcome = serializers.CharField()


class NextStep(serializers.Serializer):
    at = serializers.DateTimeField()
    who = serializers.CharField()


class AlertDelivery(serializers.Serializer):
    """A message by one channel to one recipient."""

    channel = serializers.CharField()
    who = serializers.CharField()
    round = serializers.IntegerField()
    state = serializers.ChoiceField(choices=AlertDeliveryState.choices)
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


class Alert(serializers.Serializer):
    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    patient = Patient()
    accession_number = serializers.CharField()
    location = serializers.CharField()
    department = serializers.CharField()
    finding = Finding()
    state = serializers.ChoiceField(choices=AlertState.choices)
    raised_at = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField(allow_null=True)
    rung = serializers.IntegerField()
    round = serializers.IntegerField(help_text="How often it was told before: a page rings again for each.")
    told = Told(many=True)
    next_step = NextStep(allow_null=True)
    acknowledged_by = Person(allow_null=True)
    acknowledged_name = serializers.CharField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    read_back = serializers.CharField()
    being_treated_at = serializers.DateTimeField(allow_null=True)
    being_treated_by = serializers.CharField()
    deliveries = AlertDelivery(many=True)
    preview_url = serializers.CharField()
    caption = serializers.CharField()


class SignedReport(serializers.Serializer):
    id = serializers.CharField()
    state = serializers.ChoiceField(choices=ReportState.choices)
    impression = serializers.CharField()
    signed_at = serializers.DateTimeField()
    signed_by = Person(allow_null=True)


class ErPatient(serializers.Serializer):
    study_instance_uid = serializers.CharField()
    patient = Patient()
    accession_number = serializers.CharField()
    location = serializers.CharField()
    priority_class = serializers.ChoiceField(choices=OrderPriority.choices)
    stage = serializers.ChoiceField(choices=["scanned", "complete", "being_read", "signed"])
    stage_since = serializers.DateTimeField()
    arrived_at = serializers.DateTimeField()
    ai_status = serializers.ChoiceField(choices=ShownAiStatus.choices)
    ai_reason = serializers.CharField()
    alert = Alert(allow_null=True)
    preview_url = serializers.CharField()
    report = SignedReport(allow_null=True)


class Site(serializers.Serializer):
    name = serializers.CharField()
    ae_title = serializers.CharField()
    not_for_clinical_use = serializers.BooleanField()
    dictation = serializers.BooleanField(help_text="By the browser's speech interface, where it has one.")
    sign_asks_password = serializers.BooleanField(help_text="A signature needs the password again.")


class Me(serializers.Serializer):
    id = serializers.IntegerField(required=False)
    username = serializers.CharField()
    display_name = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))
    department = serializers.CharField()
    time_zone = serializers.CharField()
    idle_timeout_s = serializers.IntegerField()
    reading_mode = serializers.ChoiceField(
        choices=Mode.choices, required=False, help_text="When a reader sees what AI says."
    )
    site = Site()


class Problem(serializers.Serializer):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


class Taken(Problem):
    """Somebody else holds the study; or, without a holder, the caller's claim ended."""

    holder = Person(allow_null=True)
    claim_expires_at = serializers.DateTimeField(allow_null=True)
