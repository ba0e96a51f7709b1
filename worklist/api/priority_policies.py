"""`/api/priority-policies/`: the versions of the minutes that order the list; administrators change them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from pacs.models import LocationClass, OrderPriority
from worklist import flows
from worklist.api import documents, shapes
from worklist.api.bodies import valid
from worklist.api.patients import main_modality
from worklist.queue import policies
from worklist.queue.models import PolicyState, PriorityPolicy
from worklist.queue.policy_preview import preview

READERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)
ADMINISTRATORS = has_role(Role.PACS_ADMINISTRATOR)


class TargetsByLocation(serializers.Serializer):
    er = serializers.FloatField()
    icu = serializers.FloatField()
    inpatient = serializers.FloatField()
    outpatient = serializers.FloatField()


class Targets(serializers.Serializer):
    stat = TargetsByLocation()
    asap = TargetsByLocation()
    routine = TargetsByLocation()


class MaximumWaits(serializers.Serializer):
    stat = serializers.FloatField()
    asap = serializers.FloatField()
    routine = serializers.FloatField()


class FindingMinutes(serializers.Serializer):
    """A criticality without minutes promotes nothing."""

    critical = serializers.FloatField(required=False)
    urgent = serializers.FloatField(required=False)
    normal = serializers.FloatField(required=False)


class AgeBound(serializers.Serializer):
    from_years = serializers.FloatField()
    below_years = serializers.FloatField()
    minutes = serializers.FloatField()


class PolicyDocument(serializers.Serializer):
    """All in minutes."""

    target_minutes = Targets()
    minutes_without_order = serializers.FloatField()
    maximum_wait_minutes = MaximumWaits()
    finding_minutes = FindingMinutes()
    ages = AgeBound(many=True, required=False)


class PriorityPolicyShape(serializers.Serializer):
    id = serializers.CharField()
    version = serializers.CharField()
    state = serializers.ChoiceField(choices=PolicyState.choices)
    document = PolicyDocument()
    reason = serializers.CharField()
    created_by = shapes.Person(allow_null=True)
    created_at = serializers.DateTimeField()
    activated_by = shapes.Person(allow_null=True)
    activated_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        ref_name = "PriorityPolicy"


class PriorityPolicyDraft(serializers.Serializer):
    version = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", required=False)
    document = serializers.JSONField(help_text="As PolicyDocument.")
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True)


class PriorityPolicyChange(serializers.Serializer):
    document = serializers.JSONField(help_text="As PolicyDocument.")


class PriorityPolicyReason(serializers.Serializer):
    reason = serializers.CharField(max_length=300)


class PolicyTrouble(serializers.Serializer):
    field = serializers.CharField(help_text="Where, as a path by dots.")
    message = serializers.CharField()


class PolicyNotValid(shapes.Problem):
    troubles = PolicyTrouble(many=True)


class PolicyMove(serializers.Serializer):
    """A study without anything that names its patient."""

    priority_class = serializers.ChoiceField(choices=OrderPriority.choices)
    location_class = serializers.ChoiceField(choices=LocationClass.choices)
    modality = serializers.CharField()
    ai_flagged = serializers.BooleanField()
    arrived_at = serializers.DateTimeField()
    place_now = serializers.IntegerField()
    place_then = serializers.IntegerField()
    due_now = serializers.DateTimeField()
    due_then = serializers.DateTimeField()


class PriorityPolicyPreview(serializers.Serializer):
    open = serializers.IntegerField(help_text="Unread studies.")
    looked_at = serializers.IntegerField(help_text="Of these the most urgent, that were looked at.")
    up = serializers.IntegerField()
    down = serializers.IntegerField()
    sooner = serializers.IntegerField()
    later = serializers.IntegerField()
    examples = PolicyMove(many=True)


class PriorityPolicyViewSet(GenericViewSet[PriorityPolicy]):
    """Readers see them all; administrators draft and activate. An active or retired one never changes."""

    serializer_class = PriorityPolicyShape
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = PriorityPolicy.objects.none()

    def get_queryset(self) -> Any:
        return PriorityPolicy.objects.select_related("created_by", "activated_by").order_by("-pk")

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action in ("list", "retrieve") else ADMINISTRATORS()]

    def list(self, request: Request) -> Response:
        """The newest version first."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([policy_document(one) for one in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One version."""
        return Response(policy_document(get_object_or_404(self.get_queryset(), pk=pk)))

    @extend_schema(request=PriorityPolicyDraft, responses={201: PriorityPolicyShape, 422: PolicyNotValid})
    def create(self, request: Request) -> Response:
        """A draft; 422 lists what keeps the document from being a policy."""
        said = valid(PriorityPolicyDraft, request)
        version = said.get("version") or _next_version()
        with _troubles():
            made = policies.draft(
                version=version,
                document=said["document"],
                reason=said.get("reason", ""),
                by=caller(request),
            )
        return Response(policy_document(made), status=201)

    @extend_schema(request=PriorityPolicyChange, responses={200: PriorityPolicyShape, 422: PolicyNotValid})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Other minutes for a draft; 409 when it is none any more."""
        policy = get_object_or_404(self.get_queryset(), pk=pk)
        said = valid(PriorityPolicyChange, request)
        with _troubles():
            policies.change_draft(policy_id=policy.pk, document=said["document"])
        return self.retrieve(request, pk)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forget a draft."""
        policies.discard_draft(policy_id=get_object_or_404(self.get_queryset(), pk=pk).pk)
        return Response(status=204)

    @extend_schema(request=PriorityPolicyReason, responses={200: PriorityPolicyShape, 409: shapes.Problem})
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Put a draft in force, with a reason; the open list is ranked anew in the background."""
        policy = get_object_or_404(self.get_queryset(), pk=pk)
        said = valid(PriorityPolicyReason, request)
        with _troubles():
            policies.activate(
                policy_id=policy.pk, reason=said["reason"], by=caller(request), request=request._request
            )
        flows.follow_policy()
        return self.retrieve(request, pk)

    @extend_schema(request=None, responses=PriorityPolicyPreview)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str) -> Response:
        """What this version would do to the list as it stands now; changes nothing."""
        policy = get_object_or_404(self.get_queryset(), pk=pk)
        with _troubles():
            found = preview(policies.policy_of(policy.version, policy.document))
        return Response(
            {
                "open": found.open,
                "looked_at": found.looked_at,
                "up": found.up,
                "down": found.down,
                "sooner": found.sooner,
                "later": found.later,
                "examples": [
                    {
                        "priority_class": move.item.priority_class,
                        "location_class": move.item.location_class,
                        "modality": main_modality(move.item.study.modalities),
                        "ai_flagged": move.item.ai_flagged,
                        "arrived_at": move.item.arrived_at,
                        "place_now": move.place_now,
                        "place_then": move.place_then,
                        "due_now": move.due_now,
                        "due_then": move.due_then,
                    }
                    for move in found.examples
                ],
            }
        )


def policy_document(policy: PriorityPolicy) -> dict[str, Any]:
    """One version."""
    return {
        "id": str(policy.pk),
        "version": policy.version,
        "state": policy.state,
        "document": {"ages": [], **policy.document},
        "reason": policy.reason,
        "created_by": documents.person(policy.created_by),
        "created_at": policy.created_at,
        "activated_by": documents.person(policy.activated_by),
        "activated_at": policy.activated_at,
    }


@contextmanager
def _troubles() -> Iterator[None]:
    """Say what is wrong with a document, field by field."""
    try:
        yield
    except policies.NotValid as error:
        text = "Correct what `troubles` names."
        raise Problem(422, "This is no policy yet", text, troubles=error.troubles) from None


def _next_version() -> str:
    year = timezone.now().year
    taken = set(PriorityPolicy.objects.values_list("version", flat=True))
    return next(name for n in range(1, 100_000) if (name := f"{year}-{n}") not in taken)
