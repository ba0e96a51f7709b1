"""Versions of report templates: written once, then only moved between states."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class TemplateState(models.TextChoices):
    """New reports take the active version of a template."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"


class TemplateSource(models.TextChoices):
    """Where a version comes from."""

    SHIPPED = "shipped", "Shipped with Firstread"
    SITE = "site", "Written here"
    MRRT = "mrrt", "Imported (RSNA MRRT)"


class ReportTemplate(models.Model):
    """One version of one template; its content never changes, a change is a further version."""

    key = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=16, choices=TemplateState.choices, default=TemplateState.DRAFT)
    source = models.CharField(max_length=16, choices=TemplateSource.choices, default=TemplateSource.SITE)
    content = models.JSONField(help_text="See worklist/reports/templates/content.py.")
    modalities = models.JSONField(default=list, help_text='["CT"]; empty fits every modality.')
    body_parts = models.JSONField(default=list, help_text='["HEAD"] of Body Part Examined; empty fits all.')
    words = models.JSONField(
        default=list, help_text="One of them stands in the description; empty asks for none."
    )
    note = models.CharField(max_length=300, blank=True, help_text="What changed in this version, and why.")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)
    moved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    moved_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Of the last move.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "version"], name="reports_template_version_once"),
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(state="active"), name="reports_one_active_template"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"
