"""`/api/quarantine/`: what could not be filed, for an administrator to decide."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.audit import services as audit
from foundation.problems import Problem
from pacs.api import shapes
from pacs.models import QuarantinedObject
from pacs.selectors import open_quarantine
from pacs.services import quarantine


class QuarantineViewSet(GenericViewSet[QuarantinedObject]):
    """Objects that came and were kept aside."""

    permission_classes = [has_role(Role.PACS_ADMINISTRATOR)]
    serializer_class = shapes.Quarantined
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = QuarantinedObject.objects.none()

    def get_queryset(self) -> QuerySet[QuarantinedObject]:
        """Undecided ones; all of them for one that is named, or with `resolved=true`."""
        if self.action != "list":
            return QuarantinedObject.objects.all()
        if self.request.query_params.get("resolved", "").lower() == "true":
            return QuarantinedObject.objects.filter(resolved_at__isnull=False).order_by("-resolved_at")
        return open_quarantine()

    @extend_schema(
        parameters=[
            OpenApiParameter("resolved", OpenApiTypes.BOOL, description="Those already decided on instead.")
        ],
        responses=shapes.Quarantined(many=True),
    )
    def list(self, request: Request) -> Response:
        """Those that wait for a decision, latest first."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        audit.record_read(request._request, kind=audit.Kind.QUERY, what="quarantine")
        return self.get_paginated_response([_document(row) for row in page])

    @extend_schema(request=None, responses=shapes.Quarantined)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Remove the object's bytes for good; the row stays. 409 when it was decided on already."""
        row = get_object_or_404(self.get_queryset(), pk=pk)
        if not quarantine.discard(quarantined=row, user=caller(request)):
            raise _decided()
        row.refresh_from_db()
        return Response(_document(row))

    @extend_schema(request=None, responses=shapes.ReleaseResult)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Try to file the object again. 409 when it was decided on already."""
        row = get_object_or_404(self.get_queryset(), pk=pk)
        if row.resolved_at is not None:
            raise _decided()
        result = quarantine.release(quarantined=row, user=caller(request))
        return Response({"outcome": result.outcome.value, "reason": result.reason, "detail": result.detail})


def _decided() -> Problem:
    return Problem(409, "Decided already", quarantine.NOTHING_TO_DECIDE)


def _document(row: QuarantinedObject) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "received_at": row.received_at,
        "reason": row.reason,
        "detail": row.detail,
        "source": row.source,
        "sop_instance_uid": row.sop_instance_uid,
        "study_instance_uid": row.study_instance_uid,
        "size": row.size,
        "resolved_at": row.resolved_at,
        "resolution": row.resolution,
    }
