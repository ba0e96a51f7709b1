"""Keeps what a reader draws or marks on images: the object goes into the archive, a row says what and who."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import generate_uid

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs import storage
from pacs.dicomweb.transcoding import DECODE_ERRORS
from pacs.dicomweb.windowing import modality_values
from pacs.models import Instance, Study
from pacs.selectors import metadata_of
from pacs.services import Outcome, store_derived
from triage.results.headers import read_headers
from worklist.reading.geometry import Kind, NotMeasurable, Point, Spacing, Values, measure, spacing_of
from worklist.reading.models import KeptMeasurement, KeyImage
from worklist.reading.objects import Drawn, key_object, measurement_report

SOURCE: Final = "reading"


class NotInStudy(LookupError):
    """The image is not one of this study's."""


class NotStored(Exception):
    """The archive did not take the object; the message says why."""


def keep_measurement(
    *,
    study: Study,
    user: User,
    kind: Kind,
    sop_instance_uid: str,
    frame: int,
    points: Sequence[Point],
    label: str = "",
    request: HttpRequest | None = None,
) -> KeptMeasurement:
    """File a measurement as SR (TID 1500). The same drawing kept twice is kept once.

    What it measures is computed here, from the image's own spacing and pixels.

    Args:
        frame: from 1.
        points: (column, row) in image coordinates.

    Raises:
        NotInStudy: no such image, or it has no such frame.
        NotMeasurable: it measures nothing.
        NotStored: the archive did not take it.
    """
    instance = _image(study, sop_instance_uid, frame)
    digest = _digest(study, user, kind, sop_instance_uid, frame, points)
    known = KeptMeasurement.objects.filter(digest=digest).first()
    if known is not None:
        return known
    header = read_headers([storage.path_of(instance)])[0]
    spacing = spacing_of(metadata_of(instance), frame)
    pixels = _hounsfield(instance, header, frame) if kind == Kind.ELLIPSE else None
    values = measure(kind, points, spacing, pixels)
    drawn = Drawn(kind, points, values, _frame_of(instance, frame), label.strip()[:64])
    document = measurement_report(
        drawn, header, reader=person_name(user), tracking_uid=generate_uid(entropy_srcs=[digest])
    )
    with transaction.atomic():
        row, created = KeptMeasurement.objects.get_or_create(
            digest=digest,
            defaults={
                "study": study,
                "user": user,
                "kind": kind.value,
                "series_instance_uid": instance.series.series_instance_uid,
                "sop_instance_uid": sop_instance_uid,
                "frame": frame,
                "text": in_words(kind, values, spacing),
                "place": place_of(instance, frame),
                "sr_sop_instance_uid": str(document.SOPInstanceUID),
                "at": timezone.now(),
            },
        )
        if created:
            _store(document)
            _audit(study, user, request, "measurement kept", row.sr_sop_instance_uid)
    return row


def mark_key_image(
    *,
    study: Study,
    user: User,
    sop_instance_uid: str,
    frame: int,
    description: str = "",
    request: HttpRequest | None = None,
) -> KeyImage:
    """File a Key Object Selection of one image; an image that is marked already stays as it is.

    Raises:
        NotInStudy: no such image, or it has no such frame.
        NotStored: the archive did not take it.
    """
    instance = _image(study, sop_instance_uid, frame)
    if instance.rows is None:
        raise NotInStudy("This object is no image: there is nothing to show of it.")
    standing = KeyImage.objects.filter(
        study=study, sop_instance_uid=sop_instance_uid, frame=frame, removed_at__isnull=True
    ).first()
    if standing is not None:
        return standing
    header = read_headers([storage.path_of(instance)])[0]
    document = key_object(
        header, frame=_frame_of(instance, frame), reader=person_name(user), description=description.strip()
    )
    with transaction.atomic():
        row, created = KeyImage.objects.get_or_create(
            study=study,
            sop_instance_uid=sop_instance_uid,
            frame=frame,
            removed_at=None,
            defaults={
                "user": user,
                "series_instance_uid": instance.series.series_instance_uid,
                "description": description.strip()[:200],
                "place": place_of(instance, frame),
                "ko_sop_instance_uid": str(document.SOPInstanceUID),
                "at": timezone.now(),
            },
        )
        if created:
            _store(document)
            _audit(study, user, request, "key image marked", row.ko_sop_instance_uid)
    return row


