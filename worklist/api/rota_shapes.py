"""The shapes of groups, shifts and coverage, for OpenAPI."""

from __future__ import annotations

from rest_framework import serializers

from pacs.models import LocationClass
from worklist.api.shapes import GroupName, Person
from worklist.rota.models import Duty


class Words(serializers.ListField):
    """A list of short words."""

    child = serializers.CharField(max_length=64)

    def __init__(self, **more: object) -> None:
        super().__init__(max_length=50, **more)  # type: ignore[arg-type]


class ReadingGroup(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    modalities = Words(help_text="Empty: all; like the other lists.")
    body_parts = Words()
    institutions = Words()
    location_classes = Words()
    share_before_minutes = serializers.IntegerField()
    active = serializers.BooleanField()
    version = serializers.IntegerField()
    members = Person(many=True)
    mine = serializers.BooleanField(help_text="The caller reads for it.")


class NewReadingGroup(serializers.Serializer):
    name = serializers.CharField(max_length=80)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    modalities = Words(required=False)
    body_parts = Words(required=False)
    institutions = Words(required=False)
    location_classes = serializers.ListField(
        child=serializers.ChoiceField(choices=LocationClass.choices), required=False
    )
    share_before_minutes = serializers.IntegerField(min_value=0, max_value=10080, required=False)


class ReadingGroupChange(NewReadingGroup):
    name = serializers.CharField(max_length=80, required=False)
    active = serializers.BooleanField(required=False)


class NewMember(serializers.Serializer):
    username = serializers.CharField(max_length=150)


class Shift(serializers.Serializer):
    id = serializers.CharField()
    duty = serializers.ChoiceField(choices=Duty.choices)
    person = Person()
    group = GroupName(allow_null=True)
    department = serializers.CharField(help_text="On call: empty means the whole house.")
    position = serializers.IntegerField(help_text="1 is called first, 2 next.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="The end does not belong to the shift.")
    note = serializers.CharField()
    imported = serializers.BooleanField(help_text="It came from a calendar file.")
    cancelled_at = serializers.DateTimeField(allow_null=True)
    is_mine = serializers.BooleanField()


class NewShift(serializers.Serializer):
    duty = serializers.ChoiceField(choices=Duty.choices)
    username = serializers.CharField(max_length=150)
    group = serializers.IntegerField(required=False, allow_null=True)
    department = serializers.CharField(max_length=120, required=False, allow_blank=True)
    position = serializers.IntegerField(min_value=1, max_value=99, required=False)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CancelShift(serializers.Serializer):
    reason = serializers.CharField(max_length=200)


class GiveShift(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    reason = serializers.CharField(max_length=200)


class Gap(serializers.Serializer):
    duty = serializers.ChoiceField(choices=Duty.choices)
    group = GroupName(allow_null=True)
    department = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    has_members = serializers.BooleanField(help_text="False: the group has no reader at all.")
    text = serializers.CharField(help_text="The whole in words, in the caller's time zone.")


class DutyNow(serializers.Serializer):
    at = serializers.DateTimeField()
    reading = Shift(many=True)
    on_call = Shift(many=True, help_text="Who is called first at the head.")
    uncovered = GroupName(many=True, help_text="Groups nobody reads for now: their studies go to all.")


class CalendarImport(serializers.Serializer):
    calendar = serializers.CharField(
        max_length=1_000_000, trim_whitespace=False, help_text="The text of an iCalendar file (.ics)."
    )
    dry_run = serializers.BooleanField(default=True, help_text="Say what would happen, and do nothing.")
    duty = serializers.ChoiceField(choices=Duty.choices, default=Duty.READING.value)
    group = serializers.IntegerField(required=False, allow_null=True)
    department = serializers.CharField(max_length=120, required=False, allow_blank=True)
    complete = serializers.BooleanField(
        default=False,
        help_text="The file is the whole plan of this duty and group: cancel what an earlier one planned.",
    )


class Unmatched(serializers.Serializer):
    what = serializers.CharField()
    why = serializers.CharField()


class ImportResult(serializers.Serializer):
    dry_run = serializers.BooleanField()
    added = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())
    cancelled = serializers.ListField(child=serializers.CharField())
    kept = serializers.ListField(
        child=serializers.CharField(), help_text="Cancelled or given away here: the file does not undo that."
    )
    unmatched = Unmatched(many=True)
    unchanged = serializers.IntegerField()
    over = serializers.IntegerField(help_text="Past; left as it was.")
