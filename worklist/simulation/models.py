"""Simulations that were asked for, and their results."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SimulationState(models.TextChoices):
    """Where a simulation stands."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Simulation(models.Model):
    """One department played through under several policies. Parameters and results hold no patient data."""

    name = models.CharField(max_length=120, blank=True)
    parameters = models.JSONField()
    state = models.CharField(max_length=16, choices=SimulationState.choices, default=SimulationState.WAITING)
    progress = models.FloatField(default=0, help_text="0 to 1.")
    result = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name or f"Simulation {self.pk}"
