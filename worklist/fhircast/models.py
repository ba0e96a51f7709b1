"""A reader's desk: what is open on it, which applications stand on it, and what was said lately."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Desk(models.Model):
    """What FHIRcast calls a session: everything that one reader has open. It ends with the sign-out."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="desk")
    topic = models.UUIDField(unique=True, default=uuid.uuid4)
    opened = models.JSONField(null=True, blank=True, help_text="The last open event that no close followed.")
    opened_by = models.CharField(max_length=100, blank=True)
    study = models.ForeignKey(
        "pacs.Study",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The study of this archive that the open event means.",
    )
    version_id = models.UUIDField(default=uuid.uuid4, help_text="Of what is open and its content.")
    content = models.JSONField(default=list, blank=True, help_text="FHIR resources shared about it.")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Desk {self.pk}"


class Subscription(models.Model):
    """An application on a desk. Its address is a secret; only the digest of it is kept."""

    desk = models.ForeignKey(Desk, on_delete=models.CASCADE, related_name="subscriptions")
    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100, blank=True)
    events = models.JSONField(default=list)
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    connected_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Subscription {self.pk}"


class Said(models.Model):
    """An event on its way to the subscribers; kept for minutes, because the broker carries no patient data."""

    desk = models.ForeignKey(Desk, on_delete=models.CASCADE, related_name="said")
    message = models.JSONField()
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"Event {self.pk}"
