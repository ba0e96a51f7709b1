"""`/api/report-destinations/`, `/api/report-deliveries/` and the PDF of a report: how reports travel."""

from __future__ import annotations

from typing import Any

import django_filters
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from pacs.models import RemoteNode
from worklist import flows
from worklist.api import auditing, delivery_shapes, documents, shapes
from worklist.api.bodies import valid
from worklist.reports.models import Destination, ReportDelivery
from worklist.reports.outgoing import deciding, destinations, encapsulated, selectors, transports
from worklist.reports.outgoing.models import SETTLED, DeliveryState
from worklist.reports.selectors import latest_versions, reports_visible_to

ADMINISTRATORS = has_role(Role.PACS_ADMINISTRATOR)
WATCHERS = has_role(Role.PACS_ADMINISTRATOR, Role.RADIOLOGIST, Role.QA_REVIEWER)
DECIDERS = has_role(Role.PACS_ADMINISTRATOR, Role.RADIOLOGIST)
READERS = has_role(Role.RADIOLOGIST, Role.ER_STAFF, Role.QA_REVIEWER, Role.SERVICE)


class DestinationViewSet(GenericViewSet[Destination]):
    """Where reports go; administrators only."""

    permission_classes = [ADMINISTRATORS]
    serializer_class = delivery_shapes.ReportDestination
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Destination.objects.none()

    def get_queryset(self) -> Any:
        return selectors.destinations()

    def list(self, request: Request) -> Response:
        """All by name, with what waits for them."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([destination_document(one) for one in page])

    @extend_schema(request=delivery_shapes.NewDestination, responses={201: delivery_shapes.ReportDestination})
    def create(self, request: Request) -> Response:
        """A new destination: it gets what is signed from now on."""
        said = valid(delivery_shapes.NewDestination, request)
        secret = said.pop("secret", "")
        made = destinations.add(
            values=_with_node(said), secret=secret, by=caller(request), request=request._request
        )
        return Response(self._document(made.pk), status=201)

    @extend_schema(
        request=delivery_shapes.DestinationChange, responses={200: delivery_shapes.ReportDestination}
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change it, or switch it off and on; without a secret the known one stays."""
        said = valid(delivery_shapes.DestinationChange, request)
        secret = said.pop("secret", "")
        destination = get_object_or_404(Destination, pk=pk)
        destinations.change(
            destination_id=destination.pk,
            values=_with_node(said),
            secret=secret,
            by=caller(request),
            request=request._request,
        )
        flows.wake_deliveries()
        return Response(self._document(destination.pk))

    @extend_schema(request=None, responses=delivery_shapes.DestinationTest)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Whether it answers; sends no report. One that does not answer is a result, not an error."""
        destination = get_object_or_404(Destination.objects.select_related("node"), pk=pk)
        ok, told = destinations.test(destination=destination, by=caller(request), request=request._request)
        return Response({"ok": ok, "detail": told})

    @extend_schema(responses=delivery_shapes.DestinationTrouble(many=True))
    @action(detail=False, methods=["get"], pagination_class=None)
    def troubles(self, request: Request) -> Response:
        """Destinations that do not answer, or have given up on something."""
        return Response(selectors.troubles())

    def _document(self, pk: int) -> dict[str, Any]:
        return destination_document(self.get_queryset().get(pk=pk))


class DeliveryFilter(django_filters.FilterSet):
    """Filters of the deliveries."""

    state = django_filters.MultipleChoiceFilter(choices=DeliveryState.choices)
    report = django_filters.NumberFilter(field_name="version__report_id")
    destination = django_filters.NumberFilter(field_name="destination_id")
    study_instance_uid = django_filters.CharFilter(field_name="version__report__study__study_instance_uid")

    class Meta:
        model = ReportDelivery
        fields: list[str] = []


class DeliveryViewSet(GenericViewSet[ReportDelivery]):
    """Each version's way to each destination; readers see it of reports that they may read."""

    serializer_class = delivery_shapes.ReportDelivery
    filterset_class = DeliveryFilter
    lookup_value_regex = "[0-9]{1,18}"
    queryset = ReportDelivery.objects.none()

    def get_queryset(self) -> Any:
        return selectors.deliveries_visible_to(caller(self.request))

    def get_permissions(self) -> list[BasePermission]:
        if self.action == "retry_all":
            return [ADMINISTRATORS()]
        if self.action in ("discard", "retry"):
            return [(ADMINISTRATORS if self.action == "discard" else DECIDERS)()]
        return [WATCHERS()]

    def list(self, request: Request) -> Response:
        """The latest first."""
        rows = self.filter_queryset(self.get_queryset()).order_by("-version__at", "-pk")
        page = self.paginate_queryset(rows)
        assert page is not None
        auditing.list_read(request, "report deliveries", frozenset(DeliveryFilter.base_filters))
        return self.get_paginated_response([delivery_document(one) for one in page])

    @extend_schema(responses={200: delivery_shapes.DeliveryPayload, 403: shapes.Problem})
    @action(detail=True, methods=["get"])
    def payload(self, request: Request, pk: str) -> Response:
        """What is sent, word for word, to those who may read the report."""
        delivery = self._delivery(pk)
        if not selectors.may_read(delivery, caller(request)):
            raise Problem(
                403,
                "Not allowed",
                "The message holds the report, which your role does not read. Ask a radiologist to look at it.",
            )
        auditing.study_read(request, delivery.version.report.study, "report delivery's message")
        return Response({"text": transports.payload(delivery)})

    @extend_schema(request=None, responses={200: delivery_shapes.ReportDelivery, 409: shapes.Problem})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Begin again at once."""
        deciding.retry(delivery=self._delivery(pk), by=caller(request), request=request._request)
        flows.wake_deliveries()
        return self._answer(pk)

    @extend_schema(
        request=delivery_shapes.Discarding,
        responses={200: delivery_shapes.ReportDelivery, 409: shapes.Problem},
    )
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Let it be, with a reason; later versions of the report go on."""
        said = valid(delivery_shapes.Discarding, request)
        deciding.discard(
            delivery=self._delivery(pk),
            reason=said["reason"],
            by=caller(request),
            request=request._request,
        )
        flows.wake_deliveries()
        return self._answer(pk)

    @extend_schema(request=delivery_shapes.RetryAll, responses=delivery_shapes.Retried)
    @action(detail=False, methods=["post"], url_path="retry-all")
    def retry_all(self, request: Request) -> Response:
        """Begin again with everything that was given up, at most 500 at once."""
        said = valid(delivery_shapes.RetryAll, request)
        begun = deciding.retry_all(
            by=caller(request), destination_id=said.get("destination"), request=request._request
        )
        flows.wake_deliveries()
        return Response({"retried": len(begun)})

    def _delivery(self, pk: str) -> ReportDelivery:
        found: ReportDelivery = get_object_or_404(self.get_queryset(), pk=pk)
        return found

    def _answer(self, pk: str) -> Response:
        return Response(delivery_document(self._delivery(pk)))


