"""`/api/me/`: who is signed in, and where."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.models import User
from foundation.accounts.permissions import caller
from worklist.api import shapes
from worklist.api.bodies import valid
from worklist.reading.selectors import mode_of


class MeChange(serializers.Serializer):
    time_zone = serializers.CharField(
        max_length=64, allow_blank=True, help_text="IANA name; empty means the browser's."
    )

    def validate_time_zone(self, value: str) -> str:
        if value and value not in available_timezones():
            raise serializers.ValidationError("This is no IANA time zone, such as Europe/Berlin.")
        return value


class Me(APIView):
    """The caller and the site."""

    @extend_schema(responses=shapes.Me)
    def get(self, request: Request) -> Response:
        """The caller's roles decide which pages they get."""
        return Response(_document(caller(request)))

    @extend_schema(request=MeChange, responses=shapes.Me)
    def patch(self, request: Request) -> Response:
        """Choose a time zone."""
        change = valid(MeChange, request)
        user = caller(request)
        user.time_zone = change["time_zone"]
        user.save(update_fields=["time_zone"])
        return Response(_document(user))


def _document(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "username": user.username,
        "display_name": user.display_name or user.username,
        "roles": sorted(user.role_slugs),
        "department": user.department,
        "time_zone": user.time_zone,
        "idle_timeout_s": settings.IDLE_TIMEOUT_SECONDS,
        "reading_mode": mode_of(user).value,
        "site": {
            "name": settings.SITE_NAME,
            "ae_title": settings.AE_TITLE,
            "not_for_clinical_use": True,
            "dictation": settings.DICTATION,
            "sign_asks_password": settings.SIGN_ASKS_PASSWORD,
        },
    }
