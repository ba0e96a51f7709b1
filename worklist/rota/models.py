"""Who reads what and who is on duty when: groups, their members, shifts."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class ReadingGroup(models.Model):
    """Readers who share a part of the work, and the rule by which studies belong to it.

    A study belongs when it matches every list that is not empty; an empty list asks nothing.
    """

    name = models.CharField(max_length=80, unique=True)
    description = models.CharField(max_length=200, blank=True)
    modalities = models.JSONField(default=list, blank=True, help_text='For example ["CT", "MR"].')
    body_parts = models.JSONField(default=list, blank=True, help_text="Body Part Examined, upper case.")
    institutions = models.JSONField(default=list, blank=True, help_text="Institution Name, as sent.")
    location_classes = models.JSONField(default=list, blank=True, help_text="er, icu, inpatient, outpatient.")
    share_before_minutes = models.PositiveIntegerField(
        default=60,
        help_text="While nobody of the group is on duty, others see its studies so long before they are due.",
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A reader of a group: only members are offered its studies while it is covered."""

    group = models.ForeignKey(ReadingGroup, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="group_memberships"
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="rota_one_membership")]

    def __str__(self) -> str:
        return f"{self.user} in {self.group}"


class Duty(models.TextChoices):
    """What a shift is for."""

    READING = "reading", "Reading"
    ON_CALL = "on_call", "On call"


class Shift(models.Model):
    """Somebody is on duty from `starts_at` until `ends_at`, end excluded."""

    duty = models.CharField(max_length=16, choices=Duty.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shifts")
    group = models.ForeignKey(
        ReadingGroup, on_delete=models.CASCADE, null=True, blank=True, related_name="shifts"
    )
    department = models.CharField(
        max_length=120, blank=True, help_text="Whose patients an on-call shift answers for; empty means all."
    )
    position = models.PositiveSmallIntegerField(default=1, help_text="1 is called first, 2 next.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)
    ical_uid = models.CharField(
        max_length=255,
        blank=True,
        help_text="UID and recurrence of the imported event; empty when made here.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        indexes = [models.Index(fields=["duty", "starts_at", "ends_at"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="rota_shift_ends_after_start"
            ),
            models.UniqueConstraint(
                fields=["ical_uid"],
                condition=~models.Q(ical_uid="") & models.Q(cancelled_at__isnull=True),
                name="rota_one_shift_per_event",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_duty_display()} shift {self.pk}"
