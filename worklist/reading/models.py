"""When a reader sees what AI says, and when each of them did."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from pacs.models import Study


class Mode(models.TextChoices):
    """What a reader sees of AI while a study is unsigned."""

    VISIBLE = "visible", "AI visible"
    AFTER_FIRST_LOOK = "after_first_look", "AI after first look"
    HIDDEN = "hidden", "AI hidden"


class ReadingMode(models.Model):
    """The mode of one reader; without a reader, the site's, which holds for everybody else."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="reading_mode"
    )
    mode = models.CharField(max_length=24, choices=Mode.choices)
    reason = models.CharField(max_length=300)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            # NULLs are distinct to a unique column: this one makes the site's row the only one.
            models.UniqueConstraint(Coalesce(F("user"), 0), name="reading_one_mode_of_a_reader"),
        ]

    def __str__(self) -> str:
        return f"{self.user or 'Site'}: {self.get_mode_display()}"


class Look(models.Model):
    """One reader's looks at one study: opened, first impression, AI shown. Times are never moved."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="looks")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="looks")
    mode = models.CharField(
        max_length=24, choices=Mode.choices, help_text="The reader's mode when the study was opened."
    )
    opened_at = models.DateTimeField()
    impression = models.TextField(blank=True, help_text="Committed before AI was shown.")
    first_look_at = models.DateTimeField(null=True, blank=True)
    ai_shown_at = models.DateTimeField(
        null=True, blank=True, help_text="When this reader first saw what AI says, study open."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "user"], name="reading_one_look_of_a_reader"),
            models.CheckConstraint(
                condition=Q(first_look_at__isnull=True) | ~Q(impression=""), name="reading_first_look_says"
            ),
        ]

    def __str__(self) -> str:
        return f"Look {self.pk}"


class KeptMeasurement(models.Model):
    """What a reader measured, as it stands in the archive (SR, TID 1500); never changed."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="measurements")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16)
    digest = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 over who drew what where: kept once."
    )
    series_instance_uid = models.CharField(max_length=64)
    sop_instance_uid = models.CharField(max_length=64)
    frame = models.PositiveIntegerField(default=1)
    text = models.CharField(max_length=200, help_text="What it measures, in words.")
    place = models.CharField(max_length=80, blank=True, help_text="series 2, image 14")
    sr_sop_instance_uid = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["study", "at"])]

    def __str__(self) -> str:
        return f"Measurement {self.pk}"


class KeyImage(models.Model):
    """An image that a reader marked for the report, as it stands in the archive (KOS)."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="key_images")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    series_instance_uid = models.CharField(max_length=64)
    sop_instance_uid = models.CharField(max_length=64)
    frame = models.PositiveIntegerField(default=1)
    description = models.CharField(max_length=200, blank=True)
    place = models.CharField(max_length=80, blank=True)
    ko_sop_instance_uid = models.CharField(max_length=64)
    at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True, help_text="Not in the report any more.")
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study", "sop_instance_uid", "frame"],
                condition=Q(removed_at__isnull=True),
                name="reading_marked_once",
            ),
        ]

    def __str__(self) -> str:
        return f"Key image {self.pk}"
