"""The shapes of the registry's documents; worklist/api/model_documents.py builds them."""

from __future__ import annotations

from rest_framework import serializers

from triage.bundles import DIMENSIONS, KINDS
from triage.models import Finding, ModelDecision, ModelState
from triage.registry import REASON_LENGTH
from triage.states import MODEL_EVENTS
from triage.targets import CRITICALITIES
from worklist.api.shapes import Patient, Person
from worklist.reports.models import SIGNED_REPORT_STATES


class ModelTarget(serializers.Serializer):
    name = serializers.CharField()
    code = serializers.CharField()
    scheme = serializers.CharField()
    meaning = serializers.CharField()
    subtype = serializers.CharField()
    criticality = serializers.ChoiceField(choices=CRITICALITIES)
    rank_threshold = serializers.FloatField(help_text="From this probability a finding raises the study.")
    alert_threshold = serializers.FloatField(help_text="From this probability a finding alerts.")
    probability_method = serializers.CharField(help_text="How the answer becomes a probability.")


class ModelRuns(serializers.Serializer):
    waiting = serializers.IntegerField(help_text="Waiting or running.")
    positive = serializers.IntegerField()
    negative = serializers.IntegerField()
    not_analysed = serializers.IntegerField()
    failed = serializers.IntegerField()
    last_finished_at = serializers.DateTimeField(allow_null=True)
    last_runtime = serializers.CharField(help_text="What computed the last one: torch, openvino, …")


class Model(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    dimensions = serializers.ChoiceField(choices=[str(value) for value in DIMENSIONS])
    format = serializers.CharField()
    state = serializers.ChoiceField(choices=ModelState.choices)
    state_changed_at = serializers.DateTimeField(allow_null=True)
    registered_at = serializers.DateTimeField()
    intended_use = serializers.CharField()
    targets = ModelTarget(many=True)
    looks_at = serializers.ListField(child=serializers.CharField(), help_text="By active rule, in words.")
    runs = ModelRuns()
    approved_by = Person(many=True, help_text="Whose approval for live counts now.")


class ModelDecisionDocument(serializers.Serializer):
    id = serializers.CharField()
    at = serializers.DateTimeField()
    by = Person(allow_null=True, help_text="null: the house itself.")
    action = serializers.ChoiceField(choices=ModelDecision.Action.choices)
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    reason = serializers.CharField()


class ModelRule(serializers.Serializer):
    name = serializers.CharField()
    active = serializers.BooleanField()
    conditions = serializers.DictField()


class ModelDetail(Model):
    weights_sha256 = serializers.CharField()
    configs_sha256 = serializers.CharField()
    came_from = serializers.CharField(help_text="Where the bundle came from.")
    registered_by = Person(allow_null=True)
    input_limits = serializers.DictField()
    rules = ModelRule(many=True)
    second_opinion_to = serializers.CharField()
    decisions = ModelDecisionDocument(many=True)
    moves = serializers.ListField(
        child=serializers.CharField(), help_text="States that it can move to from here."
    )
    may_approve = serializers.BooleanField(help_text="The caller may approve it for live now.")
    may_go_live = serializers.BooleanField(help_text="The caller may move it to live now.")


class ModelUpload(serializers.Serializer):
    file = serializers.FileField(help_text="A .zip or .tar.gz archive of the bundle's folder.")
    sha256 = serializers.RegexField(r"^[0-9A-Fa-f]{64}$", help_text="Of the archive.")
    reason = serializers.CharField(max_length=REASON_LENGTH)
    name = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


class ModelReason(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON_LENGTH)


class ModelMove(ModelReason):
    state = serializers.ChoiceField(choices=[state.value for state in MODEL_EVENTS])


class ComparedModel(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    state = serializers.ChoiceField(choices=ModelState.choices)


class ComparedFinding(serializers.Serializer):
    code = serializers.CharField()
    meaning = serializers.CharField()
    both = serializers.IntegerField(help_text="Both say possible.")
    only_a = serializers.IntegerField()
    only_b = serializers.IntegerField()
    neither = serializers.IntegerField(help_text="Neither found it.")


class ComparedAnswer(serializers.Serializer):
    run_id = serializers.CharField()
    presence = serializers.ChoiceField(choices=Finding.Presence.choices)
    probability = serializers.FloatField()
    volume_ml = serializers.FloatField(allow_null=True)


class ComparedReport(serializers.Serializer):
    conclusion = serializers.ChoiceField(
        choices=["present", "absent", "indeterminate", "not_stated"],
        help_text="What the signed report says of the finding; not_stated: it does not say.",
    )
    state = serializers.ChoiceField(choices=[(state.value, state.label) for state in SIGNED_REPORT_STATES])
    signed_at = serializers.DateTimeField()


class ComparedCase(serializers.Serializer):
    study_instance_uid = serializers.CharField()
    accession_number = serializers.CharField()
    study_date = serializers.DateField(allow_null=True)
    study_description = serializers.CharField()
    patient = Patient()
    code = serializers.CharField()
    a = ComparedAnswer()
    b = ComparedAnswer()
    report = ComparedReport(allow_null=True, help_text="null: no report is signed yet.")


class ModelComparison(serializers.Serializer):
    a = ComparedModel()
    b = ComparedModel()
    findings = ComparedFinding(many=True)
    only_a_analysed = serializers.IntegerField()
    only_b_analysed = serializers.IntegerField()
    count = serializers.IntegerField(help_text="Cases on which they disagree.")
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ComparedCase(many=True)
