"""Urgent alerts: each ends acknowledged by a named person or keeps escalating."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from triage.models import Finding, Study


class AlertState(models.TextChoices):
    """Where an alert stands; one that was not rung stands in the log for what was answered before."""

    RAISED = "raised", "Raised"
    ESCALATED = "escalated", "Escalated"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    NOT_RUNG = "not_rung", "Not rung: known"


OPEN_ALERT_STATES = (AlertState.RAISED, AlertState.ESCALATED)


class Alert(models.Model):
    """One critical finding in one study that ER must hear of; its code is unique in the study."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="alerts")
    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="alerts")
    finding_code = models.CharField(max_length=32)
    department = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=16, choices=AlertState.choices, default=AlertState.RAISED)
    rung = models.PositiveSmallIntegerField(
        default=0, help_text="0 the department, 1 all of the ER, 2 everybody who reads."
    )
    raised_at = models.DateTimeField()
    deadline_at = models.DateTimeField(help_text="When it goes to the next rung.")
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    acknowledged_name = models.CharField(max_length=120, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    read_back = models.CharField(max_length=500, blank=True)
    being_treated_at = models.DateTimeField(
        null=True, blank=True, help_text="Somebody who answered said that the patient is being treated."
    )
    being_treated_by = models.CharField(max_length=120, blank=True)
    policy_version = models.CharField(max_length=32, blank=True)
    rule = models.CharField(max_length=80, blank=True, help_text="Name of the policy's rule that it follows.")
    round = models.PositiveIntegerField(
        default=0, help_text="How often it was told; rises with every telling."
    )
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study", "finding_code"], name="alerts_one_per_study_and_finding"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="acknowledged")
                | (
                    models.Q(acknowledged_at__isnull=False)
                    & ~models.Q(acknowledged_name="")
                    & ~models.Q(read_back="")
                ),
                name="alerts_acknowledged_by_a_name",
            ),
        ]
        indexes = [models.Index(fields=["state", "deadline_at"])]

    def __str__(self) -> str:
        return f"Alert {self.pk}"


class AlertStep(models.Model):
    """The delivery log: who was told, by which way, with what result."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField(auto_now_add=True)
    rung = models.PositiveSmallIntegerField()
    who = models.CharField(max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Set where a person acted, empty where they were told.",
    )
    channel = models.CharField(max_length=32)
    outcome = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.channel} to {self.who}"


class AlertPolicyState(models.TextChoices):
    """Where a version of the alert policy stands."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"


class AlertPolicy(models.Model):
    """A version of who is told by which channel, how soon, and who next. An active one never changes."""

    version = models.CharField(max_length=32, unique=True)
    document = models.JSONField(help_text="Rules with their ladders; see worklist.alerts.policy.")
    state = models.CharField(max_length=16, choices=AlertPolicyState.choices, default=AlertPolicyState.DRAFT)
    reason = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="active"), name="alerts_one_active_policy"
            ),
        ]

    def __str__(self) -> str:
        return self.version


class DeliveryState(models.TextChoices):
    """Where one message to one person stands."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Given up"
    WITHDRAWN = "withdrawn", "Not needed any more"


class Delivery(models.Model):
    """One message of an alert by one channel to one recipient; never patient data in it."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    rung = models.PositiveSmallIntegerField()
    round = models.PositiveIntegerField()
    channel = models.CharField(max_length=16, help_text="push, email, webhook or sms.")
    recipient = models.CharField(max_length=120, help_text="Key of the recipient within its channel.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    label = models.CharField(max_length=200, help_text="Who, in words, for the log.")
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "round", "channel", "recipient"], name="alerts_one_delivery_each_round"
            ),
        ]
        indexes = [models.Index(fields=["state", "next_attempt_at"])]

    def __str__(self) -> str:
        return f"{self.channel} for alert {self.alert_id}"


class AnswerLink(models.Model):
    """A link that answers one alert once. Only its token's SHA-256 is kept; it says nothing of a patient."""

    digest = models.CharField(max_length=64, unique=True)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="links")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    label = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Link of alert {self.alert_id}"


class PushSubscription(models.Model):
    """A browser that a person allowed to ring while no page is open (RFC 8030, RFC 8291)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="push_subscriptions"
    )
    endpoint = models.URLField(max_length=800, unique=True)
    p256dh = models.CharField(max_length=200)
    auth = models.CharField(max_length=64)
    browser = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Browser of {self.user}"


class ChannelHealth(models.Model):
    """Whether a channel works, for everybody to see."""

    channel = models.CharField(max_length=16, unique=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.channel


class Communication(models.Model):
    """A radiologist told somebody a result: who, when, to whom, how, read back or not (ACR categories)."""

    class Method(models.TextChoices):
        PHONE = "phone", "By phone"
        IN_PERSON = "in_person", "In person"
        MESSAGE = "message", "By secure message"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="communications")
    alert = models.ForeignKey(
        Alert, on_delete=models.SET_NULL, null=True, blank=True, related_name="communications"
    )
    finding_code = models.CharField(max_length=32, blank=True)
    subject = models.CharField(max_length=200, help_text="What was told, in words.")
    category = models.PositiveSmallIntegerField(
        default=1, help_text="ACR: 1 within minutes, 2 within hours, 3 within days."
    )
    caller = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="communications"
    )
    told_name = models.CharField(max_length=120)
    told_role = models.CharField(max_length=120, blank=True)
    method = models.CharField(max_length=16, choices=Method.choices)
    read_back = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True)
    told_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Communication {self.pk}"


class Quiet(models.Model):
    """Alerts of one model or finding do not ring for a while: always with a reason, a person and an end."""

    model = models.ForeignKey(
        "triage.ModelVersion", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    finding_code = models.CharField(max_length=32, blank=True)
    department = models.CharField(max_length=120, blank=True)
    institution = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="alerts_quiet_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"Quiet {self.pk}"
