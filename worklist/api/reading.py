"""`/api/worklist/{study}/reading/`, `/first-look/`, `/api/looks/`, `/api/reading-modes/`: who sees AI when."""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from pacs.models import Study
from pacs.selectors import studies_visible_to
from worklist.api import auditing, shapes
from worklist.api.bodies import valid
from worklist.api.documents import View as Seen
from worklist.api.documents import findings_documents, person
from worklist.api.rows import items_for_list
from worklist.reading import selectors, services
from worklist.reading.models import Look, Mode, ReadingMode

JUDGES = has_role(Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)
SETS = has_role(Role.PACS_ADMINISTRATOR)
RADIOLOGISTS = has_role(Role.RADIOLOGIST)


class Reading(serializers.Serializer):
    """The caller's looks at one study."""

    mode = serializers.ChoiceField(choices=Mode.choices, help_text="The caller's, now.")
    hidden = serializers.BooleanField(help_text="AI is hidden from the caller now.")
    opened_at = serializers.DateTimeField(allow_null=True)
    first_look_at = serializers.DateTimeField(allow_null=True)
    impression = serializers.CharField()
    ai_shown_at = serializers.DateTimeField(allow_null=True)


class FirstLook(serializers.Serializer):
    impression = serializers.CharField(
        max_length=services.LONGEST_IMPRESSION, help_text="What the reader sees, before AI is shown."
    )


class LookRow(serializers.Serializer):
    """One reader's looks at one study."""

    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    accession_number = serializers.CharField()
    reader = shapes.Person()
    mode = serializers.ChoiceField(choices=Mode.choices, help_text="When the study was opened.")
    opened_at = serializers.DateTimeField()
    first_look_at = serializers.DateTimeField(allow_null=True)
    impression = serializers.CharField()
    ai_shown_at = serializers.DateTimeField(allow_null=True)


class ModeRow(serializers.Serializer):
    """The site's mode (`reader` null), or a reader's, with who set it and why; `mode` null: as the site."""

    reader = shapes.Person(allow_null=True)
    mode = serializers.ChoiceField(choices=Mode.choices, allow_null=True)
    reason = serializers.CharField()
    set_by = shapes.Person(allow_null=True)
    set_at = serializers.DateTimeField(allow_null=True)


class ModeChange(serializers.Serializer):
    username = serializers.CharField(
        max_length=150, allow_blank=True, help_text="A radiologist; empty means the site."
    )
    mode = serializers.ChoiceField(choices=Mode.choices, allow_null=True, help_text="Null: as the site.")
    reason = serializers.CharField(max_length=300)


class StudyReading(APIView):
    """What the caller has seen of a study."""

    permission_classes = [RADIOLOGISTS]

    @extend_schema(responses=Reading)
    def get(self, request: Request, study_instance_uid: str) -> Response:
        """The caller's own looks."""
        study = _study(request, study_instance_uid)
        auditing.study_read(request, study, "own looks")
        return Response(_reading(caller(request), study))


class StudyFirstLook(APIView):
    """The impression before AI."""

    permission_classes = [RADIOLOGISTS]

    @extend_schema(request=FirstLook, responses={200: Reading, 409: shapes.Problem})
    def post(self, request: Request, study_instance_uid: str) -> Response:
        """Commit an impression; AI is shown to the caller from now on. The first one stands."""
        said = valid(FirstLook, request)
        study = _study(request, study_instance_uid)
        try:
            services.commit_first_look(
                study=study,
                user=caller(request),
                impression=said["impression"],
                ai_spoke=_ai_spoke(study),
                request=request._request,
            )
        except services.NothingHidden:
            raise Problem(
                409,
                "No first look is asked",
                "A first look is for readers who see AI after it, while the study is unsigned.",
            ) from None
        return Response(_reading(caller(request), study))


class LookFilter(django_filters.FilterSet):
    """Filters of the looks."""

    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")
    reader = django_filters.CharFilter(field_name="user__username")
    mode = django_filters.MultipleChoiceFilter(choices=Mode.choices)

    class Meta:
        model = Look
        fields: list[str] = []


