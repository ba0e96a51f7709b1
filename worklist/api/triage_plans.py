"""`/api/triage-plans/`: which series of a study each model was given, and why not the others."""

from __future__ import annotations

from typing import Any

import django_filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, has_role
from triage.models import ModelState
from triage.models import TriagePlan as PlanRow
from triage.routing import Verdict
from worklist.api import auditing, blinding
from worklist.api.rows import SEES_SHADOW


class ScorePart(serializers.Serializer):
    about = serializers.CharField()
    points = serializers.FloatField()
    text = serializers.CharField()


class ConsideredSeries(serializers.Serializer):
    series_instance_uid = serializers.CharField()
    series_number = serializers.IntegerField(help_text="0 when the series has none.")
    series_description = serializers.CharField()
    modality = serializers.CharField()
    slices = serializers.IntegerField()
    chosen = serializers.BooleanField()
    verdict = serializers.CharField(help_text=f"One of {', '.join(Verdict)}.")
    reason = serializers.CharField(help_text="Why it was chosen, or why not; never empty.")
    score = serializers.FloatField()
    parts = ScorePart(many=True, help_text="They add up to the score.")


class PlannedModel(serializers.Serializer):
    model = serializers.CharField()
    model_version = serializers.CharField()
    model_state = serializers.ChoiceField(choices=ModelState.choices)
    analyse = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why nothing is analysed; empty when something is.")
    chosen_series_instance_uid = serializers.CharField()
    series = ConsideredSeries(many=True)


class TriagePlan(serializers.Serializer):
    study_instance_uid = serializers.CharField()
    planned_at = serializers.DateTimeField()
    reason = serializers.CharField(help_text="Why no model looks at the study; empty when one does.")
    models = PlannedModel(many=True)


class PlanFilter(django_filters.FilterSet):
    """Filters of the plans."""

    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")

    class Meta:
        model = PlanRow
        fields: list[str] = []


class TriagePlanViewSet(GenericViewSet[PlanRow]):
    """What was decided for complete studies, the latest first; readers see nothing of shadow models."""

    permission_classes = [has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)]
    serializer_class = TriagePlan
    filterset_class = PlanFilter
    queryset = (
        PlanRow.objects.select_related("study").defer("study__attributes").order_by("-planned_at", "-pk")
    )

    def get_queryset(self) -> Any:
        return blinding.without_hidden(super().get_queryset(), caller(self.request))

    def list(self, request: Request) -> Response:
        """The latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "triage plans", frozenset(PlanFilter.base_filters))
        return self.get_paginated_response([plan_document(plan, caller(request)) for plan in page])


def plan_document(plan: PlanRow, user: User) -> dict[str, Any]:
    """A plan as the API shows it to `user`."""
    everything = user.has_role(*SEES_SHADOW)
    records = [
        record for record in plan.considered if everything or record.get("model_state") == ModelState.LIVE
    ]
    return {
        "study_instance_uid": plan.study.study_instance_uid,
        "planned_at": plan.planned_at,
        "reason": plan.reason if everything or len(records) == len(plan.considered) else _reason(records),
        "models": [_model(record) for record in records],
    }


def _reason(records: list[dict[str, Any]]) -> str:
    """Why none of these models looks, without those that the reader does not see."""
    if not records:
        return "no live model"
    if any(record["chosen"] for record in records):
        return ""
    return "; ".join(f"{record['model']}: {record['reason']}" for record in records)


def _model(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": record["model"],
        "model_version": record["version"],
        "model_state": record.get("model_state", ModelState.LIVE),
        "analyse": record["analyse"],
        "reason": record["reason"],
        "chosen_series_instance_uid": record["chosen"],
        "series": [_series(entry) for entry in record["series"]],
    }


def _series(entry: dict[str, Any]) -> dict[str, Any]:
    """One series; plans made before the parts were kept have fewer entries."""
    return {
        "series_number": 0,
        "series_description": "",
        "modality": "",
        "slices": 0,
        "chosen": False,
        "parts": [],
        **entry,
        "reason": entry["reason"] or "fits the model",
    }
