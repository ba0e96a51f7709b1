"""`/api/groups/`, `/api/shifts/`, `/api/rota/`: who reads what, and who is on duty when."""

from __future__ import annotations

from typing import Any

import django_filters
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from worklist import flows
from worklist.api import rota_shapes, shapes
from worklist.api.bodies import valid
from worklist.api.documents import person
from worklist.rota import groups, selectors, services
from worklist.rota.models import Duty, ReadingGroup, Shift
from worklist.rota.wording import gap_in_words
from worklist.rota.zones import zone_of

STAFF = has_role(*(role for role in Role if role is not Role.SERVICE))
ADMINISTRATORS = has_role(Role.PACS_ADMINISTRATOR)
READING_ACTIONS = frozenset({"list", "retrieve"})


class GroupViewSet(GenericViewSet[ReadingGroup]):
    """Readers who share a part of the work, and the rule by which studies belong to it."""

    serializer_class = rota_shapes.ReadingGroup
    lookup_value_regex = "[0-9]{1,18}"
    queryset = ReadingGroup.objects.none()
    filterset_class = None

    def get_queryset(self) -> Any:
        return selectors.groups_for_list()

    def get_permissions(self) -> list[BasePermission]:
        return [STAFF() if self.action in READING_ACTIONS else ADMINISTRATORS()]

    def list(self, request: Request) -> Response:
        """By name, closed ones too."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([group_document(one, caller(request)) for one in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One group."""
        return self._answer(pk)

    @extend_schema(request=rota_shapes.NewReadingGroup, responses={201: rota_shapes.ReadingGroup})
    def create(self, request: Request) -> Response:
        """A new group; studies that match its rule belong to it at once."""
        said = valid(rota_shapes.NewReadingGroup, request)
        made = flows.add_group(values=said, by=caller(request), request=request._request)
        return self._answer(made.pk, status=201)

    @extend_schema(request=rota_shapes.ReadingGroupChange, responses=rota_shapes.ReadingGroup)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name or rule, close or open it; unread studies follow at once."""
        group = get_object_or_404(ReadingGroup, pk=pk)
        said = valid(rota_shapes.ReadingGroupChange, request)
        flows.change_group(group_id=group.pk, values=said, by=caller(request), request=request._request)
        return self._answer(pk)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Close the group: its past stays, its studies belong to it no more."""
        group = get_object_or_404(ReadingGroup, pk=pk)
        flows.change_group(
            group_id=group.pk, values={"active": False}, by=caller(request), request=request._request
        )
        return Response(status=204)

    @extend_schema(request=rota_shapes.NewMember, responses=rota_shapes.ReadingGroup)
    @action(detail=True, methods=["post"])
    def members(self, request: Request, pk: str) -> Response:
        """Let a radiologist read for the group."""
        group = get_object_or_404(ReadingGroup, pk=pk)
        user = known_person(valid(rota_shapes.NewMember, request)["username"])
        groups.add_member(group_id=group.pk, user=user, by=caller(request), request=request._request)
        return self._answer(pk)

    @extend_schema(
        responses=rota_shapes.ReadingGroup,
        parameters=[OpenApiParameter("username", str, OpenApiParameter.PATH)],
    )
    @action(detail=True, methods=["delete"], url_path="members/(?P<username>[^/]+)")
    def member(self, request: Request, pk: str, username: str) -> Response:
        """Take somebody out of the group; their shifts stay and cover it no more."""
        group = get_object_or_404(ReadingGroup, pk=pk)
        user = known_person(username)
        groups.remove_member(group_id=group.pk, user=user, by=caller(request), request=request._request)
        return self._answer(pk)

    def _answer(self, pk: int | str, status: int = 200) -> Response:
        group = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(group_document(group, caller(self.request)), status=status)


