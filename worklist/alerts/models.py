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