class LookViewSet(GenericViewSet[Look]):
    """When each reader opened a study, committed an impression and was shown AI."""

    permission_classes = [JUDGES]
    serializer_class = LookRow
    filterset_class = LookFilter
    queryset = Look.objects.none()

    def get_queryset(self) -> QuerySet[Look]:
        return selectors.looks().filter(study__in=studies_visible_to(caller(self.request)))

    def list(self, request: Request) -> Response:
        """The latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "looks", frozenset(LookFilter.base_filters))
        return self.get_paginated_response([_look_row(look) for look in page])


class ReadingModeViewSet(GenericViewSet[ReadingMode]):
    """The site's mode first, then every reader."""

    serializer_class = ModeRow
    filter_backends: list[Any] = []
    queryset = ReadingMode.objects.none()

    def get_permissions(self) -> list[BasePermission]:
        return [JUDGES() if self.action == "list" else SETS()]

    def list(self, request: Request) -> Response:
        """Readers who have no mode of their own are there with `mode` null."""
        readers = (
            User.objects.filter(is_active=True, role_assignments__role=Role.RADIOLOGIST)
            .select_related("reading_mode__set_by")
            .order_by("username")
        )
        site = ReadingMode.objects.select_related("set_by").filter(user__isnull=True).first()
        page = self.paginate_queryset([None, *readers])
        assert page is not None
        rows = [
            _mode_row(reader, site if reader is None else getattr(reader, "reading_mode", None))
            for reader in page
        ]
        return self.get_paginated_response(rows)

    @extend_schema(request=ModeChange, responses=ModeRow)
    def create(self, request: Request) -> Response:
        """Set the site's mode or a reader's, with a reason; it holds from the next request on."""
        said = valid(ModeChange, request)
        username, mode = said["username"], said["mode"]
        reader = None
        if username:
            reader = User.objects.filter(
                username=username, is_active=True, role_assignments__role=Role.RADIOLOGIST
            ).first()
            if reader is None:
                raise ValidationError({"username": "No radiologist here has this user name."})
        row = services.set_mode(
            user=reader,
            mode=Mode(mode) if mode else None,
            reason=said["reason"],
            by=caller(request),
            request=request._request,
        )
        return Response(_mode_row(reader, row))


def _study(request: Request, study_instance_uid: str) -> Study:
    return get_object_or_404(
        studies_visible_to(caller(request)).select_related("patient", "worklist_item"),
        study_instance_uid=study_instance_uid,
        worklist_item__isnull=False,
    )


def _ai_spoke(study: Study) -> bool:
    """True when a reader who sees AI is given an answer of it."""
    item = items_for_list().get(study=study)
    return bool(findings_documents(item.study.live_runs, Seen(user_id=None)))  # type: ignore[attr-defined]


def _reading(user: User, study: Study) -> dict[str, Any]:
    blind = selectors.blindness(user, [study.pk])
    look = selectors.look_of(user, study)
    return {
        "mode": blind.mode.value,
        "hidden": bool(blind.of(study.pk)),
        "opened_at": look.opened_at if look else None,
        "first_look_at": look.first_look_at if look else None,
        "impression": look.impression if look else "",
        "ai_shown_at": look.ai_shown_at if look else None,
    }


def _look_row(look: Look) -> dict[str, Any]:
    return {
        "id": str(look.pk),
        "study_instance_uid": look.study.study_instance_uid,
        "accession_number": look.study.accession_number,
        "reader": person(look.user),
        "mode": look.mode,
        "opened_at": look.opened_at,
        "first_look_at": look.first_look_at,
        "impression": look.impression,
        "ai_shown_at": look.ai_shown_at,
    }


def _mode_row(reader: User | None, row: ReadingMode | None) -> dict[str, Any]:
    """Without a row the site shows AI, and a reader sees what the site says."""
    usual = Mode.VISIBLE.value if reader is None else None
    return {
        "reader": person(reader),
        "mode": row.mode if row else usual,
        "reason": row.reason if row else "",
        "set_by": person(row.set_by) if row else None,
        "set_at": row.set_at if row else None,
    }
