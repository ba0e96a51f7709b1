"""The shapes of the list's actions, for OpenAPI and to read what a caller sent."""

from __future__ import annotations

from rest_framework import serializers

from pacs.models import OrderPriority
from worklist.api.shapes import Person, Problem, WorklistItem
from worklist.queue.models import HoldReason, ItemEvent, ItemFlag

REASON = 200


class AssignRequest(serializers.Serializer):
    username = serializers.CharField(help_text="A radiologist.")
    reason = serializers.CharField(max_length=REASON, required=False, allow_blank=True, default="")
    instead_of = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        help_text="Username it was assigned to when the caller looked; empty: nobody.",
    )


class UnassignRequest(serializers.Serializer):
    instead_of = serializers.CharField(required=False, allow_blank=True, default="")


class DeclineRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON)


class HoldRequest(serializers.Serializer):
    reason = serializers.ChoiceField(choices=HoldReason.choices)
    note = serializers.CharField(max_length=REASON, required=False, allow_blank=True, default="")
    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="At the latest until it is due."
    )


class RaiseRequest(serializers.Serializer):
    to = serializers.ChoiceField(
        choices=[(one.value, one.label) for one in OrderPriority if one != "routine"]
    )
    reason = serializers.CharField(max_length=REASON)


class TakeOverRequest(serializers.Serializer):
    reason = serializers.CharField(max_length=REASON)
    holder = serializers.CharField(help_text="Username of whom the caller saw reading it.")


class FlagRequest(serializers.Serializer):
    kind = serializers.ChoiceField(choices=ItemFlag.Kind.choices)
    note = serializers.CharField(max_length=REASON, required=False, allow_blank=True, default="")


class UndoRequest(serializers.Serializer):
    event = serializers.IntegerField(help_text="Id of the event, as the action's answer named it.")


class ActionAnswer(serializers.Serializer):
    item = WorklistItem()
    event = serializers.CharField(allow_null=True, help_text="Id to undo; null when nothing changed.")


class ActionRefused(Problem):
    """Somebody was faster, or the act makes no sense any more; `row` is the item as it is now."""

    by = Person(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    row = WorklistItem()


class NextItem(WorklistItem):
    why = serializers.CharField(help_text="Why this study, and what was passed over, in words.")


class WorklistEvent(serializers.Serializer):
    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=ItemEvent.Kind.choices)
    text = serializers.CharField(help_text="What happened: assigned it to Dr. B.")
    at = serializers.DateTimeField()
    by = Person(allow_null=True, help_text="Null: the clock.")
    reason = serializers.CharField()
    undone_at = serializers.DateTimeField(allow_null=True)
    can_undo = serializers.BooleanField(help_text="By the caller, now.")


class Reader(Person):
    reading = serializers.IntegerField(help_text="Studies claimed.")
    assigned = serializers.IntegerField(help_text="Unread studies assigned.")
