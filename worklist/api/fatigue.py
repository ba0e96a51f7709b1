"""`/api/alert-fatigue/` and `/api/quiets/`: how alerts weigh, and what may be quiet for a while."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from triage.models import ModelVersion
from worklist.alerts import fatigue, quieting
from worklist.alerts.models import Alert, AlertState, Quiet
from worklist.api import auditing, documents, shapes
from worklist.api.bodies import valid
from worklist.quality.models import Review

WATCHERS = has_role(Role.PACS_ADMINISTRATOR, Role.QA_REVIEWER, Role.RADIOLOGIST)
QUIETERS = has_role(Role.PACS_ADMINISTRATOR, Role.RADIOLOGIST)
SHOWN = timedelta(days=30)
MOST_ALERTS = 20_000


class FatigueQuery(serializers.Serializer):
    since = serializers.DateTimeField(required=False, help_text="Thirty days ago, when it is left out.")
    until = serializers.DateTimeField(required=False)
    model = serializers.CharField(max_length=64, required=False)
    site = serializers.CharField(max_length=255, required=False)
    time_zone = serializers.CharField(
        max_length=64, required=False, help_text="Of the hours; the caller's own, when it is left out."
    )

    def validate_time_zone(self, name: str) -> str:
        if name not in available_timezones():
            raise serializers.ValidationError("There is no such time zone.")
        return name


class FatigueRow(serializers.Serializer):
    model = serializers.CharField()
    version = serializers.CharField()
    site = serializers.CharField(help_text="Institution Name; empty when none was sent.")
    alerts = serializers.IntegerField()
    answered = serializers.IntegerField()
    unanswered = serializers.IntegerField()
    not_rung = serializers.IntegerField()
    true = serializers.IntegerField(help_text="By QA's verdict, otherwise by the signed report.")
    false = serializers.IntegerField()
    undecided = serializers.IntegerField(help_text="Not read yet, or nobody could say.")
    median_minutes = serializers.FloatField(allow_null=True, help_text="From alert to acknowledgement.")


class Fatigue(serializers.Serializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    time_zone = serializers.CharField()
    rows = FatigueRow(many=True)
    by_hour = serializers.ListField(child=serializers.IntegerField(), min_length=24, max_length=24)
    cut = serializers.BooleanField(help_text="Only the latest alerts were counted: choose a shorter time.")


class AlertFatigue(APIView):
    """Counts without patients."""

    permission_classes = [WATCHERS]

    @extend_schema(parameters=[FatigueQuery], responses=Fatigue)
    def get(self, request: Request) -> Response:
        """Per model and site, and by hour of the caller's day."""
        asked = FatigueQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        now = timezone.now()
        until = asked.validated_data.get("until", now)
        since = asked.validated_data.get("since", until - SHOWN)
        alerts = Alert.objects.filter(raised_at__gte=since, raised_at__lte=until)
        if "model" in asked.validated_data:
            alerts = alerts.filter(finding__run__model__name=asked.validated_data["model"])
        if "site" in asked.validated_data:
            alerts = alerts.filter(study__institution_name=asked.validated_data["site"])
        facts = _facts(alerts)
        zone = asked.validated_data.get("time_zone") or caller(request).time_zone or "UTC"
        auditing.list_read(request, "alert fatigue", frozenset(FatigueQuery().fields))
        return Response(
            {
                "since": since,
                "until": until,
                "time_zone": zone,
                "rows": [asdict(row) for row in fatigue.rows(facts)],
                "by_hour": fatigue.by_hour(facts, zone),
                "cut": len(facts) == MOST_ALERTS,
            }
        )


def _facts(alerts: Any) -> list[fatigue.Fact]:
    found = list(
        alerts.order_by("-raised_at").values_list(
            "finding__run_id",
            "finding__run__model__name",
            "finding__run__model__version",
            "study__institution_name",
            "raised_at",
            "acknowledged_at",
            "state",
        )[:MOST_ALERTS]
    )
    truth = _truth(alerts)
    return [
        fatigue.Fact(
            model=model,
            version=version,
            site=site,
            raised_at=raised_at,
            answered_at=answered_at,
            rung=state != AlertState.NOT_RUNG,
            truth=truth.get(run, ""),
        )
        for run, model, version, site, raised_at, answered_at, state in found
    ]


def _truth(alerts: Any) -> dict[int, str]:
    """What QA holds, otherwise what the reader signed, by run."""
    reviews = Review.objects.filter(superseded_at__isnull=True, run__in=alerts.values("finding__run_id"))
    return {
        run: verdict or reader
        for run, verdict, reader in reviews.values_list("run_id", "verdict", "reader_result")
    }


class QuietDocument(serializers.Serializer):
    id = serializers.CharField()
    model = serializers.CharField(allow_null=True, help_text="Id.")
    model_name = serializers.CharField()
    finding_code = serializers.CharField()
    department = serializers.CharField()
    institution = serializers.CharField()
    reason = serializers.CharField()
    by = shapes.Person()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    stands = serializers.BooleanField()


class NewQuiet(serializers.Serializer):
    model = serializers.IntegerField(required=False, allow_null=True)
    finding_code = serializers.CharField(max_length=32, required=False, allow_blank=True)
    department = serializers.CharField(max_length=120, required=False, allow_blank=True)
    institution = serializers.CharField(max_length=255, required=False, allow_blank=True)
    reason = serializers.CharField(max_length=300)
    expires_at = serializers.DateTimeField(help_text="Within seven days.")


class QuietViewSet(GenericViewSet[Quiet]):
    """Known, not grown findings that do not ring for a while. New and grown ones always ring."""

    serializer_class = QuietDocument
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Quiet.objects.none()

    def get_queryset(self) -> Any:
        return Quiet.objects.select_related("model", "by").order_by("-created_at", "-pk")

    def get_permissions(self) -> list[BasePermission]:
        return [WATCHERS() if self.action == "list" else QUIETERS()]

    def list(self, request: Request) -> Response:
        """The latest first."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([quiet_document(one) for one in page])

    @extend_schema(request=NewQuiet, responses={201: QuietDocument})
    def create(self, request: Request) -> Response:
        """Quiet a model's or a finding's known alerts, with a reason and an end."""
        said = valid(NewQuiet, request)
        values = dict(said)
        model_id = values.pop("model", None)
        if model_id is not None:
            get_object_or_404(ModelVersion, pk=model_id)
        made = quieting.add(model_id=model_id, by=caller(request), request=request._request, **values)
        return Response(quiet_document(self.get_queryset().get(pk=made.pk)), status=201)

    @extend_schema(request=None, responses=QuietDocument)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """It rings again."""
        quiet = get_object_or_404(Quiet, pk=pk)
        quieting.end(quiet_id=quiet.pk, by=caller(request), request=request._request)
        return Response(quiet_document(self.get_queryset().get(pk=pk)))


def quiet_document(quiet: Quiet) -> dict[str, Any]:
    """One quiet."""
    return {
        "id": str(quiet.pk),
        "model": str(quiet.model_id) if quiet.model_id else None,
        "model_name": f"{quiet.model.name} {quiet.model.version}" if quiet.model else "",
        "finding_code": quiet.finding_code,
        "department": quiet.department,
        "institution": quiet.institution,
        "reason": quiet.reason,
        "by": documents.person(quiet.by),
        "created_at": quiet.created_at,
        "expires_at": quiet.expires_at,
        "ended_at": quiet.ended_at,
        "stands": quiet.ended_at is None and quiet.expires_at > timezone.now(),
    }
