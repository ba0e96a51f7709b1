"""`/api/alerts/`: what rings, and who answered."""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User, granting
from foundation.accounts.permissions import caller, has_role
from worklist.alerts import services
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, AlertState
from worklist.alerts.selectors import alerts_of
from worklist.api import auditing, blinding, documents, shapes
from worklist.api.bodies import valid
from worklist.api.ppv import local_ppv
from worklist.api.rows import alerts_for_list

READERS = has_role(Role.ER_STAFF, Role.RADIOLOGIST, Role.SERVICE)
ANSWERERS = has_role(Role.ER_STAFF, Role.RADIOLOGIST)


class AlertFilter(django_filters.FilterSet):
    """Filters of the alerts."""

    state = django_filters.ChoiceFilter(
        choices=[
            ("open", "Open"),
            (AlertState.ACKNOWLEDGED.value, "Acknowledged"),
            (AlertState.NOT_RUNG.value, "Not rung: known"),
        ],
        method="filter_state",
    )
    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")

    class Meta:
        model = Alert
        fields: list[str] = []

    def filter_state(self, queryset: Any, name: str, value: str) -> Any:
        states = OPEN_ALERT_STATES if value == "open" else (AlertState(value),)
        return queryset.filter(state__in=states)


class Acknowledgement(serializers.Serializer):
    name = serializers.CharField(max_length=120, help_text="Who answers.")
    read_back = serializers.CharField(max_length=500, help_text="The result, repeated in their words.")


class Declining(serializers.Serializer):
    reason = serializers.CharField(max_length=180, help_text="Why this is not the caller's patient.")
    to = serializers.CharField(
        max_length=150, required=False, allow_blank=True, help_text="User name of whose patient it is."
    )


class Treating(serializers.Serializer):
    name = serializers.CharField(max_length=120, help_text="Who treats the patient.")


class AlertViewSet(GenericViewSet[Alert]):
    """Alerts that the caller may see: ER staff those of their department and those told to all."""

    serializer_class = shapes.Alert
    filterset_class = AlertFilter
    lookup_value_regex = "[0-9]+"
    queryset = Alert.objects.none()

    def get_queryset(self) -> Any:
        user = caller(self.request)
        return alerts_for_list().filter(pk__in=blinding.alerts(alerts_of(user), user).values("pk"))

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action in {"list", "retrieve"} else ANSWERERS()]

    def list(self, request: Request) -> Response:
        """The latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        auditing.list_read(request, "alerts", frozenset(AlertFilter.base_filters))
        return self.get_paginated_response(alert_documents(page, request))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One alert."""
        alert = get_object_or_404(self.get_queryset(), pk=pk)
        auditing.study_read(request, alert.study, "alert")
        return Response(alert_documents([alert], request)[0])

    @extend_schema(request=Acknowledgement, responses=shapes.Alert)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Answer with a name and the result read back; the first answer stands."""
        said = valid(Acknowledgement, request)
        alert = get_object_or_404(self.get_queryset(), pk=pk)
        services.acknowledge(alert_id=alert.pk, user=caller(request), request=request._request, **said)
        return self._changed(pk)

    @extend_schema(request=Declining, responses={200: shapes.Alert, 409: shapes.Problem})
    @action(detail=True, methods=["post"], url_path="not-my-patient")
    def not_my_patient(self, request: Request, pk: str) -> Response:
        """Tell the next rung at once, or whom the caller names; 409 when somebody answered meanwhile."""
        said = valid(Declining, request)
        alert = get_object_or_404(self.get_queryset(), pk=pk)
        services.decline(
            alert_id=alert.pk,
            user=caller(request),
            reason=said["reason"],
            to=_person(said.get("to", "")),
            request=request._request,
        )
        return self._changed(pk)

    @extend_schema(request=Treating, responses={200: shapes.Alert, 409: shapes.Problem})
    @action(detail=True, methods=["post"], url_path="being-treated")
    def being_treated(self, request: Request, pk: str) -> Response:
        """The patient of an answered alert is being treated; 409 while nobody has answered."""
        said = valid(Treating, request)
        alert = get_object_or_404(self.get_queryset(), pk=pk)
        services.being_treated(alert_id=alert.pk, user=caller(request), request=request._request, **said)
        return self._changed(pk)

    @extend_schema(responses=shapes.Person(many=True))
    @action(detail=False, methods=["get"], pagination_class=None, filterset_class=None)
    def people(self, request: Request) -> Response:
        """Whom an alert can be handed to: ER staff and radiologists."""
        people = User.objects.filter(
            is_active=True, role_assignments__role__in=granting(Role.ER_STAFF, Role.RADIOLOGIST)
        )
        return Response([documents.person(one) for one in people.distinct().order_by("display_name", "pk")])

    def _changed(self, pk: str) -> Response:
        return Response(alert_documents([self.get_queryset().get(pk=pk)], self.request)[0])


def _person(username: str) -> User | None:
    """Whom the caller names; an unknown name is told as one that may not answer."""
    if not username:
        return None
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        raise ValidationError("Nobody here has this user name.")
    return found


def alert_documents(alerts: Any, request: Request) -> list[dict[str, Any]]:
    """Documents of these alerts for the caller."""
    ppv = local_ppv(documents.model_ids(alert.finding.run for alert in alerts))
    view = documents.View(user_id=caller(request).pk, ppv=ppv)
    return [documents.alert_document(alert, view) for alert in alerts]
