"""`/api/alert-policies/`: versions of who is told of alerts, by which channel, how soon, who next."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from worklist.alerts import ladders, policies, preview
from worklist.alerts.models import AlertPolicy, AlertPolicyState
from worklist.api import documents, shapes
from worklist.api.bodies import valid

READERS = has_role(Role.PACS_ADMINISTRATOR, Role.RADIOLOGIST, Role.ER_STAFF, Role.QA_REVIEWER)
WRITERS = has_role(Role.PACS_ADMINISTRATOR)


class PolicyWho(serializers.Serializer):
    group = serializers.ChoiceField(choices=[(one.value, one.value) for one in ladders.Group])
    position = serializers.IntegerField(required=False, help_text="Of people on call; 1 is called first.")


class PolicyRung(serializers.Serializer):
    who = PolicyWho(many=True)
    channels = serializers.ListField(
        child=serializers.ChoiceField(choices=[(one.value, one.value) for one in ladders.Channel])
    )
    seconds = serializers.IntegerField(help_text="Without an answer, until the next rung.")


class PolicyRule(serializers.Serializer):
    name = serializers.CharField(max_length=80)
    finding_codes = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    departments = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    locations = serializers.ListField(
        child=serializers.ChoiceField(choices=ladders.LOCATIONS), help_text="Empty: all."
    )
    rungs = PolicyRung(many=True)


class PolicyRules(serializers.Serializer):
    rules = PolicyRule(many=True)


class AlertPolicyDocument(serializers.Serializer):
    id = serializers.CharField(allow_null=True, help_text="null for the house's own.")
    version = serializers.CharField()
    state = serializers.ChoiceField(choices=AlertPolicyState.choices)
    document = PolicyRules()
    words = serializers.ListField(child=serializers.CharField(), help_text="Each rule in one sentence.")
    reason = serializers.CharField()
    created_by = shapes.Person(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    activated_by = shapes.Person(allow_null=True)
    activated_at = serializers.DateTimeField(allow_null=True)


class NewAlertPolicy(serializers.Serializer):
    version = serializers.CharField(max_length=32)
    document = PolicyRules()


class PolicyPreviewRequest(serializers.Serializer):
    document = PolicyRules()


class Uncovered(serializers.Serializer):
    position = serializers.IntegerField()
    alerts = serializers.IntegerField()


class PreviewRule(serializers.Serializer):
    name = serializers.CharField()
    alerts = serializers.IntegerField()
    first = serializers.CharField()
    seconds_to_everybody = serializers.IntegerField()
    uncovered = Uncovered(many=True)


class PolicyPreview(serializers.Serializer):
    days = serializers.IntegerField()
    alerts = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="Alerts that would have climbed another ladder.")
    rules = PreviewRule(many=True)


class Activation(serializers.Serializer):
    reason = serializers.CharField(max_length=300)


class AlertPolicyViewSet(GenericViewSet[AlertPolicy]):
    """Everybody reads; administrators write. An activated version never changes."""

    serializer_class = AlertPolicyDocument
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = AlertPolicy.objects.none()

    def get_queryset(self) -> Any:
        return AlertPolicy.objects.select_related("created_by", "activated_by").order_by("-created_at", "-pk")

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action in {"list", "retrieve", "active"} else WRITERS()]

    def list(self, request: Request) -> Response:
        """Every version, the newest first."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([policy_document(one) for one in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One version."""
        return Response(policy_document(get_object_or_404(self.get_queryset(), pk=pk)))

    @extend_schema(responses=AlertPolicyDocument)
    @action(detail=False, methods=["get"], pagination_class=None)
    def active(self, request: Request) -> Response:
        """The one in force: a site's own, or the house's."""
        row = self.get_queryset().filter(state=AlertPolicyState.ACTIVE).first()
        return Response(policy_document(row) if row else shipped_document())

    @extend_schema(request=NewAlertPolicy, responses={201: AlertPolicyDocument})
    def create(self, request: Request) -> Response:
        """A draft; 400 says everything that is wrong with it."""
        said = valid(NewAlertPolicy, request)
        made = policies.draft(
            version=said["version"],
            document=_plain(said["document"]),
            by=caller(request),
            request=request._request,
        )
        return Response(policy_document(self.get_queryset().get(pk=made.pk)), status=201)

    @extend_schema(request=Activation, responses=AlertPolicyDocument)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """From now on; alerts that ring already go on by theirs."""
        said = valid(Activation, request)
        chosen = get_object_or_404(AlertPolicy, pk=pk)
        policies.activate(
            policy_id=chosen.pk,
            reason=said["reason"],
            by=caller(request),
            request=request._request,
        )
        return Response(policy_document(self.get_queryset().get(pk=pk)))

    @extend_schema(request=Activation, responses=AlertPolicyDocument)
    @action(detail=False, methods=["post"], url_path="back-to-shipped")
    def back_to_shipped(self, request: Request) -> Response:
        """The house's own policy again."""
        said = valid(Activation, request)
        policies.retire(reason=said["reason"], by=caller(request), request=request._request)
        return Response(shipped_document())

    @extend_schema(request=PolicyPreviewRequest, responses=PolicyPreview)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What it would have done with the alerts of the last seven days; changes nothing."""
        said = valid(PolicyPreviewRequest, request)
        try:
            found = ladders.parse(_plain(said["document"]))
        except ladders.WrongPolicy as error:
            raise ValidationError(error.faults) from None
        return Response(preview.of_last_week(found))


def policy_document(row: AlertPolicy) -> dict[str, Any]:
    """One version."""
    return {
        "id": str(row.pk),
        "version": row.version,
        "state": row.state,
        "document": row.document,
        "words": _words(ladders.parse(row.document, check=False)),
        "reason": row.reason,
        "created_by": documents.person(row.created_by),
        "created_at": row.created_at,
        "activated_by": documents.person(row.activated_by),
        "activated_at": row.activated_at,
    }


def shipped_document() -> dict[str, Any]:
    """What holds while a site has no policy of its own."""
    return {
        "id": None,
        "version": ladders.SHIPPED,
        "state": AlertPolicyState.ACTIVE.value,
        "document": ladders.shipped(settings.ALERT_RUNG_SECONDS),
        "words": _words(policies.shipped()),
        "reason": "",
        "created_by": None,
        "created_at": None,
        "activated_by": None,
        "activated_at": None,
    }


def _words(found: ladders.Ladders) -> list[str]:
    return [_sentence(rule) for rule in found.rules]


def _sentence(rule: ladders.Rule) -> str:
    asked = [
        f"{name} {' or '.join(values)}"
        for name, values in (
            ("finding", rule.finding_codes),
            ("department", rule.departments),
            ("location", rule.locations),
        )
        if values
    ]
    steps = [
        f"{rung.in_words('the department')} by {', '.join(rung.channels)}, "
        + (f"after {rung.seconds} s" if number < rule.last else f"again every {rung.seconds} s")
        for number, rung in enumerate(rule.rungs)
    ]
    title = f"{rule.name} ({'; '.join(asked)})" if asked else rule.name
    return f"{title}: " + " → ".join(steps)


def _plain(document: Any) -> dict[str, Any]:
    """Validated data as plain JSON."""
    return {
        "rules": [
            {
                **rule,
                "rungs": [{**rung, "who": [dict(who) for who in rung["who"]]} for rung in rule["rungs"]],
            }
            for rule in document["rules"]
        ]
    }
