"""The log of what changed, so that a browser that was away can ask for what it missed."""

from django.conf import settings
from django.db import models


class Change(models.Model):
    """One committed change; the id is the sequence that clients follow. No PHI."""

    topic = models.CharField(max_length=16)
    key = models.CharField(max_length=64)
    version = models.PositiveBigIntegerField(default=0)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.pk}: {self.topic} {self.key}"


class Heartbeat(models.Model):
    """When a background process last showed itself."""

    component = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.component} {self.at:%H:%M:%S}"


class Presence(models.Model):
    """One open connection of one person: whom the page channel of an alert reaches now."""

    connection = models.CharField(max_length=36, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"Connection {self.pk}"
