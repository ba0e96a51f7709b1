"""The reading worklist: one item a study."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pacs.models import LocationClass, OrderPriority, Study


class ItemState(models.TextChoices):
    """Where the reading stands."""

    OPEN = "open", "Open"
    CLAIMED = "claimed", "Claimed"
    SIGNED = "signed", "Signed"


UNREAD_STATES = (ItemState.OPEN, ItemState.CLAIMED)


class AiStatus(models.TextChoices):
    """What AI has to say about a study, honestly."""

    NOT_APPLICABLE = "not_applicable", "No model for this study"
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    NOT_ANALYSED = "not_analysed", "Not analysed"


class WorklistItem(models.Model):
    """A study waiting to be read, with its deadline and the reasons for it."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="worklist_item")
    state = models.CharField(max_length=16, choices=ItemState.choices, default=ItemState.OPEN)
    priority_class = models.CharField(
        max_length=16, choices=OrderPriority.choices, default=OrderPriority.ROUTINE
    )
    location_class = models.CharField(
        max_length=16, choices=LocationClass.choices, default=LocationClass.OUTPATIENT
    )
    arrived_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="The list is ordered by this; see worklist/queue/priority.py.")
    due_without_ai_at = models.DateTimeField(
        help_text="Where order and waiting time alone put it; due_at is never later."
    )
    reasons = models.JSONField(default=list)
    ai_status = models.CharField(max_length=16, choices=AiStatus.choices, default=AiStatus.WAITING)
    ai_reason = models.CharField(max_length=500, blank=True)
    ai_flagged = models.BooleanField(default=False)
    policy_version = models.CharField(max_length=32, blank=True)
    ranked_at = models.DateTimeField(
        null=True, blank=True, help_text="News of order, images and AI up to here is in the rank."
    )
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="claims"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    claim_expires_at = models.DateTimeField(null=True, blank=True)
    first_opened_at = models.DateTimeField(null=True, blank=True)
    first_opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    signed_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(fields=["state", "due_at", "arrived_at"]),
            models.Index(fields=["claimed_by", "state"]),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(due_at__lte=models.F("due_without_ai_at")), name="queue_ai_only_promotes"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="claimed")
                | models.Q(claimed_by__isnull=False, claim_expires_at__isnull=False),
                name="queue_claimed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Item {self.pk}"


class RankChange(models.Model):
    """Why and when a study's place changed."""

    item = models.ForeignKey(WorklistItem, on_delete=models.CASCADE, related_name="history")
    at = models.DateTimeField(auto_now_add=True)
    cause = models.CharField(max_length=64)
    policy_version = models.CharField(max_length=32, blank=True)
    due_at = models.DateTimeField()
    reasons = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.cause} at {self.at:%H:%M:%S}"
