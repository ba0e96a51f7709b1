"""Every AI result against what was signed."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pacs.models import Study
from triage.models import TriageRun


class ReviewState(models.TextChoices):
    """Where the audit of one AI result stands."""

    PENDING = "pending", "Pending"
    AGREED = "agreed", "Agreed"
    DISAGREED = "disagreed", "Disagreed"
    ADJUDICATED = "adjudicated", "Adjudicated"


class Review(models.Model):
    """One AI result of a signed study, compared with the signed report."""

    class Concordance(models.TextChoices):
        CONCORDANT = "concordant", "Concordant"
        DISCORDANT = "discordant", "Discordant"
        NOT_COMPARABLE = "not_comparable", "Not comparable"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="reviews")
    run = models.ForeignKey(TriageRun, on_delete=models.PROTECT, related_name="reviews")
    report_id = models.PositiveBigIntegerField(
        help_text="The reports room's id; the rooms do not know each other."
    )
    report_version = models.PositiveIntegerField()
    ai_result = models.CharField(max_length=16, help_text="positive, negative, not_analysed or failed")
    ai_probability = models.FloatField(null=True, blank=True)
    reader_result = models.CharField(max_length=16, help_text="positive, negative, uncertain or not_stated")
    concordance = models.CharField(max_length=16, choices=Concordance.choices)
    sampled = models.CharField(max_length=16, help_text="discordant, random, or empty when not in the queue")
    impression = models.TextField(blank=True)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    signed_by_name = models.CharField(max_length=120, blank=True)
    signed_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=ReviewState.choices, default=ReviewState.PENDING)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(
        max_length=16, blank=True, help_text="positive, negative or indeterminate: what QA holds true"
    )
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(
        null=True, blank=True, help_text="A later version of the report or a newer run answers instead."
    )
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "report_id", "report_version"], name="quality_one_review_per_result"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "concordance"]),
            models.Index(fields=["superseded_at", "sampled", "-signed_at"]),
        ]

    def __str__(self) -> str:
        return f"Review {self.pk}"
