"""`/api/rota/import/` and `/api/rota/export.ics`: the calendar as a file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.permissions import caller
from worklist.api import rota_shapes, shapes
from worklist.api.bodies import valid
from worklist.api.rota import ADMINISTRATORS, STAFF, ShiftFilter, known_group
from worklist.rota import calendar_export, importing, selectors
from worklist.rota.zones import zone_of

EXPORTED_SINCE = timedelta(days=30)
MOST_EXPORTED = 2_000


class CalendarImport(APIView):
    """A calendar file becomes shifts."""

    permission_classes = [ADMINISTRATORS]

    @extend_schema(
        request=rota_shapes.CalendarImport,
        responses={200: rota_shapes.ImportResult, 400: shapes.Problem},
    )
    def post(self, request: Request) -> Response:
        """Say what the file would add, change and cancel, or do it; the same file twice changes nothing."""
        said = valid(rota_shapes.CalendarImport, request)
        defaults = importing.Defaults(
            duty=said["duty"],
            group=known_group(said.get("group")),
            department=said.get("department", ""),
            complete=said["complete"],
        )
        done = importing.import_calendar(
            content=said["calendar"].encode(),
            defaults=defaults,
            zone=zone_of(caller(request)),
            dry_run=said["dry_run"],
            by=caller(request),
            request=request._request,
        )
        unmatched = [{"what": what, "why": why} for what, why in done.unmatched]
        return Response({**done.__dict__, "unmatched": unmatched, "dry_run": said["dry_run"]})


class CalendarRenderer(BaseRenderer):
    """Lets a client ask for what it gets; the view answers with the bytes themselves."""

    media_type = "text/calendar"
    format = "ics"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return JSONRenderer().render(data)


class CalendarExport(APIView):
    """Shifts as a calendar file."""

    permission_classes = [STAFF]
    renderer_classes = [JSONRenderer, CalendarRenderer]

    @extend_schema(
        responses={(200, "text/calendar"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("mine", bool, description="Only the caller's own."),
            OpenApiParameter("group", int),
            OpenApiParameter("duty", str),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """From 30 days ago on; at most 2,000 shifts."""
        since = timezone.now() - EXPORTED_SINCE
        asked = {
            name: request.query_params[name]
            for name in ("mine", "group", "duty")
            if name in request.query_params
        }
        shifts = ShiftFilter(
            {**asked, "from": since.isoformat()}, queryset=selectors.shifts_for_list(), request=request
        ).qs
        return HttpResponse(
            calendar_export.calendar_of(shifts[:MOST_EXPORTED]),
            content_type="text/calendar; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="on-call.ics"',
                "Cache-Control": "private, no-store",
            },
        )
