"""`/api/handovers/`: what one reader leaves to the next, and who took it."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from worklist import flows
from worklist.alerts.models import OPEN_ALERT_STATES, Alert
from worklist.api import auditing, documents, handover_shapes, shapes
from worklist.api.bodies import valid
from worklist.api.documents import person
from worklist.api.patients import main_modality, patient_document
from worklist.api.rota import group_name, known_group, known_person, shift_document
from worklist.queue import handovers
from worklist.queue.models import Handover, WorklistItem
from worklist.reports.models import ReportState
from worklist.rota import selectors

REFUSED = {409: shapes.Problem}


class HandoverFilter(django_filters.FilterSet):
    """Without `open`, the taken ones too."""

    open = django_filters.BooleanFilter(
        field_name="taken_at", lookup_expr="isnull", help_text="true: nobody has taken it yet."
    )
    mine = django_filters.BooleanFilter(
        method="filter_mine", help_text="Made by the caller, meant for them or taken by them."
    )

    class Meta:
        model = Handover
        fields: list[str] = []

    def filter_mine(self, queryset: Any, name: str, value: bool) -> Any:
        user = self.request.user
        mine = Q(by=user) | Q(to=user) | Q(taken_by=user)
        return queryset.filter(mine) if value else queryset.exclude(mine)


class HandoverViewSet(GenericViewSet[Handover]):
    """Notes and open studies that go from one reader to the next."""

    serializer_class = handover_shapes.Handover
    filterset_class = HandoverFilter
    permission_classes = [has_role(Role.RADIOLOGIST)]
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Handover.objects.none()

    def get_queryset(self) -> Any:
        return handovers.for_list().prefetch_related(Prefetch("items", queryset=_shown(), to_attr="shown"))

    def list(self, request: Request) -> Response:
        """The latest first, each with its studies as they are now."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "hand-overs", frozenset({"open", "mine"}))
        return self.get_paginated_response([handover_document(one, caller(request)) for one in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One hand-over."""
        auditing.list_read(request, "one hand-over", frozenset())
        return self._answer(pk)

    @extend_schema(
        request=handover_shapes.NewHandover,
        responses={
            201: handover_shapes.Handover,
            200: handover_shapes.Handover,
            400: shapes.Problem,
            **REFUSED,
        },
    )
    def create(self, request: Request) -> Response:
        """Leave studies and a note; one's claims and assignments end. The same again answers the first."""
        said, user = valid(handover_shapes.NewHandover, request), caller(request)
        to = known_person(said["to"]) if said["to"] else None
        items = list(
            WorklistItem.objects.filter(study__study_instance_uid__in=said["studies"]).select_related(
                "study__patient"
            )
        )
        if len(items) < len(set(said["studies"])):
            raise Problem(
                400, "Unknown study", "One of the studies is not on the worklist. Load the page again."
            )
        try:
            made, is_new = flows.hand_over(
                by=user,
                item_ids=[item.pk for item in items],
                note=said["note"],
                to=to,
                group=known_group(said["group"]),
                request=request._request,
            )
        except handovers.HandoverRefused as refusal:
            raise Problem(409, "Not handed over", str(refusal)) from None
        if is_new:
            for item in items:
                auditing.study_changed(request, item.study, "handed over", handover=str(made.pk))
        return self._answer(made.pk, status=201 if is_new else 200)

    @extend_schema(request=None, responses={200: handover_shapes.Handover, **REFUSED})
    @action(detail=True, methods=["post"])
    def take(self, request: Request, pk: str) -> Response:
        """Take it: what is unread and nobody else's is assigned to the caller. Its maker takes it back so."""
        handover = get_object_or_404(Handover, pk=pk)
        try:
            taken = handovers.take(handover_id=handover.pk, by=caller(request), request=request._request)
        except handovers.HandoverRefused as refusal:
            raise Problem(409, "Taken already", str(refusal)) from None
        studies = _shown().filter(pk__in=[item.pk for item in taken.assigned])
        for item in studies:
            auditing.study_changed(request, item.study, "hand-over taken", handover=pk)
        return self._answer(pk)

    @extend_schema(responses=handover_shapes.OpenWork, filters=False)
    @action(detail=False, url_path="open-work", pagination_class=None, filterset_class=None)
    def open_work(self, request: Request) -> Response:
        """What the caller leaves behind when they go now, and who reads next."""
        user, now = caller(request), timezone.now()
        auditing.list_read(request, "own open work", frozenset())
        items = _shown(flows.open_work_of(user))[: handovers.MOST_STUDIES]
        following = selectors.next_on_duty(groups=selectors.groups_of(user), at=now, besides=user)
        return Response(
            {
                "studies": [study_document(one) | {"because": _because(one, user)} for one in items],
                "next": shift_document(following, user) if following is not None else None,
            }
        )

    def _answer(self, pk: int | str, status: int = 200) -> Response:
        handover = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(handover_document(handover, caller(self.request)), status=status)


def handover_document(handover: Handover, user: User) -> dict[str, Any]:
    """A hand-over as the API shows it; it comes from `HandoverViewSet.get_queryset`."""
    return {
        "id": str(handover.pk),
        "by": person(handover.by),
        "to": person(handover.to),
        "group": group_name(handover.group),
        "note": handover.note,
        "at": handover.at,
        "taken_by": person(handover.taken_by),
        "taken_at": handover.taken_at,
        "is_mine": handover.by_id == user.pk,
        "for_me": handover.to_id == user.pk,
        "studies": [study_document(item) for item in handover.shown],  # type: ignore[attr-defined]
    }


def study_document(item: WorklistItem) -> dict[str, Any]:
    """A study of a hand-over as it is now; the item comes from `_shown`."""
    study, order, report = item.study, documents.order_of(item.study), documents.report_of(item.study)
    held = documents.held_document(item)
    return {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number or (order.accession_number if order else ""),
        "patient": patient_document(study),
        "modality": main_modality(study.modalities) or (order.modality if order else ""),
        "study_description": study.study_description or (order.procedure if order else ""),
        "location_class": item.location_class,
        "priority_class": item.priority_class,
        "due_at": item.due_at,
        "state": item.state,
        "claimed_by": person(item.claimed_by),
        "assigned_to": person(item.assigned_to),
        "held": {name: held[name] for name in ("reason", "note", "until")} if held else None,
        "has_draft": report is not None and report.state == ReportState.DRAFT,
        "open_alerts": [
            {"id": str(one.pk), "meaning": one.finding.meaning, "raised_at": one.raised_at}
            for one in study.open_alerts  # type: ignore[attr-defined]
        ],
    }


def _because(item: WorklistItem, user: User) -> list[str]:
    report = documents.report_of(item.study)
    facts = {
        "claimed": item.claimed_by_id == user.pk,
        "assigned": item.assigned_to_id == user.pk,
        "held": item.held_by_id == user.pk and documents.held_document(item) is not None,
        "draft": report is not None and report.state == ReportState.DRAFT and report.updated_by_id == user.pk,
        "alert": bool(item.study.open_alerts),  # type: ignore[attr-defined]
    }
    return [name for name in handover_shapes.OPEN_BECAUSE if facts[name]]


def _shown(items: QuerySet[WorklistItem] | None = None) -> QuerySet[WorklistItem]:
    """Items with what `study_document` shows, in a constant number of queries."""
    alerts = Alert.objects.filter(state__in=OPEN_ALERT_STATES).select_related("finding").order_by("raised_at")
    return (
        (WorklistItem.objects.order_by("due_at", "arrived_at", "pk") if items is None else items)
        .select_related(
            *("study__patient", "study__order", "study__report"),
            *("claimed_by", "assigned_to", "held_by"),
        )
        .defer("study__attributes")
        .prefetch_related(Prefetch("study__alerts", queryset=alerts, to_attr="open_alerts"))
    )
