"""`/fhircast/`: the hub's address, by the rules of FHIRcast STU3; and the page's own look at the desk."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.authentication import get_authorization_header
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.authentication import SessionAuthentication, TokenAuthentication
from foundation.accounts.models import User
from foundation.accounts.permissions import caller, has_role
from foundation.accounts.services import user_of_token
from foundation.audit import services as audit
from foundation.problems import Problem
from worklist.fhircast import messages, services
from worklist.fhircast.models import Desk

WEBSOCKET_PATH = "/fhircast/ws/"
READERS = has_role(*services.ROLES)


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer …` with an API token, as FHIRcast's clients send it."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        parts = get_authorization_header(request).decode("latin-1").split()
        if not parts or parts[0].lower() != "bearer":
            return None
        user = user_of_token(parts[1]) if len(parts) == 2 else None
        if user is None:
            raise exceptions.AuthenticationFailed("This token is unknown or revoked.")
        return user, "token"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class FhirJsonParser(JSONParser):
    """`application/fhir+json`."""

    media_type = "application/fhir+json"


@extend_schema(exclude=True)
class HubView(APIView):
    """Programs sign in as the reader on whose desk they stand."""

    authentication_classes = [BearerAuthentication, TokenAuthentication, SessionAuthentication]
    permission_classes = [READERS]
    parser_classes = [FormParser, JSONParser, FhirJsonParser]


class Configuration(HubView):
    """What the hub can do; open to everybody, as clients ask before they sign in."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        """The well-known document."""
        return Response(
            {
                "eventsSupported": list(messages.EVENTS),
                "websocketSupport": True,
                "fhircastVersion": "STU3",
                "getCurrentSupport": True,
                "fhirVersion": "R4",
            }
        )


class Hub(HubView):
    """Subscribe, unsubscribe, and say what opens and closes."""

    def post(self, request: Request) -> Response:
        """A form subscribes or unsubscribes, JSON is an event."""
        if (request.content_type or "").startswith("application/x-www-form-urlencoded"):
            return self._subscription(request)
        try:
            told = messages.parse(request.data)
            services.publish(user=caller(request), told=told, by="another application")
        except messages.NotUnderstood as error:
            raise Problem(400, "Not understood", str(error)) from error
        except services.NotFound as error:
            raise _no_topic() from error
        except services.Conflict as error:
            raise Problem(409, "Not the current context", str(error)) from error
        return Response(status=202)

    def _subscription(self, request: Request) -> Response:
        form: Any = request.data
        said = {name: str(value).strip() for name, value in form.items()}
        if said.get("hub.channel.type") != "websocket":
            raise Problem(400, "Not understood", "hub.channel.type must be websocket.")
        token = said.get("hub.channel.endpoint", "").rstrip("/").rsplit("/", 1)[-1]
        topic, user = said.get("hub.topic", ""), caller(request)
        try:
            if said.get("hub.mode") == "subscribe":
                lease = said.get("hub.lease_seconds", "")
                if lease and not lease.isdecimal():
                    raise Problem(400, "Not understood", "hub.lease_seconds must be a whole number.")
                _, token = services.subscribe(
                    user=user,
                    topic=topic,
                    events=messages.canonical(said.get("hub.events", "")),
                    name=said.get("subscriber.name", ""),
                    lease_seconds=min(int(lease), 10**6) if lease else 0,
                    token=token,
                )
            elif said.get("hub.mode") == "unsubscribe":
                services.unsubscribe(user=user, topic=topic, token=token)
            else:
                raise Problem(400, "Not understood", "hub.mode must be subscribe or unsubscribe.")
        except messages.NotUnderstood as error:
            raise Problem(400, "Not understood", str(error)) from error
        except services.NotFound as error:
            raise _no_topic() from error
        scheme = "wss" if request.is_secure() else "ws"
        endpoint = f"{scheme}://{request.get_host()}{WEBSOCKET_PATH}{token}"
        return Response({"hub.channel.endpoint": endpoint}, status=202)


class CurrentContext(HubView):
    """What is open on a desk."""

    def get(self, request: Request, topic: Any) -> Response:
        """The last open event's context with the content shared about it; an empty one when nothing is open."""
        desk = Desk.objects.select_related("study__patient").filter(user=caller(request), topic=topic).first()
        if desk is None:
            raise _no_topic()
        if desk.opened is None:
            return Response({"context.type": "", "context.versionId": str(desk.version_id), "context": []})
        if desk.study is not None:
            audit.record_read(
                request._request,
                study_instance_uid=desk.study.study_instance_uid,
                patient_id=desk.study.patient.patient_id,
                what="FHIRcast context",
                kind=audit.Kind.PATIENT_RECORD,
            )
        event = desk.opened["event"]
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": one} for one in desk.content],
        }
        if not desk.content:
            del bundle["entry"]
        return Response(
            {
                "context.type": str(event["hub.event"]).split("-")[0],
                "context.versionId": str(desk.version_id),
                "context": [*event["context"], {"key": "content", "resource": bundle}],
            }
        )


def hub_url(request: Request) -> str:
    """Absolute address of the hub."""
    return request.build_absolute_uri("/fhircast/")


def _no_topic() -> Problem:
    return Problem(404, "No such session", "The topic or the endpoint is not one of yours, or it ended.")
