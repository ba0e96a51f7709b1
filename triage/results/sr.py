"""A model's view as a Comprehensive 3D SR by TID 1500 (PS3.16), an AI draft that nobody has verified."""

from __future__ import annotations

from collections.abc import Sequence
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
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from triage.results.seg import SEGMENT
from triage.results.statement import ABSENT, BRAIN, LATERALITY, MANUFACTURER, PRESENT, Statement

SERIES_NUMBER = 9002
# CID 100; other codes for the procedure are rejected by validators.
PROCEDURES: Final = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
}
_PROBABILITY = Code("122157", "DCM", "Probability")
_DIAMETER = Code("81827009", "SCT", "Diameter")
_VOLUME = Code("118565006", "SCT", "Volume")
_CUBIC_CENTIMETRE = Code("cm3", "UCUM", "cubic centimeter")  # 1 mL; the unit of CID 7462


def make_sr(statement: Statement, sources: Sequence[Dataset], seg: Dataset | None) -> Dataset:
    """The document: PARTIAL, UNVERIFIED, PRELIMINARY.

    With `seg` its one group is TID 1411 on the segment; without, TID 1501 on the source series. There is
    one kind of group per document: validators match groups against each other's templates.

    Args:
        statement: what the model says; "absent" means absent for this model.
        sources: headers of the instances that were analysed.
        seg: the Segmentation, when something was found.
    """
    modality = str(sources[0].Modality)
    if modality not in PROCEDURES:
        raise ValueError(f"no procedure code for modality {modality}")
    group: MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations
    if seg is None:
        group = MeasurementsAndQualitativeEvaluations(**_contents(statement))
    else:
        group = VolumetricROIMeasurementsAndQualitativeEvaluations(
            **_contents(statement),
            referenced_segment=ReferencedSegment(
                sop_class_uid=seg.SOPClassUID,
                sop_instance_uid=seg.SOPInstanceUID,
                segment_number=SEGMENT,
                source_series=SourceSeriesForSegmentation(sources[0].SeriesInstanceUID),
            ),
        )
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[MANUFACTURER, statement.model, statement.weights_sha256]),
            name=f"{statement.model} {statement.version}",
            manufacturer_name=MANUFACTURER,
            model_name=statement.model,
            serial_number=statement.weights_sha256,
        ),
    )
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=PROCEDURES[modality],
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    document = Comprehensive3DSR(
        evidence=[*sources, *([seg] if seg is not None else [])],
        content=report[0],
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=False,
        is_final=False,
        is_verified=False,
    )
    document.SeriesDescription = statement.series_description
    document.ManufacturerModelName = statement.model
    versions = [statement.software_version, f"{statement.model} {statement.version}"]
    document.add_new("SoftwareVersions", "LO", versions)
    return document


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
    return {
        "tracking_identifier": TrackingIdentifier(
            uid=statement.tracking_uid, identifier=statement.tracking_id
        ),
        "finding_type": statement.finding,
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "algorithm_id": AlgorithmIdentification(
            name=statement.model,
            version=statement.version,
            parameters=[
                f"weights SHA-256 {statement.weights_sha256}",
                f"present from probability {statement.threshold:g}",
            ],
        ),
        "finding_sites": [FindingSite(BRAIN, laterality=LATERALITY.get(statement.side))],
        "measurements": measurements,
        "qualitative_evaluations": [
            QualitativeEvaluation(name=statement.finding, value=PRESENT if statement.present else ABSENT)
        ],
    }
