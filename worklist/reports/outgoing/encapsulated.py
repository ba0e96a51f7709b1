"""The PDF of each signed version in the archive, as Encapsulated PDF (PS3.3 A.45) beside its SR.

Made once: from then on whoever asks gets the bytes that are stored, so that a printed report and a sent
one are the same, also after a patient's name was put right.
"""

from __future__ import annotations

import io
from datetime import UTC, timedelta
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
)

from foundation.problems import Problem
from pacs import storage
from pacs.dicomweb.rendering import JPEG, render
from pacs.dicomweb.windowing import Window
from pacs.models import Instance
from pacs.services import Outcome, store_derived
from triage.models import Finding
from worklist.reports import documents, sr
from worklist.reports.models import FindingDecision, ReportVersion
from worklist.reports.outgoing import pdf
from worklist.reports.outgoing.sheet import ReportSheet, sheet_of

log = structlog.get_logger(__name__)

SERIES_NUMBER: Final = 9005
MOST_IMAGES: Final = 6
PAUSE: Final = timedelta(seconds=60)
SWEEP_BATCH: Final = 50
_BRAIN: Final = Window(40, 80)


def pdf_of(version: ReportVersion) -> bytes:
    """The PDF of a version: as stored, or made now while it is not."""
    if version.pdf_sop_instance_uid:
        instance = Instance.objects.filter(sop_instance_uid=version.pdf_sop_instance_uid).first()
        if instance is not None:
            return _pdf_in(dcmread(storage.path_of(instance)))
    return _rendered(version, sheet_of(version))


def store_missing(limit: int = SWEEP_BATCH) -> int:
    """Make and store the PDFs that are missing, oldest first; returns how many were stored."""
    due = Q(pdf_attempted_at__isnull=True) | Q(pdf_attempted_at__lte=timezone.now() - PAUSE)
    missing = ReportVersion.objects.filter(due, pdf_sop_instance_uid="").order_by("pk")
    stored = 0
    for version_id in list(missing.values_list("pk", flat=True)[:limit]):
        try:
            stored += store(version_id)
        except (documents.NotStored, OSError, DatabaseError) as error:
            log.warning("report_pdf_not_stored", version=version_id, error=type(error).__name__)
    return stored


def store_of_report(report_id: int) -> int:
    """Make and store the PDFs that are missing of one report; raises documents.NotStored."""
    missing = ReportVersion.objects.filter(report_id=report_id, pdf_sop_instance_uid="").order_by("version")
    return sum(store(version_id) for version_id in list(missing.values_list("pk", flat=True)))


def store(version_id: int) -> bool:
    """Make and store the PDF of one version; False when it is there or another makes it.

    Raises:
        documents.NotStored: the archive did not take it.
    """
    now = timezone.now()
    free = Q(pdf_attempted_at__isnull=True) | Q(pdf_attempted_at__lte=now - PAUSE)
    if not ReportVersion.objects.filter(free, pk=version_id, pdf_sop_instance_uid="").update(
        pdf_attempted_at=now
    ):
        return False
    version = (
        ReportVersion.objects.select_related("report__study__patient", "report__study__order", "by")
    ).get(pk=version_id)
    uid = _uid(version)
    # A death between the archive's commit and ours leaves it stored: names may have been put right since.
    if not Instance.objects.filter(sop_instance_uid=uid).exists():
        (result,) = store_derived([dataset_of(version)], source_label=documents.SOURCE)
        if result.outcome not in (Outcome.STORED, Outcome.DUPLICATE):
            raise documents.NotStored(f"Report version {version_id}: {result.outcome}, {result.detail}")
    ReportVersion.objects.filter(pk=version_id).update(pdf_sop_instance_uid=str(uid))
    return True


def stored_document(version_id: int) -> Path:
    """File of a version's PDF in the archive; raises documents.NotStored when it is not there yet."""
    uid = ReportVersion.objects.values_list("pdf_sop_instance_uid", flat=True).get(pk=version_id)
    return documents.path_of(uid)


