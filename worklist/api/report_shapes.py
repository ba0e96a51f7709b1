"""The shapes of reports and reviews, for OpenAPI."""

from __future__ import annotations

from rest_framework import serializers

from triage.models import ModelState
from worklist.api.shapes import Patient, Person, Problem
from worklist.quality.models import Review as ReviewRow
from worklist.quality.models import ReviewState
from worklist.reports.models import FindingDecision, ReportEntry, ReportState
from worklist.reports.services import LONGEST_TEXT
from worklist.reports.templates.content import TYPES

CONCLUSION_VALUES = [
    ("present", "Present"),
    ("absent", "Absent"),
    ("indeterminate", "Indeterminate"),
    ("", "Not stated"),
]
SUGGESTION_STATES = ["open", "accepted", "rejected"]
AI_RESULTS = ["positive", "negative", "not_analysed", "failed"]
READER_RESULTS = ["positive", "negative", "uncertain", "not_stated"]
VERDICTS = ["positive", "negative", "indeterminate"]


class Suggestion(serializers.Serializer):
    id = serializers.CharField()
    text = serializers.CharField(help_text="AI's words, marked as such.")
    finding_id = serializers.CharField()
    state = serializers.ChoiceField(choices=SUGGESTION_STATES)
    inserted = serializers.CharField(
        allow_blank=True, help_text="What taking it put into the text, exactly; empty when nothing."
    )


class ReportSection(serializers.Serializer):
    key = serializers.CharField(
        help_text="history, comparison, technique, findings, impression; addendum-1 and so on after signing."
    )
    title = serializers.CharField()
    text = serializers.CharField(help_text="The reader's text.")
    suggestions = Suggestion(many=True)


class Check(serializers.Serializer):
    code = serializers.CharField()
    text = serializers.CharField()
    blocking = serializers.BooleanField()
    overridable = serializers.BooleanField(help_text="A blocking check that a stated reason settles.")


class Conclusion(serializers.Serializer):
    code = serializers.CharField()
    scheme = serializers.CharField()
    meaning = serializers.CharField()
    value = serializers.ChoiceField(choices=CONCLUSION_VALUES)
    required = serializers.BooleanField(  # type: ignore[assignment]
        help_text="Must be stated before signing."
    )


class ReportHistory(serializers.Serializer):
    version = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = Person(allow_null=True)
    action = serializers.ChoiceField(choices=ReportEntry.Action.choices)


class AiModel(serializers.Serializer):
    name = serializers.CharField()
    version = serializers.CharField()


class FieldAnswer(serializers.Serializer):
    key = serializers.CharField()
    value = serializers.JSONField(help_text="Text, number or a list of texts, as the field's type says.")
    inserted = serializers.CharField(
        allow_blank=True, help_text="Its sentence, exactly as it was put into the text."
    )
    finding_id = serializers.CharField(
        allow_blank=True, help_text="The accepted AI finding that this was measured by."
    )


class FieldOffer(serializers.Serializer):
    key = serializers.CharField()
    value = serializers.JSONField()
    text = serializers.CharField(help_text="The value in words.")
    finding_id = serializers.CharField()


class FieldChoice(serializers.Serializer):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class TemplateField(serializers.Serializer):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.ChoiceField(choices=list(TYPES))
    section = serializers.CharField()
    cde = serializers.CharField(allow_blank=True)
    unit = serializers.CharField(allow_blank=True)
    required = serializers.BooleanField()  # type: ignore[assignment]
    asked = serializers.BooleanField(help_text="Whether this report needs it, by its other answers.")
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    choices = FieldChoice(many=True)


class TemplateMacro(serializers.Serializer):
    name = serializers.CharField()
    section = serializers.CharField()
    text = serializers.CharField()


class UsedTemplate(serializers.Serializer):
    """What an editor needs of a report's template."""

    id = serializers.CharField()
    key = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    questions = TemplateField(many=True)
    macros = TemplateMacro(many=True)


class Report(serializers.Serializer):
    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    state = serializers.ChoiceField(choices=ReportState.choices)
    version = serializers.IntegerField()
    sections = ReportSection(many=True)
    conclusions = Conclusion(many=True)
    template = UsedTemplate(allow_null=True, help_text="For those who write; null otherwise.")
    answers = FieldAnswer(many=True)
    offers = FieldOffer(
        many=True, help_text="What AI offers for empty fields; in the report only once taken."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    updated_by = Person(allow_null=True)
    signed_by = Person(allow_null=True)
    signed_at = serializers.DateTimeField(allow_null=True)
    checks = Check(many=True)
    decisions = serializers.DictField(
        child=serializers.ChoiceField(choices=FindingDecision.Decision.choices), help_text="By finding id."
    )
    history = ReportHistory(many=True)
    ai_models = AiModel(many=True)


class ReportConflict(Problem):
    """Somebody else changed or signed it; `current` is the report as it stands."""

    current = Report()


class NotReady(Problem):
    """What stands open before signing."""

    checks = Check(many=True)


class NewReport(serializers.Serializer):
    study_instance_uid = serializers.CharField(max_length=64)


class SectionText(serializers.Serializer):
    key = serializers.CharField(max_length=32)
    text = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=LONGEST_TEXT)


class ConclusionValue(serializers.Serializer):
    code = serializers.CharField(max_length=32)
    value = serializers.ChoiceField(choices=CONCLUSION_VALUES, allow_blank=True)


