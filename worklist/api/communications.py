"""`/api/communications/`: who was told a result by a radiologist, and read it back."""

from __future__ import annotations

from typing import Any

import django_filters
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from pacs.selectors import studies_visible_to
from worklist.alerts import communications
from worklist.alerts.models import Communication
from worklist.api import auditing, documents, shapes
from worklist.api.bodies import valid

READERS = has_role(Role.RADIOLOGIST, Role.ER_STAFF, Role.QA_REVIEWER, Role.SERVICE)
CALLERS = has_role(Role.RADIOLOGIST)


class CommunicationDocument(serializers.Serializer):
    id = serializers.CharField()
    study_instance_uid = serializers.CharField()
    alert = serializers.CharField(allow_null=True)
    finding_code = serializers.CharField()
    subject = serializers.CharField()
    category = serializers.IntegerField(help_text="ACR: 1 within minutes, 2 within hours, 3 within days.")
    caller = shapes.Person()
    told_name = serializers.CharField()
    told_role = serializers.CharField()
    method = serializers.ChoiceField(choices=Communication.Method.choices)
    read_back = serializers.BooleanField()
    note = serializers.CharField()
    told_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()


class NewCommunication(serializers.Serializer):
    study_instance_uid = serializers.CharField(max_length=64)
    finding_code = serializers.CharField(max_length=32, required=False, allow_blank=True)
    subject = serializers.CharField(max_length=200, help_text="What was told.")
    category = serializers.ChoiceField(choices=communications.CATEGORIES, required=False)
    told_name = serializers.CharField(max_length=120)
    told_role = serializers.CharField(max_length=120, required=False, allow_blank=True)
    method = serializers.ChoiceField(choices=Communication.Method.choices)
    read_back = serializers.BooleanField(required=False)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)
    told_at = serializers.DateTimeField(required=False, help_text="Now, when it is left out.")


class CommunicationFilter(django_filters.FilterSet):
    """Filters of the call log."""

    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")

    class Meta:
        model = Communication
        fields: list[str] = []


class CommunicationViewSet(GenericViewSet[Communication]):
    """The call log of the studies that the caller may see; radiologists write it, nobody changes it."""

    serializer_class = CommunicationDocument
    filterset_class = CommunicationFilter
    queryset = Communication.objects.none()

    def get_queryset(self) -> Any:
        visible = studies_visible_to(caller(self.request)).values("pk")
        return (
            Communication.objects.filter(study__in=visible)
            .select_related("study", "caller")
            .defer("study__attributes")
            .order_by("-told_at", "-pk")
        )

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action == "list" else CALLERS()]

    def list(self, request: Request) -> Response:
        """The latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "communications", frozenset(CommunicationFilter.base_filters))
        return self.get_paginated_response([document(one) for one in page])

    @extend_schema(request=NewCommunication, responses={201: CommunicationDocument})
    def create(self, request: Request) -> Response:
        """Write down a call. Read back, it counts as the finding's communication at signing."""
        said = valid(NewCommunication, request)
        values: dict[str, Any] = {"told_at": timezone.now()} | said
        visible = studies_visible_to(caller(request))
        study = get_object_or_404(visible, study_instance_uid=values.pop("study_instance_uid"))
        entry = communications.record(
            study_id=study.pk, caller=caller(request), request=request._request, **values
        )
        return Response(document(self.get_queryset().get(pk=entry.pk)), status=201)


def document(entry: Communication) -> dict[str, Any]:
    """One call."""
    return {
        "id": str(entry.pk),
        "study_instance_uid": entry.study.study_instance_uid,
        "alert": str(entry.alert_id) if entry.alert_id else None,
        "finding_code": entry.finding_code,
        "subject": entry.subject,
        "category": entry.category,
        "caller": documents.person(entry.caller),
        "told_name": entry.told_name,
        "told_role": entry.told_role,
        "method": entry.method,
        "read_back": entry.read_back,
        "note": entry.note,
        "told_at": entry.told_at,
        "recorded_at": entry.recorded_at,
    }