class PdfRenderer(BaseRenderer):
    """Lets a client ask for what it gets; the view answers with the bytes themselves."""

    media_type = "application/pdf"
    format = "pdf"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return JSONRenderer().render(data)


class ReportPdf(APIView):
    """The PDF of a signed report, as it lies in the archive."""

    permission_classes = [READERS]
    renderer_classes = [JSONRenderer, PdfRenderer]

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY, 404: shapes.Problem})
    def get(self, request: Request, pk: int) -> HttpResponse:
        """The version that holds; 404 while nothing is signed."""
        visible = reports_visible_to(caller(request)).filter(pk=pk)
        version = latest_versions(visible).first()
        if version is None:
            raise Problem(404, "Not found", "There is no signed report, or you may not see it.")
        auditing.study_read(request, version.report.study, "report PDF")
        return HttpResponse(
            encapsulated.pdf_of(version),
            content_type="application/pdf",
            headers={
                "Content-Disposition": f'inline; filename="report-{pk}-{version.version}.pdf"',
                "Cache-Control": "private, no-store",
            },
        )


def destination_document(destination: Destination) -> dict[str, Any]:
    """A destination as the API shows it: without its secret."""
    return {
        "id": str(destination.pk),
        "address": transports.address_of(destination),
        "has_ca_certificate": bool(destination.ca_certificate),
        "has_secret": bool(destination.sealed_secret),
        "node": str(destination.node_id) if destination.node_id else None,
        "waiting": destination.waiting,  # type: ignore[attr-defined]
        "dead": destination.dead,  # type: ignore[attr-defined]
    } | {
        name: getattr(destination, name)
        for name in (
            *("name", "kind", "active", "modalities", "location_classes", "host", "port", "tls"),
            *("sending_application", "sending_facility", "receiving_application", "receiving_facility"),
            *("url", "content", "failing_since", "error", "last_sent_at"),
        )
    }


def delivery_document(delivery: ReportDelivery) -> dict[str, Any]:
    """A delivery as the API shows it."""
    version, destination = delivery.version, delivery.destination
    settled = delivery.state in (*SETTLED, DeliveryState.DEAD)
    paused = destination.paused_until is not None and destination.paused_until > timezone.now()
    return {
        "id": str(delivery.pk),
        "report": str(version.report_id),
        "version": version.version,
        "action": version.action,
        "study_instance_uid": version.report.study.study_instance_uid,
        "destination": destination.name,
        "kind": destination.kind,
        "state": delivery.state,
        "blocked": bool(delivery.blocked) and not settled,  # type: ignore[attr-defined]
        "paused": (paused or not destination.active) and not settled,
        "attempts": delivery.attempts,
        "next_attempt_at": None if settled else delivery.next_attempt_at,
        "acknowledgement": delivery.acknowledgement,
        "control_id": delivery.control_id,
        "error": delivery.error,
        "reason": delivery.reason,
        "decided_by": documents.person(delivery.decided_by),
        "created_at": delivery.created_at,
        "sent_at": delivery.sent_at,
    }


def _with_node(said: dict[str, Any]) -> dict[str, Any]:
    if "node" in said:
        said["node"] = get_object_or_404(RemoteNode, pk=said["node"], active=True)
    return said
