"""What is open on the caller's desk, and which applications follow it (worklist.fhircast)."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.permissions import caller, has_role
from worklist.api import auditing
from worklist.fhircast import selectors, services, views


class DeskApplication(serializers.Serializer[object]):
    """An application that stands on the desk."""

    name = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    connected = serializers.BooleanField()
    lease_until = serializers.DateTimeField()


class Desk(serializers.Serializer[object]):
    """The desk of the caller."""

    hub_url = serializers.CharField()
    topic = serializers.UUIDField()
    version_id = serializers.UUIDField()
    study_instance_uid = serializers.CharField(
        allow_null=True, help_text="Of the study that is open, as far as it is in this archive."
    )
    something_open = serializers.BooleanField(help_text="True also when it is not in this archive.")
    opened_by = serializers.CharField(help_text="Firstread, another application, or empty.")
    applications = DeskApplication(many=True)


class DeskView(APIView):
    """GET /api/desk/."""

    permission_classes = [has_role(*services.ROLES)]

    @extend_schema(responses=Desk)
    def get(self, request: Request) -> Response:
        """Where other applications subscribe, who did, and what is open."""
        desk = services.desk_of(caller(request))
        study = selectors.open_study(desk)
        if study is not None:
            auditing.study_read(request, study, "open on the desk")
        document = {
            "hub_url": views.hub_url(request),
            "topic": desk.topic,
            "version_id": desk.version_id,
            "study_instance_uid": study.study_instance_uid if study else None,
            "something_open": desk.opened is not None,
            "opened_by": desk.opened_by,
            "applications": [
                {
                    "name": one.name or f"Application {one.pk}",
                    "events": one.events,
                    "connected": one.connected_at is not None,
                    "lease_until": one.lease_until,
                }
                for one in selectors.applications(desk)
            ],
        }
        return Response(Desk(document).data)