def dataset_of(version: ReportVersion) -> Dataset:
    """The Encapsulated PDF of one version."""
    sheet = sheet_of(version)
    content = _rendered(version, sheet)
    header = documents.header_of(version.report.study)
    seed = documents.seed_of(version.report)
    signed = version.at.astimezone(UTC)
    ds = Dataset()
    ds.file_meta = _file_meta(_uid(version))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = EncapsulatedPDFStorage
    ds.SOPInstanceUID = _uid(version)
    ds.InstanceCreationDate = ds.ContentDate = signed.strftime("%Y%m%d")
    ds.InstanceCreationTime = ds.ContentTime = signed.strftime("%H%M%S.%f")
    ds.AcquisitionDateTime = ""
    ds.TimezoneOffsetFromUTC = "+0000"
    sr.patient_and_study(ds, header)
    ds.Modality = "DOC"
    ds.SeriesInstanceUID = sr.uid_of(seed, "pdf series")
    ds.SeriesNumber = SERIES_NUMBER
    ds.SeriesDescription = "Radiology report (PDF)"
    ds.Manufacturer = ds.ManufacturerModelName = "Firstread"
    ds.ConversionType = "WSD"
    ds.InstanceNumber = sheet.last.number
    ds.BurnedInAnnotation = "YES"
    ds.RecognizableVisualFeatures = "NO"
    ds.DocumentTitle = sheet.status.words
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = sr.TITLE
    ds.ConceptNameCodeSequence = DicomSequence([title])
    ds.VerificationFlag = "VERIFIED"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(content)
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return ds


def _uid(version: ReportVersion) -> UID:
    return sr.uid_of(documents.seed_of(version.report), "pdf", version.version)


def _pdf_in(ds: Dataset) -> bytes:
    content: bytes = ds.EncapsulatedDocument
    return content[: ds.get("EncapsulatedDocumentLength", len(content))]


def _rendered(version: ReportVersion, sheet: ReportSheet) -> bytes:
    return pdf.render(
        sheet,
        _key_images(version),
        zone=settings.SITE_TIME_ZONE,
        product=f"Made by {settings.SITE_NAME} with Firstread {settings.VERSION}",
    )


def _key_images(version: ReportVersion) -> list[pdf.KeyImage]:
    """The slices that show best what the reader accepted or left open, without annotations."""
    kept = [
        int(finding)
        for finding, decision in version.decisions.items()
        if decision in (FindingDecision.Decision.ACCEPTED, FindingDecision.Decision.UNCERTAIN)
    ]
    findings = Finding.objects.filter(pk__in=kept).exclude(key_sop_instance_uid="").order_by("pk")
    captions: dict[str, list[str]] = {}
    for finding in findings:
        captions.setdefault(finding.key_sop_instance_uid, []).append(finding.meaning)
    instances = Instance.objects.select_related("series").in_bulk(
        list(captions)[:MOST_IMAGES], field_name="sop_instance_uid"
    )
    made = []
    for uid, meanings in captions.items():
        instance = instances.get(uid)
        if instance is not None and (image := _key_image(instance, meanings)) is not None:
            made.append(image)
    return made


def _key_image(instance: Instance, meanings: list[str]) -> pdf.KeyImage | None:
    """None for what nobody can decode, or has several frames: which one is not known here."""
    if instance.number_of_frames > 1:
        return None
    window = _BRAIN if instance.series.modality == "CT" else None
    try:
        jpeg = render(storage.path_of(instance), index=0, kind=JPEG, window=window)
    except (Problem, OSError, InvalidDicomError):
        log.warning("report_key_image_missing", instance=instance.pk)
        return None
    width, height = Image.open(io.BytesIO(jpeg)).size
    where = f"series {instance.series.series_number}, image {instance.instance_number}"
    return pdf.KeyImage(jpeg, width, height, f"{', '.join(dict.fromkeys(meanings))}: {where}")


def _file_meta(uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta
