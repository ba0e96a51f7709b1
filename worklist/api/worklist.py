"""`/api/worklist/`: the list, one study, claims."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from pacs.selectors import priors_of
from worklist.api import auditing, blinding, documents, shapes
from worklist.api.action_shapes import NextItem
from worklist.api.filters import WorklistFilter
from worklist.api.item_actions import ItemActions
from worklist.api.ppv import local_ppv
from worklist.api.rows import items_for_list, places_in_order
from worklist.fhircast import services as desk
from worklist.queue import claims, offering
from worklist.queue.holding import held_now
from worklist.queue.models import UNREAD, ItemState, WorklistItem
from worklist.reading.selectors import is_hidden
from worklist.reading.services import ai_was_shown, record_opened
from worklist.rota.zones import day_zone

READERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.SERVICE)
RADIOLOGISTS = has_role(Role.RADIOLOGIST)
READING = frozenset({"list", "retrieve", "summary", "history", "priors", "events"})
FILTER_NAMES = frozenset(WorklistFilter.base_filters)


class WorklistViewSet(ItemActions):
    """The reading worklist, ordered by deadline; ties by arrival."""

    serializer_class = shapes.WorklistItem
    filterset_class = WorklistFilter
    lookup_field = "study_instance_uid"
    lookup_value_regex = "[0-9.]+"
    queryset = WorklistItem.objects.none()

    def get_queryset(self) -> Any:
        return items_for_list()

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action in READING else RADIOLOGISTS()]

    def list(self, request: Request) -> Response:
        """What is unread, the most urgent first."""
        # First which rows, from the index alone; then what they show.
        page = self.paginate_queryset(self.filter_queryset(places_in_order()))
        assert page is not None
        auditing.list_read(request, "worklist", FILTER_NAMES)
        shown = list(self.get_queryset().filter(pk__in=page))
        return self.get_paginated_response(self._documents(shown))

    def retrieve(self, request: Request, study_instance_uid: str) -> Response:
        """One study's row."""
        item = self._item(study_instance_uid)
        auditing.study_read(request, item.study, "worklist item")
        document = self._documents([item])[0]
        if document["findings"] and caller(request).has_role(Role.RADIOLOGIST):
            ai_was_shown(study=item.study, user=caller(request))
        return Response(document)

    @extend_schema(
        responses=shapes.WorklistSummary,
        filters=False,
        parameters=[
            OpenApiParameter("list", str, enum=["all", "mine"], description="As of the list."),
            OpenApiParameter("group", int, description="As of the list."),
        ],
    )
    @action(detail=False, pagination_class=None, filterset_class=None)
    def summary(self, request: Request) -> Response:
        """Counts for the head of the list: of all studies, of the caller's own list, or of a group."""
        now, user, items = timezone.now(), caller(request), self._list_asked_for(request)
        unread = items.filter(UNREAD)
        # One pass over the index of what is unread, and a look into small ones for the rest.
        counts = unread.aggregate(
            open=Count("pk"),
            unclaimed=Count("pk", filter=Q(state=ItemState.OPEN)),
            stat=Count("pk", filter=Q(priority_class="stat")),
            asap=Count("pk", filter=Q(priority_class="asap")),
            er=Count("pk", filter=Q(location_class="er")),
            ai_flags=Count("pk", filter=blinding.flagged(user)),
            due_30_min=Count("pk", filter=Q(due_at__lte=now + timedelta(minutes=30))),
        )
        asap = counts.pop("asap")
        by_class = {"stat": counts["stat"], "asap": asap, "routine": counts["open"] - counts["stat"] - asap}
        small = {
            "mine": items.filter(state=ItemState.CLAIMED, claimed_by=user),
            "held": unread.filter(held_now(now)),
            "assigned_to_me": unread.filter(assigned_to=user),
            "signed_today": items.filter(signed_at__gte=_midnight(user)),
        }
        counts |= {name: of_them.count() for name, of_them in small.items()}
        return Response(counts | {"by_class": by_class})

    @extend_schema(responses=shapes.RankChange(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def history(self, request: Request, study_instance_uid: str) -> Response:
        """How the study's place changed, and why."""
        item = self._item(study_instance_uid)
        auditing.study_read(request, item.study, "history of rank")
        changes = blinding.history(item.history.order_by("pk"), is_hidden(caller(request), item.study_id))
        return Response([documents.rank_change_document(change) for change in changes])

    @extend_schema(responses=shapes.Prior(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def priors(self, request: Request, study_instance_uid: str) -> Response:
        """Earlier studies of the same patient, latest first."""
        item = self._item(study_instance_uid)
        auditing.study_read(request, item.study, "priors")
        priors = priors_of(item.study).select_related("report").defer("attributes")
        return Response([documents.prior_document(prior) for prior in priors])

    @extend_schema(request=None, responses={200: shapes.WorklistItem, 409: shapes.Taken})
    @action(detail=True, methods=["post"])
    def claim(self, request: Request, study_instance_uid: str) -> Response:
        """Hold the study for the caller; 409 names who holds it already."""
        item = self._item(study_instance_uid)
        with transaction.atomic():
            self._guarded(claims.claim, item, request)
            auditing.study_changed(request, item.study, "claimed")
        return self._changed(study_instance_uid)

    @extend_schema(request=None, responses={200: shapes.WorklistItem, 409: shapes.Taken})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, study_instance_uid: str) -> Response:
        """Give the study back."""
        item = self._item(study_instance_uid)
        with transaction.atomic():
            self._guarded(claims.release, item, request)
            auditing.study_changed(request, item.study, "released")
        return self._changed(study_instance_uid)

    @extend_schema(request=None, responses={200: shapes.WorklistItem, 409: shapes.Taken})
    @action(detail=True, methods=["post"])
    def heartbeat(self, request: Request, study_instance_uid: str) -> Response:
        """The caller is still reading: the claim's lease starts anew."""
        self._guarded(claims.heartbeat, self._item(study_instance_uid), request)
        return self._changed(study_instance_uid)

    @extend_schema(request=None, responses=shapes.WorklistItem)
    @action(detail=True, methods=["post"])
    def opened(self, request: Request, study_instance_uid: str) -> Response:
        """The caller sees the study now; the first time is kept, with what AI had said by then."""
        item = self._item(study_instance_uid)
        with transaction.atomic():
            shown = self._documents([item])[0]
            flags = [finding["id"] for finding in shown["findings"]]
            record_opened(study=item.study, user=caller(request), ai_spoke=bool(flags))
            if claims.record_opened(item_id=item.pk, user=caller(request)):
                auditing.study_changed(
                    request, item.study, "first opened", ai_status=shown["ai_status"], findings_shown=flags
                )
            desk.open_study(user=caller(request), study=item.study)
        auditing.study_read(request, item.study, "opened for reading")
        return self._changed(study_instance_uid)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def closed(self, request: Request, study_instance_uid: str) -> Response:
        """The caller left the study: applications on the desk close it too. The claim stays as it is."""
        desk.close_study(user=caller(request), study=self._item(study_instance_uid).study)
        return Response(status=204)

    @extend_schema(request=None, responses={200: NextItem, 404: shapes.Problem}, filters=False)
    @action(detail=False, methods=["post"], filterset_class=None)
    def next(self, request: Request) -> Response:
        """Claim the study the caller should read next, and say why; 404 when none is free for them."""
        with transaction.atomic():
            offer = offering.claim_next(user=caller(request))
            if offer.item is None:
                raise Problem(404, "Nothing to read", offer.why)
            item = self.get_queryset().get(pk=offer.item.pk)
            auditing.study_changed(request, item.study, "claimed", by="next")
        return Response(self._documents([item])[0] | {"why": offer.why})

    @staticmethod
    def _list_asked_for(request: Request) -> QuerySet[WorklistItem]:
        asked: dict[str, Any] = {
            name: request.query_params[name] for name in ("list", "group") if name in request.query_params
        }
        if not asked:
            return WorklistItem.objects.all()
        found = WorklistFilter(
            asked | {"state": ItemState.values}, WorklistItem.objects.all(), request=request
        )
        if not found.is_valid():
            raise ValidationError(found.errors)
        return found.qs

    def _item(self, study_instance_uid: str) -> WorklistItem:
        item: WorklistItem = get_object_or_404(
            self.get_queryset(), study__study_instance_uid=study_instance_uid
        )
        return item

    def _changed(self, study_instance_uid: str) -> Response:
        return Response(self._documents([self._item(study_instance_uid)])[0])

    def _documents(self, items: Any) -> Any:
        blind = blinding.before_documents(items, caller(self.request))
        runs = [run for item in items for run in item.study.live_runs]
        view = documents.View(user_id=caller(self.request).pk, ppv=local_ppv(documents.model_ids(runs)))
        return [blinding.item(documents.item_document(item, view), blind.of(item.study_id)) for item in items]

    @staticmethod
    def _guarded(service: Any, item: WorklistItem, request: Request) -> None:
        try:
            service(item_id=item.pk, user=caller(request))
        except claims.NotYours as refusal:
            held = refusal.item if refusal.item.state == ItemState.CLAIMED else None
            raise Problem(
                409,
                "Taken" if held else "Not claimed",
                str(refusal),
                holder=documents.person(held.claimed_by) if held else None,
                claim_expires_at=held.claim_expires_at if held else None,
            ) from None


def _midnight(user: User) -> Any:
    return timezone.now().astimezone(day_zone(user)).replace(hour=0, minute=0, second=0, microsecond=0)
