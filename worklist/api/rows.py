"""Loads what the documents need in a constant number of queries."""

from __future__ import annotations

from django.db.models import Count, IntegerField, OuterRef, Prefetch, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from foundation.accounts.models import Role, User
from pacs.models import Study, StudyState
from triage.agreement import with_second_opinions
from triage.models import Finding, ModelState, TriageRun
from worklist.alerts.models import Alert
from worklist.queue.models import ItemFlag, WorklistItem
from worklist.reports.models import FindingDecision
from worklist.rota.models import ReadingGroup

# Large columns that no list shows.
_STUDY_BULK = "attributes"
_MODEL_BULK = ("config", "intended_use")
_PRIOR_BULK = (
    "prior_finding__run__input_instance_uids",
    "prior_finding__run__timings",
    "prior_finding__run__study__attributes",
)
# Whom a row names.
_PEOPLE = ("claimed_by", "assigned_to", "held_by", "raised_by")
# What a row shows of each table: a page of 100 rows would otherwise make 20,000 values that nobody reads.
_SHOWN = {
    "": (
        *("version", "priority_class", "location_class", "state", "claim_expires_at", "arrived_at", "due_at"),
        *("due_without_ai_at", "reasons", "ai_status", "ai_reason", "first_opened_at", "signed_at"),
        *("assigned_at", "held_reason", "held_note", "held_at", "held_until"),
        *("raised_to", "raised_at", "raised_reason", "shared_at"),
    ),
    "study": (
        *("study_instance_uid", "accession_number", "modalities", "study_description", "study_date"),
        *("body_part_examined", "patient_age", "completed_at", "state"),
        *("number_of_series", "number_of_instances"),
    ),
    "study__patient": ("patient_id", "patient_name", "patient_birth_date", "patient_sex"),
    "study__order": ("accession_number", "modality", "procedure", "location", "reason_for_exam", "study"),
    "study__report": ("state", "study"),
    **{who: ("username", "display_name") for who in _PEOPLE},
}
_SHOWN_OF_RUNS = (
    *("study", "model_state", "state", "outcome", "reason", "provisional"),
    *("seg_sop_instance_uid", "seg_series_instance_uid"),
    *("model__name", "model__version", "model__state"),
)
_SHOWN_OF_FINDINGS = (
    *("run", "code", "scheme", "meaning", "presence", "probability", "probability_method", "subtype"),
    *("volume_ml", "largest_diameter_mm", "side", "midline_shift_mm", "midline_shift_uncertainty_mm"),
    *("slice_from", "slice_to", "key_sop_instance_uid", "key_series_instance_uid"),
    *("comparison", "growth_ml", "prior_finding__comparison", "prior_finding__prior_finding"),
    *("prior_finding__run", "prior_finding__run__study"),
    *("prior_finding__run__study__study_instance_uid", "prior_finding__run__study__study_date"),
)
_SHOWN_COLUMNS = [f"{table}__{name}" if table else name for table, names in _SHOWN.items() for name in names]
# Runs planned while their model was in shadow are measured, and no reader sees them.
SEES_SHADOW = (Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)


def places_in_order() -> QuerySet[WorklistItem, int]:
    """The items' ids, in the order of the list."""
    return WorklistItem.objects.order_by("due_at", "arrived_at", "pk").values_list("pk", flat=True)


def items_for_list() -> QuerySet[WorklistItem]:
    """Items with everything a row shows, in the order of the list."""
    return (
        WorklistItem.objects.select_related("study__patient", "study__order", "study__report", *_PEOPLE)
        .only(*_SHOWN_COLUMNS)
        .annotate(prior_count=_prior_count())
        .prefetch_related(Prefetch("study__triage_runs", queryset=_live_runs(), to_attr="live_runs"))
        .prefetch_related(Prefetch("flags", queryset=_flags(), to_attr="marks"))
        .prefetch_related(Prefetch("groups", queryset=_open_groups(), to_attr="open_groups"))
        .order_by("due_at", "arrived_at", "pk")
    )


def items_for_er() -> QuerySet[WorklistItem]:
    """Items with what the ER page shows."""
    return (
        WorklistItem.objects.select_related("study__patient", "study__order", "study__report__signed_by")
        .defer(f"study__{_STUDY_BULK}")
        .prefetch_related(Prefetch("study__alerts", queryset=alerts_for_list(), to_attr="all_alerts"))
    )


def alerts_for_list() -> QuerySet[Alert]:
    """Alerts with what their document shows, latest first."""
    return (
        Alert.objects.select_related(
            "study__patient",
            "study__order",
            "finding__run__model",
            "finding__prior_finding__run__study",
            "acknowledged_by",
        )
        .defer(
            f"study__{_STUDY_BULK}",
            "finding__run__input_instance_uids",
            *(f"finding__{name}" for name in _PRIOR_BULK),
            *(f"finding__run__model__{name}" for name in _MODEL_BULK),
        )
        .prefetch_related("steps", "deliveries", _decisions("finding__decisions"))
        .order_by("-raised_at", "-pk")
    )


def runs_for(user: User) -> QuerySet[TriageRun]:
    """Runs `user` may see, latest first."""
    runs = (
        TriageRun.objects.select_related("study", "series", "model")
        .defer(f"study__{_STUDY_BULK}", "series__attributes", *(f"model__{name}" for name in _MODEL_BULK))
        .prefetch_related(_findings())
        .order_by("-pk")
    )
    if user.has_role(*SEES_SHADOW):
        return runs
    return runs.filter(model_state=ModelState.LIVE)


def _live_runs() -> QuerySet[TriageRun]:
    """Of every state: a second opinion that is still to come, or will not come, is told too."""
    return (
        with_second_opinions(TriageRun.objects.filter(model_state=ModelState.LIVE))
        .select_related("model")
        .only(*_SHOWN_OF_RUNS)
        .prefetch_related(_findings())
        .order_by("pk")
    )


def _open_groups() -> QuerySet[ReadingGroup]:
    return ReadingGroup.objects.filter(active=True).only("name").order_by("name")


def _flags() -> QuerySet[ItemFlag]:
    flags = ItemFlag.objects.select_related("by").order_by("pk")
    return flags.only("item", "kind", "note", "at", "by__username", "by__display_name")


def _findings() -> Prefetch:
    findings = Finding.objects.select_related("prior_finding__run__study").only(*_SHOWN_OF_FINDINGS)
    return Prefetch("findings", queryset=findings.order_by("pk").prefetch_related(_decisions("decisions")))


def _decisions(lookup: str) -> Prefetch:
    """What readers said of a finding, as `told`: a manager for each finding would cost more than the rows."""
    said = FindingDecision.objects.only("finding", "decision").order_by("pk")
    return Prefetch(lookup, queryset=said, to_attr="told")


def _prior_count() -> Coalesce:
    """How many studies pacs.selectors.priors_of would give."""
    priors = (
        Study.objects.filter(
            patient=OuterRef("study__patient"),
            patient__patient_id__gt="",
            state=StudyState.COMPLETE,
            study_date__gt="",
            study_date__lte=OuterRef("study__study_date"),
        )
        .exclude(pk=OuterRef("study_id"))
        .exclude(study_date=OuterRef("study__study_date"), study_time__gte=OuterRef("study__study_time"))
        .order_by()
        .values("patient")
        .annotate(number=Count("pk"))
        .values("number")
    )
    return Coalesce(Subquery(priors, output_field=IntegerField()), Value(0))
