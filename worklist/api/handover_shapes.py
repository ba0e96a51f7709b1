"""The shapes of hand-overs, for OpenAPI."""

from __future__ import annotations

from rest_framework import serializers

from pacs.models import LocationClass, OrderPriority
from worklist.api.rota_shapes import Shift
from worklist.api.shapes import GroupName, Patient, Person
from worklist.queue.models import HoldReason, ItemState

OPEN_BECAUSE = ("claimed", "assigned", "held", "draft", "alert")


class OpenAlert(serializers.Serializer):
    id = serializers.CharField()
    meaning = serializers.CharField()
    raised_at = serializers.DateTimeField()


class StudyOnHold(serializers.Serializer):
    reason = serializers.ChoiceField(choices=HoldReason.choices)
    note = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)


class HandedStudy(serializers.Serializer):
    study_instance_uid = serializers.CharField()
    accession_number = serializers.CharField()
    patient = Patient()
    modality = serializers.CharField()
    study_description = serializers.CharField()
    location_class = serializers.ChoiceField(choices=LocationClass.choices)
    priority_class = serializers.ChoiceField(choices=OrderPriority.choices)
    due_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=ItemState.choices, help_text="As it is now.")
    claimed_by = Person(allow_null=True)
    assigned_to = Person(allow_null=True)
    held = StudyOnHold(allow_null=True)
    has_draft = serializers.BooleanField()
    open_alerts = OpenAlert(many=True, help_text="Nobody has answered them.")


class OpenStudy(HandedStudy):
    because = serializers.ListField(
        child=serializers.ChoiceField(choices=OPEN_BECAUSE), help_text="Why it is the caller's open work."
    )


class OpenWork(serializers.Serializer):
    studies = OpenStudy(many=True, help_text="The first due first; at most 200.")
    next = Shift(allow_null=True, help_text="Who of the caller's groups reads after them, or with them.")


class Handover(serializers.Serializer):
    id = serializers.CharField()
    by = Person()
    to = Person(allow_null=True, help_text="For whom it is meant; anybody who reads may take it.")
    group = GroupName(allow_null=True)
    note = serializers.CharField()
    at = serializers.DateTimeField()
    taken_by = Person(allow_null=True)
    taken_at = serializers.DateTimeField(allow_null=True)
    is_mine = serializers.BooleanField(help_text="The caller made it.")
    for_me = serializers.BooleanField(help_text="It is meant for the caller.")
    studies = HandedStudy(many=True)


class NewHandover(serializers.Serializer):
    to = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    group = serializers.IntegerField(required=False, allow_null=True, default=None)
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")
    studies = serializers.ListField(
        child=serializers.CharField(max_length=64), max_length=200, required=False, default=list
    )
