"""Structured reports: drafts by AI, text by people, signatures by radiologists."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pacs.models import Study
from triage.models import Finding, TriageRun
from worklist.reports.outgoing.models import Destination, ReportDelivery, ReportDispatch
from worklist.reports.templates.models import ReportTemplate

__all__ = [
    "FINAL_REPORT_STATES",
    "SIGNED_REPORT_STATES",
    "WRITABLE_REPORT_STATES",
    "Destination",
    "FindingDecision",
    "Report",
    "ReportDelivery",
    "ReportDispatch",
    "ReportEntry",
    "ReportState",
    "ReportTemplate",
    "ReportVersion",
]


class ReportState(models.TextChoices):
    """States after standards: only people move a report past draft."""

    DRAFT = "draft", "Draft"
    PRELIMINARY = "preliminary", "Preliminary"
    FINAL = "final", "Final"
    ADDENDUM = "addendum", "Final with addendum"
    CORRECTED = "corrected", "Corrected"
    AMENDED = "amended", "Amended"


WRITABLE_REPORT_STATES = (ReportState.DRAFT, ReportState.PRELIMINARY)
"""Text may still be worked on; what is signed of it stays in its version."""
FINAL_REPORT_STATES = (
    ReportState.FINAL,
    ReportState.ADDENDUM,
    ReportState.CORRECTED,
    ReportState.AMENDED,
)
SIGNED_REPORT_STATES = (ReportState.PRELIMINARY, *FINAL_REPORT_STATES)


class Report(models.Model):
    """The report of one study. `version` is the lock that keeps two editors from overwriting each other."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="report")
    state = models.CharField(max_length=16, choices=ReportState.choices, default=ReportState.DRAFT)
    version = models.PositiveIntegerField(default=1)
    sections = models.JSONField(
        default=list, help_text="[{key, title, text, suggestions: [{id, text, finding_id, state}]}]"
    )
    conclusions = models.JSONField(
        default=list, help_text="[{code, scheme, meaning, value: present|absent|indeterminate|, required}]"
    )
    template = models.ForeignKey(
        ReportTemplate, on_delete=models.PROTECT, null=True, blank=True, related_name="reports"
    )
    fields = models.JSONField(
        default=list,
        help_text="[{key, value, inserted, finding_id}], see worklist/reports/templates/fields.py.",
    )
    edited_version = models.PositiveIntegerField(
        default=1,
        help_text="Version at which a person last changed it; what came since are AI suggestions only.",
    )
    results_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="AI results that finished up to here are in the suggestions."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_version = models.PositiveIntegerField(
        default=0, help_text="Version of the latest signature; 0 while there is none."
    )
    signed_sections = models.JSONField(
        default=list,
        help_text="[{key, title, text}] of the latest signature. `sections` runs ahead of it while preliminary.",
    )
    sr_sop_instance_uid = models.CharField(
        max_length=64, blank=True, help_text="Of the latest signed version, once it is in the archive."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="draft")
                | models.Q(signed_by__isnull=False, signed_at__isnull=False),
                name="reports_human_signs",
            ),
        ]

    def __str__(self) -> str:
        return f"Report {self.pk}"


class ReportVersion(models.Model):
    """A signed text, kept for ever as it was signed, and the DICOM SR made of it."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    action = models.CharField(
        max_length=32, help_text="preliminary, signed, cosigned, addendum, corrected, amended"
    )
    sections = models.JSONField()
    overrides = models.JSONField(
        default=list, help_text="[{code, text, reason}] of checks that the signer overrode."
    )
    conclusions = models.JSONField(default=list)
    template = models.ForeignKey(
        ReportTemplate, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    fields = models.JSONField(default=list, help_text="[{key, label, value, shown, unit, cde}] as signed.")
    decisions = models.JSONField(default=dict, help_text="{finding id: decision} as signed.")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sr_sop_instance_uid = models.CharField(
        max_length=64, blank=True, help_text="Empty until the SR is in the archive; the sweep makes it."
    )
    sr_attempted_at = models.DateTimeField(
        null=True, blank=True, help_text="Lease of whoever makes the SR, and pause after a failure."
    )
    pdf_sop_instance_uid = models.CharField(
        max_length=64, blank=True, help_text="Empty until the PDF is in the archive; the sweep makes it."
    )
    pdf_attempted_at = models.DateTimeField(null=True, blank=True, help_text="The same of the PDF.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "version"], name="reports_version_once")]
        indexes = [
            models.Index(fields=["sr_sop_instance_uid", "sr_attempted_at"]),
            models.Index(fields=["pdf_sop_instance_uid", "pdf_attempted_at"]),
        ]

    def __str__(self) -> str:
        return f"Report {self.report_id} version {self.version}"


class ReportEntry(models.Model):
    """The history of a report: what happened to it, when, by whom."""

    class Action(models.TextChoices):
        DRAFTED = "drafted", "Drafted"
        PRELIMINARY = "preliminary", "Preliminary signed"
        SIGNED = "signed", "Signed"
        COSIGNED = "cosigned", "Co-signed"
        ADDENDUM = "addendum", "Addendum"
        CORRECTED = "corrected", "Corrected"
        AMENDED = "amended", "Amended"
        LATE_RESULT = "ai_result_after_signing", "AI result after signing"

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="entries")
    version = models.PositiveIntegerField()
    action = models.CharField(max_length=32, choices=Action.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    run = models.ForeignKey(
        TriageRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Late result."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["report", "run"], name="reports_late_result_told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} at {self.at:%Y-%m-%d %H:%M}"


class FindingDecision(models.Model):
    """What the reader says of one AI finding."""

    class Decision(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        UNCERTAIN = "uncertain", "Uncertain"

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="decisions")
    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="decisions")
    decision = models.CharField(max_length=16, choices=Decision.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["report", "finding"], name="reports_one_decision_per_finding")
        ]

    def __str__(self) -> str:
        return self.get_decision_display()
