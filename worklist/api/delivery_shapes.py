"""The shapes of destinations and deliveries, for OpenAPI. A secret goes in and never comes out."""

from __future__ import annotations

from rest_framework import serializers

from pacs.models import LocationClass
from worklist.api.shapes import Person
from worklist.reports.outgoing.models import DeliveryState, DestinationKind, WebhookContent


class ReportDestination(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=DestinationKind.choices)
    active = serializers.BooleanField()
    address = serializers.CharField(help_text="Where it lies, in one line.")
    modalities = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    location_classes = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    host = serializers.CharField()
    port = serializers.IntegerField(allow_null=True)
    tls = serializers.BooleanField()
    has_ca_certificate = serializers.BooleanField()
    sending_application = serializers.CharField()
    sending_facility = serializers.CharField()
    receiving_application = serializers.CharField()
    receiving_facility = serializers.CharField()
    node = serializers.CharField(allow_null=True, help_text="Id of the registered node.")
    url = serializers.CharField()
    content = serializers.ChoiceField(choices=WebhookContent.choices)
    has_secret = serializers.BooleanField()
    failing_since = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()
    last_sent_at = serializers.DateTimeField(allow_null=True)
    waiting = serializers.IntegerField()
    dead = serializers.IntegerField(help_text="Deliveries that were given up.")


class NewDestination(serializers.Serializer):
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(choices=DestinationKind.choices)
    active = serializers.BooleanField(required=False)
    modalities = serializers.ListField(child=serializers.CharField(max_length=16), required=False)
    location_classes = serializers.ListField(
        child=serializers.ChoiceField(choices=LocationClass.choices), required=False
    )
    host = serializers.CharField(max_length=255, required=False, allow_blank=True)
    port = serializers.IntegerField(min_value=1, max_value=65535, required=False)
    tls = serializers.BooleanField(required=False)
    ca_certificate = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    sending_application = serializers.CharField(max_length=80, required=False, allow_blank=True)
    sending_facility = serializers.CharField(max_length=80, required=False, allow_blank=True)
    receiving_application = serializers.CharField(max_length=80, required=False, allow_blank=True)
    receiving_facility = serializers.CharField(max_length=80, required=False, allow_blank=True)
    node = serializers.IntegerField(required=False)
    url = serializers.URLField(max_length=500, required=False, allow_blank=True)
    content = serializers.ChoiceField(choices=WebhookContent.choices, required=False)
    secret = serializers.CharField(max_length=200, required=False, allow_blank=True, write_only=True)


class DestinationChange(NewDestination):
    name = serializers.CharField(max_length=80, required=False)
    kind = None  # type: ignore[assignment]


class DestinationTest(serializers.Serializer):
    ok = serializers.BooleanField()
    detail = serializers.CharField()


class DestinationTrouble(serializers.Serializer):
    name = serializers.CharField()
    failing_since = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()
    waiting = serializers.IntegerField()
    dead = serializers.IntegerField()


class ReportDelivery(serializers.Serializer):
    id = serializers.CharField()
    report = serializers.CharField()
    version = serializers.IntegerField()
    action = serializers.CharField(help_text="signed, addendum, corrected")
    study_instance_uid = serializers.CharField()
    destination = serializers.CharField()
    kind = serializers.ChoiceField(choices=DestinationKind.choices)
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    blocked = serializers.BooleanField(help_text="Waits until an earlier version has arrived.")
    paused = serializers.BooleanField(help_text="Waits because the destination is off or does not answer.")
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    acknowledgement = serializers.CharField()
    control_id = serializers.CharField()
    error = serializers.CharField()
    reason = serializers.CharField(help_text="Why it was discarded.")
    decided_by = Person(allow_null=True)
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


class DeliveryPayload(serializers.Serializer):
    text = serializers.CharField()


class Discarding(serializers.Serializer):
    reason = serializers.CharField(max_length=300)


class RetryAll(serializers.Serializer):
    destination = serializers.IntegerField(required=False)


class Retried(serializers.Serializer):
    retried = serializers.IntegerField()