def unmark_key_image(*, key_image: KeyImage, user: User, request: HttpRequest | None = None) -> None:
    """Take a key image out of the report; what was filed stays in the archive."""
    with transaction.atomic():
        gone = KeyImage.objects.filter(pk=key_image.pk, removed_at__isnull=True).update(
            removed_at=timezone.now(), removed_by=user
        )
        if gone:
            _audit(key_image.study, user, request, "key image removed", key_image.ko_sop_instance_uid)


def in_words(kind: Kind, values: Values, spacing: Spacing | None) -> str:
    """`Length 23 mm`, `Angle 45°`, `Ellipse 3.1 cm², mean 45 HU (SD 5, 30 to 61)`."""
    at = " at the detector" if spacing is not None and spacing.at_detector else ""
    if kind == Kind.LENGTH and values.length_mm is not None:
        return f"Length {_short(values.length_mm)} mm{at}"
    if kind == Kind.ANGLE and values.angle_deg is not None:
        return f"Angle {values.angle_deg:.0f}°"
    parts = []
    if values.area_mm2 is not None:
        square = (
            f"{values.area_mm2 / 100:.1f} cm²" if values.area_mm2 >= 100 else f"{_short(values.area_mm2)} mm²"
        )
        parts.append(f"Ellipse {square}{at}")
    if values.mean is not None and values.deviation is not None:
        parts.append(
            f"mean {values.mean:.0f} HU (SD {values.deviation:.0f}, {values.minimum:.0f} to {values.maximum:.0f})"
        )
    if not parts:
        raise NotMeasurable("This ellipse measures nothing: the image states neither spacing nor density.")
    return ", ".join(parts)


def place_of(instance: Instance, frame: int) -> str:
    """`series 2, image 14`, and the frame of an image that has several."""
    series = instance.series
    parts = [
        f"series {series.series_number}" if series.series_number is not None else "",
        f"image {instance.instance_number}" if instance.instance_number is not None else "",
        f"frame {frame}" if instance.number_of_frames > 1 else "",
    ]
    return ", ".join(part for part in parts if part)


def person_name(user: User) -> str:
    """A shown name as PN with its family name first, at most 64 characters."""
    words = (
        (user.display_name or user.username).replace("^", " ").replace("\\", " ").replace("=", " ").split()
    )
    title = [word for word in words if word.rstrip(".").lower() in {"dr", "prof", "pd"}]
    names = [word for word in words if word not in title] or ["Unknown"]
    return f"{names[-1]}^{' '.join(names[:-1])}^^{' '.join(title)}".rstrip("^")[:64]


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:.0f}"


def _image(study: Study, sop_instance_uid: str, frame: int) -> Instance:
    found = (
        Instance.objects.select_related("series")
        .filter(sop_instance_uid=sop_instance_uid, series__study=study)
        .first()
    )
    if found is None or not 1 <= frame <= found.number_of_frames:
        raise NotInStudy("This image, or this frame of it, is not in the study.")
    return found


def _frame_of(instance: Instance, frame: int) -> int | None:
    return frame if instance.number_of_frames > 1 else None


def _hounsfield(instance: Instance, header: Dataset, frame: int) -> np.ndarray | None:
    """Values in HU [rows, columns]; None for what is no CT or cannot be decoded."""
    if instance.series.modality != "CT":
        return None
    try:
        pixels = pixel_array(storage.path_of(instance), index=frame - 1, raw=True)
    except DECODE_ERRORS:
        return None
    return modality_values(pixels, header) if pixels.ndim == 2 else None


def _digest(
    study: Study, user: User, kind: Kind, sop_instance_uid: str, frame: int, points: Sequence[Point]
) -> str:
    rounded = [[round(column, 3), round(row, 3)] for column, row in points]
    said = json.dumps([study.study_instance_uid, user.pk, kind.value, sop_instance_uid, frame, rounded])
    return hashlib.sha256(said.encode()).hexdigest()


def _store(document: Dataset) -> None:
    (result,) = store_derived([document], source_label=SOURCE)
    if result.outcome not in (Outcome.STORED, Outcome.DUPLICATE):
        raise NotStored(f"The archive did not take it ({result.outcome}): {result.detail or result.reason}")


def _audit(study: Study, user: User, request: HttpRequest | None, what: str, sop_instance_uid: str) -> None:
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action="C",
        user=user,
        request=request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        detail={"what": what, "sop_instance_uid": sop_instance_uid},
    )
