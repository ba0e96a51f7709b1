"""`/api/pushed-back/`: what promotions cost those they passed, by class and day and study by study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.paging import PageNumberPaging
from pacs.models import OrderPriority, Study
from pacs.selectors import studies_visible_to
from worklist.api import auditing, blinding, shapes
from worklist.api.patients import main_modality, patient_document
from worklist.queue.models import ItemState, Overtaking, WorklistItem
from worklist.queue.priority import PRIORITIES
from worklist.rota.zones import day_zone

WATCHERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)
READERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.SERVICE)
USUAL_DAYS = 7
MOST_DAYS = 92


class Range(serializers.Serializer):
    """Days in the caller's time zone, both included; a week until today unless told."""

    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)
    priority_class = serializers.ChoiceField(choices=OrderPriority.choices, required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        # `from` is no name in Python.
        return {"from": fields.pop("since"), "to": fields.pop("until"), **fields}


class PushedBackRow(serializers.Serializer):
    day = serializers.DateField(help_text="Of the promotion, in the caller's time zone.")
    priority_class = serializers.ChoiceField(choices=OrderPriority.choices)
    studies_passed = serializers.IntegerField()
    promotions = serializers.IntegerField(help_text="Studies that passed one of them.")
    minutes_total = serializers.FloatField()
    minutes_median = serializers.FloatField(
        allow_null=True, help_text="Of the passed studies whose minutes are known."
    )
    minutes_longest = serializers.FloatField(allow_null=True)
    not_settled = serializers.IntegerField(help_text="Passed studies of which something is still unread.")


class PushedBackTotals(serializers.Serializer):
    studies_passed = serializers.IntegerField()
    promotions = serializers.IntegerField()
    minutes_total = serializers.FloatField()
    minutes_median = serializers.FloatField(allow_null=True)
    minutes_longest = serializers.FloatField(allow_null=True)
    not_settled = serializers.IntegerField()


class PushedBack(serializers.Serializer):
    by_class_and_day = PushedBackRow(many=True)
    totals = PushedBackTotals()


class PassingStudy(serializers.Serializer):
    study_instance_uid = serializers.CharField()
    accession_number = serializers.CharField()
    modality = serializers.CharField()
    study_description = serializers.CharField()
    patient = shapes.Patient()
    priority_class = serializers.ChoiceField(choices=OrderPriority.choices)
    state = serializers.ChoiceField(choices=ItemState.choices)
    arrived_at = serializers.DateTimeField()
    signed_at = serializers.DateTimeField(allow_null=True)


class Overtaken(serializers.Serializer):
    id = serializers.CharField()
    passed = PassingStudy()
    promoted = PassingStudy()
    at = serializers.DateTimeField()
    cause = serializers.CharField()
    minutes = serializers.FloatField(allow_null=True, help_text="Null until one of the two is signed.")


class PushedBackView(APIView):
    """The ledger, summed."""

    permission_classes = [WATCHERS]

    @extend_schema(parameters=[Range], responses=PushedBack)
    def get(self, request: Request) -> Response:
        """By class and day, the latest first; holds no patient data."""
        zone, rows = _asked(request)
        by_study = (
            rows.annotate(day=TruncDate("at", tzinfo=zone))
            .values("day", "passed_class", "passed_id")
            .annotate(cost=Sum("minutes"), known=Count("minutes"), number=Count("pk"))
            .order_by()
        )
        promotions = (
            rows.annotate(day=TruncDate("at", tzinfo=zone))
            .values("day", "passed_class")
            .annotate(promotions=Count("promoted_id", distinct=True))
            .order_by()
        )
        cells: dict[tuple[date, str], list[Mapping[str, Any]]] = defaultdict(list)
        whole: dict[int, dict[str, Any]] = {}
        for row in by_study:
            cells[row["day"], row["passed_class"]].append(row)
            known = whole.setdefault(row["passed_id"], {"cost": None, "known": 0, "number": 0})
            if row["cost"] is not None:
                known["cost"] = (known["cost"] or 0.0) + row["cost"]
            known["known"] += row["known"]
            known["number"] += row["number"]
        counted = {(row["day"], row["passed_class"]): row["promotions"] for row in promotions}
        order = sorted(cells, key=lambda cell: (-cell[0].toordinal(), PRIORITIES.index(cell[1])))
        table = [
            {"day": cell[0], "priority_class": cell[1], **_summed(cells[cell], counted[cell])}
            for cell in order
        ]
        every = rows.aggregate(n=Count("promoted_id", distinct=True))["n"]
        return Response({"by_class_and_day": table, "totals": _summed(whole.values(), every)})


class PushedBackStudies(APIView):
    """The ledger, row by row."""

    permission_classes = [WATCHERS]
    pagination_class = PageNumberPaging

    @extend_schema(parameters=[Range], responses=Overtaken(many=True))
    def get(self, request: Request) -> Response:
        """The latest promotions first."""
        _, asked = _asked(request)
        # What passed others was raised by AI more often than not: not told while that is hidden from the reader.
        rows = blinding.without_hidden(asked, caller(request), "promoted__study")
        paging = PageNumberPaging()
        page = paging.paginate_queryset(_with_studies(rows).order_by("-at", "-pk"), request, view=self)
        assert page is not None
        auditing.list_read(request, "pushed-back ledger", frozenset({"from", "to", "priority_class"}))
        return paging.get_paginated_response([overtaking_document(row) for row in page])


class PassedBy(APIView):
    """The promotions that passed one study."""

    permission_classes = [READERS]

    @extend_schema(responses=Overtaken(many=True))
    def get(self, request: Request, study_instance_uid: str) -> Response:
        """The first promotion first."""
        study = get_object_or_404(
            studies_visible_to(caller(request)).select_related("patient"),
            study_instance_uid=study_instance_uid,
            worklist_item__isnull=False,
        )
        auditing.study_read(request, study, "promotions that passed it")
        visible = Overtaking.objects.filter(passed__study=study, promoted__study__in=_visible(request))
        shown = blinding.without_hidden(visible, caller(request), "promoted__study")
        return Response([overtaking_document(row) for row in _with_studies(shown).order_by("at", "pk")])


def overtaking_document(row: Overtaking) -> dict[str, Any]:
    """One row of the ledger with both studies."""
    return {
        "id": str(row.pk),
        "passed": _study(row.passed),
        "promoted": _study(row.promoted),
        "at": row.at,
        "cause": row.cause,
        "minutes": row.minutes,
    }


def _asked(request: Request) -> tuple[ZoneInfo, QuerySet[Overtaking]]:
    zone = day_zone(caller(request))
    asked = Range(data=request.query_params)
    asked.is_valid(raise_exception=True)
    today = timezone.now().astimezone(zone).date()
    until: date = asked.validated_data.get("to", today)
    since: date = asked.validated_data.get("from", until - timedelta(days=USUAL_DAYS - 1))
    if since > until:
        raise serializers.ValidationError({"from": ["The first day is after the last one."]})
    if (until - since).days >= MOST_DAYS:
        raise serializers.ValidationError({"from": [f"Ask for at most {MOST_DAYS} days at once."]})
    rows = Overtaking.objects.filter(
        at__gte=datetime.combine(since, time(), zone),
        at__lt=datetime.combine(until + timedelta(days=1), time(), zone),
        passed__study__in=_visible(request),
        promoted__study__in=_visible(request),
    )
    if wanted := asked.validated_data.get("priority_class"):
        rows = rows.filter(passed_class=wanted)
    return zone, rows


def _visible(request: Request) -> QuerySet[Study]:
    return studies_visible_to(caller(request))


def _summed(studies: Iterable[Mapping[str, Any]], promotions: int) -> dict[str, Any]:
    all_of_them = list(studies)
    known = [study["cost"] for study in all_of_them if study["cost"] is not None]
    return {
        "studies_passed": len(all_of_them),
        "promotions": promotions,
        "minutes_total": round(sum(known), 1),
        "minutes_median": round(median(known), 1) if known else None,
        "minutes_longest": round(max(known), 1) if known else None,
        "not_settled": sum(study["known"] < study["number"] for study in all_of_them),
    }


def _with_studies(rows: QuerySet[Overtaking]) -> QuerySet[Overtaking]:
    return rows.select_related("passed__study__patient", "promoted__study__patient").defer(
        "passed__study__attributes", "promoted__study__attributes"
    )


def _study(item: WorklistItem) -> dict[str, Any]:
    study = item.study
    return {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number,
        "modality": main_modality(study.modalities),
        "study_description": study.study_description,
        "patient": patient_document(study),
        "priority_class": item.priority_class,
        "state": item.state,
        "arrived_at": item.arrived_at,
        "signed_at": item.signed_at,
    }
