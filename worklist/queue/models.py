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
UNREAD = ~models.Q(state=ItemState.SIGNED)
"""The same, in the words of the index that keeps them in order."""


class AiStatus(models.TextChoices):
    """What AI has to say about a study, honestly."""

    NOT_APPLICABLE = "not_applicable", "No model for this study"
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    NOT_ANALYSED = "not_analysed", "Not analysed"


class HoldReason(models.TextChoices):
    """What a held study waits for."""

    PRIORS = "priors", "Waiting for priors"
    CONTRAST = "contrast", "Waiting for the contrast phase"
    IMAGES = "images", "Waiting for missing images"
    INFORMATION = "information", "Waiting for clinical information"


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
    groups = models.ManyToManyField(
        "rota.ReadingGroup",
        blank=True,
        related_name="items",
        help_text="Groups whose rule the study matches.",
    )
    shared_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when others see it, because its groups were not on duty."
    )
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="assignments"
    )
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    assigned_at = models.DateTimeField(null=True, blank=True)
    held_reason = models.CharField(max_length=24, choices=HoldReason.choices, blank=True)
    held_note = models.CharField(max_length=200, blank=True)
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    held_at = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(
        null=True, blank=True, help_text="Never after the deadline: then it is offered again."
    )
    raised_to = models.CharField(
        max_length=16,
        choices=OrderPriority.choices,
        blank=True,
        help_text="Priority that a reader gave, above the order's; empty when nobody did.",
    )
    raised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    raised_at = models.DateTimeField(null=True, blank=True)
    raised_reason = models.CharField(max_length=200, blank=True)
    search_text = models.TextField(blank=True, help_text="What the search looks through, lower case.")
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(fields=["state", "due_at", "arrived_at"]),
            models.Index(fields=["assigned_to", "state"]),
            models.Index(fields=["claimed_by", "state"]),
            models.Index(fields=["signed_at"]),
            models.Index(fields=["held_until"], condition=~models.Q(held_reason=""), name="queue_held_until"),
            # Order, count, usual filters and search of what is unread are answered from this index alone.
            # Its condition is a comparison, not an IN: SQLite proves only that from bound parameters.
            models.Index(
                fields=[
                    "due_at",
                    "arrived_at",
                    "id",
                    "state",
                    "priority_class",
                    "location_class",
                    "ai_flagged",
                    "ai_status",
                    "search_text",
                ],
                condition=~models.Q(state="signed"),
                name="queue_unread_in_order",
            ),
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


class ItemEvent(models.Model):
    """What people did with an item, in order; some of it can be undone."""

    class Kind(models.TextChoices):
        CLAIMED = "claimed", "Claimed"
        RELEASED = "released", "Released"
        EXPIRED = "expired", "Claim expired"
        TAKEN_OVER = "taken_over", "Taken over"
        ASSIGNED = "assigned", "Assigned"
        DECLINED = "declined", "Declined"
        HELD = "held", "Held"
        UNHELD = "unheld", "Hold ended"
        RAISED = "raised", "Priority raised"
        FLAGGED = "flagged", "Flag set"
        UNFLAGGED = "unflagged", "Flag removed"
        HANDED_OVER = "handed_over", "Handed over"
        SHARED = "shared", "Opened to others"
        UNDONE = "undone", "Undone"

    item = models.ForeignKey(WorklistItem, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict, help_text="Values that an undo puts back.")
    after = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["item", "at"])]

    def __str__(self) -> str:
        return f"{self.kind}, item {self.item_id}"


class ItemFlag(models.Model):
    """A mark on a study that is about teaching or peer review, never about urgency."""

    class Kind(models.TextChoices):
        TEACHING = "teaching", "Teaching case"
        PEER_REVIEW = "peer_review", "Peer review"

    item = models.ForeignKey(WorklistItem, on_delete=models.CASCADE, related_name="flags")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "kind"], name="queue_one_flag_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.kind}, item {self.item_id}"


class PolicyState(models.TextChoices):
    """Where a version of a policy stands."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"


class PriorityPolicy(models.Model):
    """A version of the minutes that make deadlines. An active or retired one never changes."""

    version = models.CharField(max_length=32, unique=True)
    document = models.JSONField(help_text="See worklist.queue.priority.Policy.")
    state = models.CharField(max_length=16, choices=PolicyState.choices, default=PolicyState.DRAFT)
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
                fields=["state"], condition=models.Q(state="active"), name="queue_one_active_policy"
            ),
        ]

    def __str__(self) -> str:
        return self.version


class SavedList(models.Model):
    """A reader's own list: filters, columns and density under a name; shared ones are seen by others."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_lists")
    name = models.CharField(max_length=80)
    filters = models.JSONField(default=dict, help_text="The worklist's query, by name.")
    columns = models.JSONField(default=list, help_text="Columns in order; empty means the usual ones.")
    density = models.CharField(max_length=16, default="comfortable")
    shared = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="queue_one_list_per_name")]

    def __str__(self) -> str:
        return self.name


class Overtaking(models.Model):
    """The pushed-back ledger: a promotion put `promoted` before `passed`, which had stood before it.

    `minutes` is what that cost `passed`: the time the promoted study was then read while `passed` waited;
    null until one of the two is signed.
    """

    passed = models.ForeignKey(WorklistItem, on_delete=models.CASCADE, related_name="passed_by")
    promoted = models.ForeignKey(WorklistItem, on_delete=models.CASCADE, related_name="overtook")
    at = models.DateTimeField()
    cause = models.CharField(max_length=64)
    passed_class = models.CharField(max_length=16, choices=OrderPriority.choices)
    minutes = models.FloatField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["passed", "promoted"], name="queue_passed_once_by_each"),
        ]
        indexes = [
            models.Index(fields=["at", "passed_class"]),
            models.Index(fields=["settled_at", "promoted"]),
        ]

    def __str__(self) -> str:
        return f"Item {self.promoted_id} passed item {self.passed_id}"


class Handover(models.Model):
    """What one reader leaves to the next at the end of a shift, with a note; taken over by a person."""

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="handovers")
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    group = models.ForeignKey(
        "rota.ReadingGroup", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    note = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    taken_at = models.DateTimeField(null=True, blank=True)
    items = models.ManyToManyField(WorklistItem, blank=True, related_name="handovers")

    def __str__(self) -> str:
        return f"Handover {self.pk}"
