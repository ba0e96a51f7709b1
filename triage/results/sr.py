"""A model's view as Comprehensive 3D SR by TID 1500 (PS3.16), an AI draft that nobody has verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from highdicom import UID
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForMeasurementGroup,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from triage.results.statement import ABSENT, LATERALITY, MANUFACTURER, PRESENT, Statement

SERIES_NUMBER = 9002
# CID 100; other codes for the procedure are rejected by validators.
PROCEDURES: Final = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
    "CR": Code("43468-8", "LN", "XR unspecified body region"),
    "DX": Code("43468-8", "LN", "XR unspecified body region"),
}
_PROBABILITY = Code("122157", "DCM", "Probability")
_DIAMETER = Code("81827009", "SCT", "Diameter")
_VOLUME = Code("118565006", "SCT", "Volume")
_CUBIC_CENTIMETRE = Code("cm3", "UCUM", "cubic centimeter")  # 1 mL; the unit of CID 7462
# No public code list that is checked here names these (docs/adr/0017-known-findings.md).
_OWN: Final = "99FIRSTREAD"
_MIDLINE_SHIFT = Code("midline-shift", _OWN, "Midline shift, positive to the left")
_MIDLINE_SHIFT_UNCERTAINTY = Code(
    "midline-shift-uncertainty", _OWN, "Midline shift, half width of its interval"
)
_GROWTH = Code("growth", _OWN, "Volume change since the prior")
_COMPARED = Code("comparison", _OWN, "Compared with the prior")
_COMPARISONS: Final = {
    "new": Code("new", _OWN, "New since the prior"),
    "known": Code("known", _OWN, "Known, not grown"),
    "grown": Code("grown", _OWN, "Known, grown"),
    "not_compared": Code("not-compared", _OWN, "Could not be compared"),
}
# Of a classifier: "not grown" would be more than it can say.
_KNOWN_BY_PRESENCE = Code("known-by-presence", _OWN, "Told of the prior too, place and size not compared")

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations


@dataclass(frozen=True)
class Measured:
    """One finding for the document.

    Attributes:
        statement: what the model says; "absent" means absent for this model.
        segment: its number in the Segmentation, where it was drawn.
        key_sop_instance_uid: the image that shows it best, or "".
    """

    statement: Statement
    segment: int | None = None
    key_sop_instance_uid: str = ""


def make_srs(measured: Sequence[Measured], sources: Sequence[Dataset], seg: Dataset | None) -> list[Dataset]:
    """One document, or two in one series: PARTIAL, UNVERIFIED, PRELIMINARY.

    Findings with a segment are groups by TID 1411 on it; the others are groups by TID 1501 on the source
    images. Each document holds one kind of group: validators match groups against each other's templates.

    Args:
        measured: one or more findings of one model.
        sources: headers of the instances that were analysed.
        seg: the Segmentation, when something was drawn.
    """
    modality = str(sources[0].Modality)
    if modality not in PROCEDURES:
        raise ValueError(f"no procedure code for modality {modality}")
    if any(one.segment is not None for one in measured) and seg is None:
        raise ValueError("a segment without its Segmentation")
    drawn = [one for one in measured if one.segment is not None]
    others = [one for one in measured if one.segment is None]
    series_instance_uid = UID()
    documents: list[Dataset] = []
    for group in (drawn, others):
        if group:
            evidence = seg if group is drawn else None
            documents.append(_document(group, sources, evidence, series_instance_uid, len(documents) + 1))
    return documents


def _document(
    measured: Sequence[Measured],
    sources: Sequence[Dataset],
    seg: Dataset | None,
    series_instance_uid: str,
    number: int,
) -> Dataset:
    first = measured[0].statement
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[MANUFACTURER, first.model, first.weights_sha256]),
            name=f"{first.model} {first.version}",
            manufacturer_name=MANUFACTURER,
            model_name=first.model,
            serial_number=first.weights_sha256,
        ),
    )
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=PROCEDURES[str(sources[0].Modality)],
        imaging_measurements=[_group(one, sources, seg) for one in measured],
        title=codes.DCM.ImagingMeasurementReport,
    )
    document = Comprehensive3DSR(
        evidence=[*sources, *([seg] if seg is not None else [])],
        content=report[0],
        series_instance_uid=series_instance_uid,
        series_number=SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=number,
        manufacturer=MANUFACTURER,
        is_complete=False,
        is_final=False,
        is_verified=False,
    )
    document.SeriesDescription = first.series_description
    document.ManufacturerModelName = first.model
    versions = [first.software_version, f"{first.model} {first.version}"]
    document.add_new("SoftwareVersions", "LO", versions)
    return document


def _group(one: Measured, sources: Sequence[Dataset], seg: Dataset | None) -> Group:
    if seg is not None and one.segment is not None:
        return VolumetricROIMeasurementsAndQualitativeEvaluations(
            **_contents(one.statement),
            referenced_segment=ReferencedSegment(
                sop_class_uid=seg.SOPClassUID,
                sop_instance_uid=seg.SOPInstanceUID,
                segment_number=one.segment,
                source_series=SourceSeriesForSegmentation(sources[0].SeriesInstanceUID),
            ),
        )
    shown = [
        SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)
        for image in sources
        if str(image.SOPInstanceUID) == one.key_sop_instance_uid
    ]
    return MeasurementsAndQualitativeEvaluations(**_contents(one.statement), source_images=shown or None)


def _contents(statement: Statement) -> dict[str, Any]:
    measurements = [
        Measurement(name=_PROBABILITY, value=round(statement.probability, 4), unit=codes.UCUM.NoUnits)
    ]
    if statement.present and statement.volume_ml is not None:
        measurements.append(
            Measurement(name=_VOLUME, value=round(statement.volume_ml, 2), unit=_CUBIC_CENTIMETRE)
        )
    if statement.present and statement.largest_diameter_mm is not None:
        measurements.append(
            Measurement(
                name=_DIAMETER, value=round(statement.largest_diameter_mm, 1), unit=codes.UCUM.Millimeter
            )
        )
    if statement.present and statement.midline_shift_mm is not None:
        measurements += _midline_shift(statement.midline_shift_mm, statement.midline_shift_uncertainty_mm)
    if statement.present and statement.growth_ml is not None:
        measurements.append(
            Measurement(name=_GROWTH, value=round(statement.growth_ml, 2), unit=_CUBIC_CENTIMETRE)
        )
    evaluations = [
        QualitativeEvaluation(name=statement.finding, value=PRESENT if statement.present else ABSENT)
    ]
    if statement.present and statement.comparison in _COMPARISONS:
        unmeasured = statement.comparison == "known" and statement.volume_ml is None
        compared = _KNOWN_BY_PRESENCE if unmeasured else _COMPARISONS[statement.comparison]
        evaluations.append(QualitativeEvaluation(_COMPARED, compared))
    parameters = [
        f"weights SHA-256 {statement.weights_sha256}",
        f"present from probability {statement.threshold:g}",
    ]
    if statement.probability_method:
        parameters.append(f"probability by {statement.probability_method}")
    return {
        "tracking_identifier": TrackingIdentifier(
            uid=statement.tracking_uid, identifier=statement.tracking_id
        ),
        "finding_type": statement.finding,
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "algorithm_id": AlgorithmIdentification(
            name=statement.model,
            version=statement.version,
            parameters=parameters,
        ),
        "finding_sites": [FindingSite(statement.site, laterality=LATERALITY.get(statement.side))],
        "measurements": measurements,
        "qualitative_evaluations": evaluations,
    }


def _midline_shift(shift_mm: float, uncertainty_mm: float | None) -> list[Measurement]:
    """The shift and the interval's half width, each a measurement of its own.

    As properties of the shift (TID 310) the bounds pass dciodvfy, but PixelMed takes them for measurements
    that the shift was inferred from.
    """
    millimetres = [(_MIDLINE_SHIFT, shift_mm)]
    if uncertainty_mm is not None:
        millimetres.append((_MIDLINE_SHIFT_UNCERTAINTY, uncertainty_mm))
    return [
        Measurement(name=name, value=round(value, 1), unit=codes.UCUM.Millimeter)
        for name, value in millimetres
    ]
