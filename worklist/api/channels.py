"""`/api/channels/`, `/api/push-key/`, `/api/push-subscriptions/`: ways beside the page, and whether they work."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.audit import services as audit
from foundation.webhooks import Refused, Unreachable, resolve
from worklist.alerts.channels import health, push
from worklist.alerts.models import PushSubscription
from worklist.api.bodies import valid

WATCHERS = has_role(Role.ER_STAFF, Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)
TOLD = has_role(Role.ER_STAFF, Role.RADIOLOGIST)
MOST_BROWSERS = 10


class ChannelState(serializers.Serializer):
    channel = serializers.CharField()
    ok = serializers.BooleanField()
    failing_since = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()
    last_ok_at = serializers.DateTimeField(allow_null=True)


class PushKey(serializers.Serializer):
    key = serializers.CharField(help_text="applicationServerKey, in base64url.")


class NewSubscription(serializers.Serializer):
    endpoint = serializers.URLField(max_length=800)
    p256dh = serializers.CharField(max_length=200)
    auth = serializers.CharField(max_length=64)
    browser = serializers.CharField(max_length=120, required=False, allow_blank=True)


class OldSubscription(serializers.Serializer):
    endpoint = serializers.URLField(max_length=800)


class Subscribed(serializers.Serializer):
    endpoint = serializers.CharField()
    subscribed = serializers.BooleanField()


class Channels(APIView):
    """Health of every channel that was ever used."""

    permission_classes = [WATCHERS]

    @extend_schema(responses=ChannelState(many=True))
    def get(self, request: Request) -> Response:
        """A channel that does not work stands here until it carried a message again."""
        return Response(health.states())


class PushKeyView(APIView):
    """The site's public key, to which browsers subscribe."""

    permission_classes = [TOLD]

    @extend_schema(responses=PushKey)
    def get(self, request: Request) -> Response:
        """Made once per data folder."""
        return Response({"key": push.public_key()})


class PushSubscriptions(APIView):
    """The caller's browsers that ring while no page is open."""

    permission_classes = [TOLD]

    @extend_schema(request=NewSubscription, responses=Subscribed)
    def post(self, request: Request) -> Response:
        """Subscribe this browser; the same browser twice, or of another account before, is one row."""
        said = valid(NewSubscription, request)
        values: dict[str, Any] = dict(said)
        if not push.usable(values["p256dh"], values["auth"]):
            raise ValidationError("These are no keys of a browser. Switch its messages off and on again.")
        try:
            resolve(values["endpoint"])
        except Refused as error:
            raise ValidationError(str(error)) from None
        except Unreachable:
            pass  # a push service that is not reached now; sending says so again
        user = caller(request)
        with transaction.atomic():
            PushSubscription.objects.update_or_create(
                endpoint=values.pop("endpoint"), defaults=values | {"user": user, "gone_at": None}
            )
            oldest = PushSubscription.objects.filter(user=user).order_by("-pk")[MOST_BROWSERS:]
            PushSubscription.objects.filter(pk__in=[one.pk for one in oldest]).delete()
            _record(request, "push messages switched on")
        return Response({"endpoint": said["endpoint"], "subscribed": True})

    @extend_schema(request=OldSubscription, responses=Subscribed)
    def delete(self, request: Request) -> Response:
        """Forget this browser; one that is not known is forgotten already."""
        said = valid(OldSubscription, request)
        endpoint = said["endpoint"]
        with transaction.atomic():
            gone, _ = PushSubscription.objects.filter(user=caller(request), endpoint=endpoint).delete()
            if gone:
                _record(request, "push messages switched off")
        return Response({"endpoint": endpoint, "subscribed": False})


def _record(request: Request, what: str) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="U",
        user=caller(request),
        request=request._request,
        detail={"what": what},
    )
