"""What readers do with a row of the list: assign, hold, raise, decline, take over, flag, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User, granting
from foundation.accounts.permissions import caller
from foundation.problems import Problem
from worklist.api import action_shapes as shapes
from worklist.api import auditing, documents
from worklist.api.bodies import valid
from worklist.queue import assigning, declining, flagging, holding, raising, takeover, undoing
from worklist.queue.acts import Done, Refused
from worklist.queue.models import HoldReason, ItemEvent, ItemFlag, WorklistItem

EVENTS_SHOWN = 100
_ANSWERS = {200: shapes.ActionAnswer, 409: shapes.ActionRefused}


def _action(request: type[Serializer] | None) -> Callable[[Any], Any]:
    return extend_schema(request=request, responses=_ANSWERS)


class ItemActions(GenericViewSet[WorklistItem]):
    """Actions of the worklist. Each answers the row and the event that undoes it."""

    def _item(self, study_instance_uid: str) -> WorklistItem:
        raise NotImplementedError

    def _documents(self, items: Any) -> Any:
        raise NotImplementedError

    @_action(shapes.AssignRequest)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, study_instance_uid: str) -> Response:
        """Give the study to a reader; 409 when somebody assigned it to another meanwhile."""
        sent = valid(shapes.AssignRequest, request)
        return self._do(
            study_instance_uid,
            "assigned",
            assigning.assign,
            to=_reader(sent["username"]),
            reason=sent["reason"],
            instead_of=_person(sent["instead_of"]),
        )

    @_action(shapes.UnassignRequest)
    @action(detail=True, methods=["post"])
    def unassign(self, request: Request, study_instance_uid: str) -> Response:
        """Give the study to nobody."""
        sent = valid(shapes.UnassignRequest, request)
        return self._do(
            study_instance_uid, "unassigned", assigning.unassign, instead_of=_person(sent["instead_of"])
        )

    @_action(shapes.DeclineRequest)
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, study_instance_uid: str) -> Response:
        """Say no: `next` does not offer the study to the caller again within two hours."""
        return self._do(
            study_instance_uid, "declined", declining.decline, **valid(shapes.DeclineRequest, request)
        )

    @_action(shapes.HoldRequest)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, study_instance_uid: str) -> Response:
        """Put the study aside until something is there, at the latest until it is due."""
        sent = valid(shapes.HoldRequest, request)
        return self._do(
            study_instance_uid, "held", holding.hold, **(sent | {"reason": HoldReason(sent["reason"])})
        )

    @_action(None)
    @action(detail=True, methods=["post"])
    def unhold(self, request: Request, study_instance_uid: str) -> Response:
        """What the study waited for is there."""
        return self._do(study_instance_uid, "hold ended", holding.unhold)

    @_action(shapes.RaiseRequest)
    @action(detail=True, methods=["post"], url_path="raise")
    def raise_priority(self, request: Request, study_instance_uid: str) -> Response:
        """Rank the study as more urgent than its order says; only upwards."""
        return self._do(
            study_instance_uid,
            "priority raised",
            raising.raise_priority,
            **valid(shapes.RaiseRequest, request),
        )

    @_action(shapes.TakeOverRequest)
    @action(detail=True, methods=["post"], url_path="take-over")
    def take_over(self, request: Request, study_instance_uid: str) -> Response:
        """Take the study from the reader who holds it; they hear at once and their draft stays."""
        sent = valid(shapes.TakeOverRequest, request)
        holder = _person(sent["holder"])
        if holder is None:
            raise Problem(400, "Nobody of that name", "Name in `holder` who is reading the study.")
        return self._do(
            study_instance_uid, "taken over", takeover.take_over, holder=holder, reason=sent["reason"]
        )

    @_action(shapes.FlagRequest)
    @action(detail=True, methods=["post"])
    def flags(self, request: Request, study_instance_uid: str) -> Response:
        """Mark the study for teaching or peer review."""
        sent = valid(shapes.FlagRequest, request)
        return self._do(
            study_instance_uid, "flagged", flagging.flag, kind=ItemFlag.Kind(sent["kind"]), note=sent["note"]
        )

    @extend_schema(
        request=None,
        responses=_ANSWERS,
        parameters=[OpenApiParameter("kind", str, required=True, enum=ItemFlag.Kind.values)],
    )
    @flags.mapping.delete
    def unflag(self, request: Request, study_instance_uid: str) -> Response:
        """Take a mark away."""
        kind = request.query_params.get("kind")
        if kind not in ItemFlag.Kind.values:
            raise Problem(400, "Which mark?", f"Name one as `kind`: {', '.join(ItemFlag.Kind.values)}.")
        return self._do(study_instance_uid, "unflagged", flagging.unflag, kind=ItemFlag.Kind(kind))

    @_action(shapes.UndoRequest)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, study_instance_uid: str) -> Response:
        """Take back one's own act; 409 when something changed since."""
        sent = valid(shapes.UndoRequest, request)
        try:
            return self._do(study_instance_uid, "undone", undoing.undo, event_id=sent["event"])
        except ItemEvent.DoesNotExist:
            raise Problem(404, "Not found", "This study has no such event.") from None

    @extend_schema(responses=shapes.WorklistEvent(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def events(self, request: Request, study_instance_uid: str) -> Response:
        """What people did with the study, the latest first (at most 100)."""
        item = self._item(study_instance_uid)
        auditing.study_read(request, item.study, "what people did")
        user, now = caller(request), timezone.now()
        found = item.events.select_related("by").order_by("-pk")[:EVENTS_SHOWN]
        return Response(
            [
                {
                    "id": str(event.pk),
                    "kind": event.kind,
                    "text": undoing.words_of(event),
                    "at": event.at,
                    "by": documents.person(event.by),
                    "reason": event.reason,
                    "undone_at": event.undone_at,
                    "can_undo": user.has_role(Role.RADIOLOGIST) and undoing.can_undo(event, item, user, now),
                }
                for event in found
            ]
        )

    def _do(self, uid: str, what: str, act: Callable[..., Done], **given: Any) -> Response:
        """Act as the caller on the study; a refusal becomes a problem with the row as it is now."""
        item = self._item(uid)
        try:
            with transaction.atomic():
                done = act(item_id=item.pk, by=caller(self.request), **given)
                if done.event is not None:
                    auditing.study_changed(self.request, item.study, what, event=str(done.event.pk))
        except Refused as refusal:
            raise Problem(
                409,
                "Not done",
                str(refusal),
                by=documents.person(refusal.by),
                at=refusal.at,
                row=self._documents([self._item(uid)])[0],
            ) from None
        return Response(
            {
                "item": self._documents([self._item(uid)])[0],
                "event": str(done.event.pk) if done.event else None,
            }
        )


def readers() -> Any:
    """Radiologists whose account is open."""
    return User.objects.filter(
        is_active=True, role_assignments__role__in=granting(Role.RADIOLOGIST)
    ).distinct()


def _reader(username: str) -> User:
    found: User | None = readers().filter(username=username).first()
    if found is None:
        raise Problem(
            400, "No such reader", f"{username} is no radiologist here. Choose one of /api/readers/."
        )
    return found


def _person(username: str) -> User | None:
    return User.objects.filter(username=username).first() if username else None
