"""Signed reports into the archive as DICOM SR, after the signature and never in its way.

A version without a document is the work to do; whoever takes it leaves the time, so that two workers do
not make it at once and a failure is not tried again in a hurry.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone
from pydicom.dataset import Dataset

from pacs import storage
from pacs.models import Instance, Study
from pacs.services import Outcome, store_derived
from worklist.reports import sr
from worklist.reports.models import Report, ReportEntry, ReportVersion

log = structlog.get_logger(__name__)

SOURCE = "reports"
PAUSE = timedelta(seconds=60)
SWEEP_BATCH = 50


class NotStored(Exception):
    """The archive did not take a document; the sweep tries again."""


def store_missing_report_documents(limit: int = SWEEP_BATCH) -> int:
    """Make and store the documents that are missing, oldest first; returns how many were stored.

    One that fails is logged and left for the next sweep, and does not keep the others.
    """
    due = Q(sr_attempted_at__isnull=True) | Q(sr_attempted_at__lte=timezone.now() - PAUSE)
    missing = ReportVersion.objects.filter(due, sr_sop_instance_uid="").order_by("pk")
    stored = 0
    for version_id in list(missing.values_list("pk", flat=True)[:limit]):
        try:
            stored += store_document(version_id)
        except (NotStored, OSError, DatabaseError) as error:
            log.warning("report_document_not_stored", version=version_id, error=type(error).__name__)
    return stored


def store_documents_of(report_id: int) -> int:
    """Make and store what is missing of one report, oldest first; returns how many.

    Raises:
        NotStored: the archive did not take it.
    """
    missing = ReportVersion.objects.filter(report_id=report_id, sr_sop_instance_uid="").order_by("version")
    return sum(store_document(version_id) for version_id in list(missing.values_list("pk", flat=True)))


def store_document(version_id: int) -> bool:
    """Make and store the document of one signed version; False when it is there or another makes it.

    Raises:
        NotStored: the archive did not take it.
    """
    now = timezone.now()
    free = Q(sr_attempted_at__isnull=True) | Q(sr_attempted_at__lte=now - PAUSE)
    taken = ReportVersion.objects.filter(free, pk=version_id, sr_sop_instance_uid="")
    if not taken.update(sr_attempted_at=now):
        return False
    version = ReportVersion.objects.select_related("report__study__patient", "by").get(pk=version_id)
    uid = sr.document_uid(seed_of(version.report), version.version)
    # A death between the archive's commit and ours leaves it stored: its images may have grown since.
    if not Instance.objects.filter(sop_instance_uid=uid).exists():
        (result,) = store_derived([document_of(version)], source_label=SOURCE)
        if result.outcome not in (Outcome.STORED, Outcome.DUPLICATE):
            raise NotStored(f"Report version {version_id}: {result.outcome}, {result.detail}")
    with transaction.atomic():
        ReportVersion.objects.filter(pk=version_id).update(sr_sop_instance_uid=str(uid))
        Report.objects.filter(pk=version.report_id, signed_version=version.version).update(
            sr_sop_instance_uid=str(uid)
        )
    return True


def document_of(version: ReportVersion) -> Dataset:
    """The document of one signed version."""
    report, study = version.report, version.report.study
    header = header_of(study)
    earlier = list(report.versions.filter(version__lt=version.version).order_by("-version"))
    seed = seed_of(report)
    text = sr.SignedText(
        sections=[(s["key"], s["title"], s["text"]) for s in version.sections],
        version=version.version,
        number=len(earlier) + 1,
        signed_at=version.at,
        signer=version.by.display_name or version.by.username,
        organization=study.institution_name or settings.SITE_NAME,
        seed=seed,
        preliminary=version.action == ReportEntry.Action.PRELIMINARY,
    )
    predecessors = [
        sr.Reference(
            study.study_instance_uid,
            sr.series_uid(seed),
            sr.document_uid(seed, one.version),
            sr.EnhancedSRStorage,
        )
        for one in earlier
    ]
    return sr.build(header, text, evidence=_evidence(study.pk), predecessors=predecessors)


def header_of(study: Study) -> sr.StudyHeader:
    """Patient and study as their documents name them."""
    attributes = Dataset.from_json(study.attributes) if study.attributes else Dataset()
    patient = study.patient
    return sr.StudyHeader(
        study_instance_uid=study.study_instance_uid,
        patient_id=patient.patient_id,
        patient_name=patient.patient_name,
        patient_birth_date=patient.patient_birth_date,
        patient_sex=patient.patient_sex,
        study_date=study.study_date,
        study_time=study.study_time,
        study_id=study.study_id,
        accession_number=study.accession_number,
        attributes=attributes,
    )


def stored_document(version_id: int) -> Path:
    """File of a version's SR in the archive; raises NotStored when it is not there yet."""
    return path_of(ReportVersion.objects.values_list("sr_sop_instance_uid", flat=True).get(pk=version_id))


def path_of(sop_instance_uid: str) -> Path:
    """File of a document in the archive; raises NotStored when it is not there."""
    instance = Instance.objects.filter(sop_instance_uid=sop_instance_uid).first()
    if instance is None:
        raise NotStored("This document is not in the archive.")
    return storage.path_of(instance)


def seed_of(report: Report) -> str:
    """Names one report of one site for ever, for the UIDs of its documents."""
    return f"{report.study.study_instance_uid}/{report.pk}/{report.created_at.isoformat()}"


def _evidence(study_id: int) -> list[sr.Reference]:
    images = (
        Instance.objects.filter(series__study_id=study_id, series__derived=False)
        .order_by("series_id", "instance_number", "pk")
        .values_list(
            "series__study__study_instance_uid",
            "series__series_instance_uid",
            "sop_instance_uid",
            "sop_class_uid",
        )
    )
    return [sr.Reference(*row) for row in images]
