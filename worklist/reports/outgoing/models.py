"""Where signed reports go, and how each version fares on its way to each of these places."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class DestinationKind(models.TextChoices):
    """How a destination takes reports."""

    HL7 = "hl7", "HL7 v2 over MLLP"
    DICOM = "dicom", "DICOM C-STORE"
    WEBHOOK = "fhir-webhook", "FHIR webhook"


class WebhookContent(models.TextChoices):
    """What a webhook is told."""

    RESOURCE = "resource", "The whole DiagnosticReport"
    REFERENCE = "reference", "Its address only"


class Destination(models.Model):
    """A place that gets signed reports; which fields count depends on its kind."""

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=16, choices=DestinationKind.choices)
    active = models.BooleanField(default=True)
    since = models.DateTimeField(help_text="What is signed from then on goes there.")
    modalities = models.JSONField(default=list, blank=True, help_text="Empty: all.")
    location_classes = models.JSONField(default=list, blank=True, help_text="Empty: all, also without order.")

    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(null=True, blank=True)
    tls = models.BooleanField(default=False)
    ca_certificate = models.TextField(blank=True, help_text="PEM; empty: the system's authorities.")
    sending_application = models.CharField(max_length=80, blank=True)
    sending_facility = models.CharField(max_length=80, blank=True)
    receiving_application = models.CharField(max_length=80, blank=True)
    receiving_facility = models.CharField(max_length=80, blank=True)

    node = models.ForeignKey(
        "pacs.RemoteNode", on_delete=models.PROTECT, null=True, blank=True, related_name="report_destinations"
    )

    url = models.URLField(max_length=500, blank=True)
    content = models.CharField(
        max_length=16, choices=WebhookContent.choices, default=WebhookContent.REFERENCE
    )
    sealed_secret = models.TextField(blank=True, help_text="Encrypted; never shown again.")

    failures = models.PositiveIntegerField(default=0, help_text="In a row, by which it did not answer.")
    failing_since = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "reports"
        constraints = [
            models.CheckConstraint(
                condition=(
                    models.Q(kind="hl7", port__isnull=False) & ~models.Q(host="")
                    | models.Q(kind="dicom", node__isnull=False)
                    | models.Q(kind="fhir-webhook") & ~models.Q(url="") & ~models.Q(sealed_secret="")
                ),
                name="reports_destination_has_an_address",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DeliveryState(models.TextChoices):
    """Where one version stands on its way to one destination."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed, will be tried again"
    DEAD = "dead", "Given up"
    DISCARDED = "discarded", "Discarded"


# A later version may go once the one before is one of these.
SETTLED = (DeliveryState.SENT, DeliveryState.DISCARDED)
DUE = (DeliveryState.WAITING, DeliveryState.FAILED)


class ReportDelivery(models.Model):
    """One signed version on its way to one destination."""

    version = models.ForeignKey("reports.ReportVersion", on_delete=models.PROTECT, related_name="deliveries")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease = models.CharField(max_length=32, blank=True, help_text="Names who sends it; empty: nobody.")
    lease_until = models.DateTimeField(null=True, blank=True)
    control_id = models.CharField(max_length=40, unique=True, help_text="The same at every attempt.")
    acknowledgement = models.CharField(max_length=200, blank=True)
    error = models.CharField(max_length=300, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was discarded.")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "reports"
        constraints = [
            models.UniqueConstraint(
                fields=["version", "destination"], name="reports_one_delivery_of_a_version"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="discarded") | ~models.Q(reason=""),
                name="reports_discarded_with_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["state", "next_attempt_at"])]
        verbose_name_plural = "report deliveries"

    def __str__(self) -> str:
        return f"Delivery {self.pk}"


class ReportDispatch(models.Model):
    """It is decided where a version goes; a version without one is the work to do."""

    version = models.OneToOneField("reports.ReportVersion", on_delete=models.PROTECT, related_name="dispatch")
    at = models.DateTimeField()

    class Meta:
        app_label = "reports"
        verbose_name_plural = "report dispatches"

    def __str__(self) -> str:
        return f"Dispatch {self.pk}"