class FieldValue(serializers.Serializer):
    key = serializers.CharField(max_length=40)
    value = serializers.JSONField(allow_null=True, help_text="null empties it.")


class TemplateChoice(serializers.Serializer):
    version = serializers.IntegerField(min_value=1)
    template = serializers.IntegerField(min_value=1)


class ReportEdit(serializers.Serializer):
    version = serializers.IntegerField(min_value=1)
    sections = SectionText(many=True, required=False)
    conclusions = ConclusionValue(many=True, required=False)
    answers = FieldValue(many=True, required=False)


class Decision(serializers.Serializer):
    version = serializers.IntegerField(min_value=1)
    decision = serializers.ChoiceField(
        choices=FindingDecision.Decision.choices, allow_null=True, help_text="null takes it back."
    )


class SuggestionState(serializers.Serializer):
    version = serializers.IntegerField(min_value=1)
    state = serializers.ChoiceField(choices=["accepted", "rejected"])


class OverrideReason(serializers.Serializer):
    code = serializers.CharField(max_length=64)
    reason = serializers.CharField(max_length=500)


class Confirmed(serializers.Serializer):
    """A signature; where the site asks for it, with the signer's password again."""

    password = serializers.CharField(
        required=False, allow_blank=True, max_length=256, trim_whitespace=False, write_only=True
    )


class SignersPage(serializers.Serializer):
    """The patient in the banner of the page that signs."""

    id = serializers.CharField(allow_blank=True, max_length=64, trim_whitespace=False)
    name = serializers.CharField(allow_blank=True, max_length=324, trim_whitespace=False)


class Signing(Confirmed):
    version = serializers.IntegerField(min_value=1)
    overrides = OverrideReason(many=True, required=False)
    preliminary = serializers.BooleanField(
        required=False, help_text="A wet read; what residents sign is preliminary anyway."
    )
    patient = SignersPage(required=False, help_text="Compared with whom the study is of now.")


class Addendum(Confirmed):
    text = serializers.CharField(trim_whitespace=False, max_length=LONGEST_TEXT)
    conclusions = ConclusionValue(many=True, required=False)


class Amendment(Confirmed):
    version = serializers.IntegerField(min_value=1)
    kind = serializers.ChoiceField(
        choices=[("corrected", "An error is taken back"), ("amended", "Changed, without an error before")]
    )
    reason = serializers.CharField(max_length=1000, help_text="Stands in the report.")
    sections = SectionText(many=True, required=False)
    conclusions = ConclusionValue(many=True, required=False)


class WaitingReport(serializers.Serializer):
    """A preliminary report that waits for an attending's signature."""

    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    patient = Patient()
    accession_number = serializers.CharField()
    modality = serializers.CharField()
    study_description = serializers.CharField()
    impression = serializers.CharField()
    signed_by = Person()
    signed_at = serializers.DateTimeField()
    changed_since = serializers.BooleanField(help_text="Somebody works on the text.")


class SignedOver(serializers.Serializer):
    """A check that somebody signed over, with their reason."""

    report_id = serializers.CharField()
    version = serializers.IntegerField()
    study_instance_uid = serializers.CharField()
    patient = Patient()
    study_description = serializers.CharField()
    by = Person()
    at = serializers.DateTimeField()
    state = serializers.ChoiceField(
        choices=["preliminary", "signed", "cosigned"], help_text="What was signed."
    )
    overrides = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))


class Review(serializers.Serializer):
    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    report_id = serializers.CharField()
    patient = Patient()
    study_description = serializers.CharField()
    model = serializers.CharField()
    model_version = serializers.CharField()
    ai_result = serializers.ChoiceField(choices=AI_RESULTS)
    ai_probability = serializers.FloatField(allow_null=True)
    reader_result = serializers.ChoiceField(choices=READER_RESULTS)
    concordance = serializers.ChoiceField(choices=ReviewRow.Concordance.choices)
    sampled = serializers.ChoiceField(
        choices=[("discordant", "Discordant"), ("random", "Random"), ("", "No")]
    )
    state = serializers.ChoiceField(choices=ReviewState.choices)
    created_at = serializers.DateTimeField()
    impression = serializers.CharField()
    signed_by = Person(allow_null=True)
    signed_at = serializers.DateTimeField()
    reviewer = Person(allow_null=True)
    reviewed_at = serializers.DateTimeField(allow_null=True)
    verdict = serializers.ChoiceField(choices=[*((v, v) for v in VERDICTS), ("", "None")])
    comment = serializers.CharField()


class ReviewComment(serializers.Serializer):
    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)


class Adjudication(ReviewComment):
    verdict = serializers.ChoiceField(choices=VERDICTS)


class Share(serializers.Serializer):
    value = serializers.FloatField()
    low = serializers.FloatField(help_text="95 % interval, Wilson.")
    high = serializers.FloatField()


class QualitySummary(serializers.Serializer):
    model = serializers.CharField()
    version = serializers.CharField()
    state = serializers.ChoiceField(choices=ModelState.choices)
    n = serializers.IntegerField(help_text="Results that could be compared.")
    tp = serializers.IntegerField()
    fp = serializers.IntegerField()
    tn = serializers.IntegerField()
    fn = serializers.IntegerField()
    sensitivity = Share(allow_null=True)
    specificity = Share(allow_null=True)
    ppv = Share(allow_null=True)
    npv = Share(allow_null=True)
    small_sample = serializers.BooleanField()