class ShiftFilter(django_filters.FilterSet):
    """Without `from` and `to`, what is not over yet; cancelled ones only on request."""

    to = django_filters.IsoDateTimeFilter(
        field_name="starts_at", lookup_expr="lt", help_text="Begins before."
    )
    duty = django_filters.ChoiceFilter(choices=Duty.choices)
    group = django_filters.NumberFilter(field_name="group_id")
    department = django_filters.CharFilter(field_name="department")
    user = django_filters.CharFilter(field_name="user__username")
    mine = django_filters.BooleanFilter(method="filter_mine", help_text="The caller's own.")
    cancelled = django_filters.BooleanFilter(method="filter_cancelled", help_text="Cancelled ones too.")

    class Meta:
        model = Shift
        fields: list[str] = []

    def filter_mine(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.filter(user=self.request.user) if value else queryset

    def filter_cancelled(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset

    def filter_queryset(self, queryset: Any) -> Any:
        said = self.form.cleaned_data
        if said.get("from") is None:
            queryset = queryset.filter(ends_at__gt=timezone.now())
        if not said.get("cancelled"):
            queryset = queryset.filter(cancelled_at__isnull=True)
        return super().filter_queryset(queryset)


# `from` is a word of the language and cannot be an attribute.
ShiftFilter.base_filters["from"] = django_filters.IsoDateTimeFilter(
    field_name="ends_at", lookup_expr="gt", help_text="Ends after."
)


class ShiftViewSet(GenericViewSet[Shift]):
    """Who is on duty when; the earliest first."""

    serializer_class = rota_shapes.Shift
    filterset_class = ShiftFilter
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Shift.objects.none()

    def get_queryset(self) -> Any:
        return selectors.shifts_for_list()

    def get_permissions(self) -> list[BasePermission]:
        return [STAFF() if self.action in READING_ACTIONS else ADMINISTRATORS()]

    def list(self, request: Request) -> Response:
        """Shifts between `from` and `to`, or all that are not over."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        return self.get_paginated_response([shift_document(one, caller(request)) for one in page])

    @extend_schema(request=rota_shapes.NewShift, responses={201: rota_shapes.Shift, 400: shapes.Problem})
    def create(self, request: Request) -> Response:
        """Plan a shift; one that overlaps another of the same person and duty is refused in words."""
        said = valid(rota_shapes.NewShift, request)
        user, group = known_person(said.pop("username")), known_group(said.pop("group", None))
        made = services.plan_shift(
            user=user, group=group, by=caller(request), request=request._request, **said
        )
        return self._answer(made.pk, status=201)

    @extend_schema(request=rota_shapes.CancelShift, responses=rota_shapes.Shift)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Take it off the calendar, with a reason."""
        shift = get_object_or_404(Shift, pk=pk)
        said = valid(rota_shapes.CancelShift, request)
        services.cancel_shift(shift_id=shift.pk, by=caller(request), request=request._request, **said)
        return self._answer(pk)

    @extend_schema(request=rota_shapes.GiveShift, responses=rota_shapes.Shift)
    @action(detail=True, methods=["post"])
    def give(self, request: Request, pk: str) -> Response:
        """Give what is left of it to somebody else, with a reason; answers the new shift."""
        shift = get_object_or_404(Shift, pk=pk)
        said = valid(rota_shapes.GiveShift, request)
        given = services.give_shift(
            shift_id=shift.pk,
            to=known_person(said["username"]),
            reason=said["reason"],
            by=caller(request),
            request=request._request,
        )
        return self._answer(given.pk)

    def _answer(self, pk: int | str, status: int = 200) -> Response:
        shift = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(shift_document(shift, caller(self.request)), status=status)


class RotaNow(APIView):
    """Who is on duty at this moment."""

    permission_classes = [STAFF]

    @extend_schema(responses=rota_shapes.DutyNow)
    def get(self, request: Request) -> Response:
        """Readers and people on call, and the groups that nobody reads for."""
        now, user = timezone.now(), caller(request)
        active = dict(ReadingGroup.objects.filter(active=True).order_by("name").values_list("pk", "name"))
        covered = selectors.covered(active, now)
        return Response(
            {
                "at": now,
                "reading": [shift_document(s, user) for s in selectors.on_duty(at=now, duty=Duty.READING)],
                "on_call": [shift_document(s, user) for s in selectors.on_duty(at=now, duty=Duty.ON_CALL)],
                "uncovered": [
                    {"id": str(pk), "name": name} for pk, name in active.items() if pk not in covered
                ],
            }
        )


class RotaGaps(APIView):
    """When nobody is on duty in the next seven days."""

    permission_classes = [STAFF]

    @extend_schema(responses=rota_shapes.Gap(many=True))
    def get(self, request: Request) -> Response:
        """Gaps in order of time; a group without a calendar has none."""
        zone = zone_of(caller(request))
        return Response(
            [
                {
                    "duty": gap.duty,
                    "group": group_name(gap.group),
                    "department": gap.department,
                    "starts_at": gap.starts_at,
                    "ends_at": gap.ends_at,
                    "has_members": gap.members,
                    "text": gap_in_words(gap, zone),
                }
                for gap in selectors.gaps(start=timezone.now())
            ]
        )


class RotaPeople(APIView):
    """Who may be put on the calendar, for the forms."""

    permission_classes = [STAFF]

    @extend_schema(
        responses=shapes.Person(many=True),
        parameters=[OpenApiParameter("duty", str, enum=Duty.values, description="Reading unless said.")],
    )
    def get(self, request: Request) -> Response:
        """People who may have the duty, by name; at most 500."""
        roles = services.ROLES_OF_DUTY.get(request.query_params.get("duty", Duty.READING.value))
        if roles is None:
            raise Problem(400, "Some values are not right", f"duty is {' or '.join(Duty.values)}.")
        return Response([person(one) for one in selectors.people_for_duty(roles)[:500]])


def group_document(group: ReadingGroup, user: User) -> dict[str, Any]:
    """A group as the API shows it."""
    readers = [member.user for member in group.memberships.all()]
    return {
        "id": str(group.pk),
        "members": [person(one) for one in readers],
        "mine": any(one.pk == user.pk for one in readers),
    } | {
        name: getattr(group, name)
        for name in (
            *("name", "description", "modalities", "body_parts", "institutions", "location_classes"),
            *("share_before_minutes", "active", "version"),
        )
    }


def shift_document(shift: Shift, user: User) -> dict[str, Any]:
    """A shift as the API shows it."""
    return {
        "id": str(shift.pk),
        "duty": shift.duty,
        "person": person(shift.user),
        "group": group_name(shift.group),
        "department": shift.department,
        "position": shift.position,
        "starts_at": shift.starts_at,
        "ends_at": shift.ends_at,
        "note": shift.note,
        "imported": bool(shift.ical_uid),
        "cancelled_at": shift.cancelled_at,
        "is_mine": shift.user_id == user.pk,
    }


def group_name(group: ReadingGroup | None) -> dict[str, str] | None:
    """`{id, name}` or None."""
    return None if group is None else {"id": str(group.pk), "name": group.name}


def known_person(username: str) -> User:
    """The active user of that name; a problem that says so when there is none."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise Problem(400, "Nobody of that name", f"There is no open account {username}.")
    return user


def known_group(pk: int | None) -> ReadingGroup | None:
    """The active group; a problem that says so when there is none."""
    if pk is None:
        return None
    group = ReadingGroup.objects.filter(pk=pk, active=True).first()
    if group is None:
        raise Problem(400, "No such group", "The group does not exist or is closed. Choose another one.")
    return group
