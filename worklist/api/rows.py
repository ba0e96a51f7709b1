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
# Runs planned while their model was in shadow are measured, and no reader sees them.
SEES_SHADOW = (Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)


def items_for_list() -> QuerySet[WorklistItem]:
    """Items with everything a row shows, in the order of the list."""
    return (
        WorklistItem.objects.select_related("study__patient", "study__order", "study__report", *_PEOPLE)
        .defer(f"study__{_STUDY_BULK}")
        .annotate(prior_count=_prior_count())
        .prefetch_related(Prefetch("study__triage_runs", queryset=_live_runs(), to_attr="live_runs"))
        .prefetch_related(Prefetch("flags", queryset=ItemFlag.objects.select_related("by").order_by("pk")))
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
        .prefetch_related("steps", "deliveries", "finding__decisions")
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
        .defer("input_instance_uids", "timings", *(f"model__{name}" for name in _MODEL_BULK))
        .prefetch_related(_findings())
        .order_by("pk")
    )


def _findings() -> Prefetch:
    findings = Finding.objects.select_related("prior_finding__run__study").defer(*_PRIOR_BULK).order_by("pk")
    return Prefetch("findings", queryset=findings.prefetch_related("decisions"))


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
