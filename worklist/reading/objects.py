"""A reader's measurements as Comprehensive 3D SR by TID 1500, and key images as Key Object Selection (TID 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from highdicom import UID
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import (
    Comprehensive3DSR,
    CoordinatesForMeasurement,
    GraphicTypeValues,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from triage.results.sr import PROCEDURES as BY_MODEL
from worklist.reading.geometry import Kind, Point, Values

MANUFACTURER: Final = "Firstread"
MEASUREMENT_SERIES: Final = 9101
KEY_SERIES: Final = 9102
# CID 100; a code from elsewhere is rejected by validators. It has none for ultrasound: XR stands for what
# no other fits, as "unspecified" is all that is said.
PROCEDURES: Final = {
    **BY_MODEL,
    "NM": Code("49118-3", "LN", "NM unspecified body region"),
    "PT": Code("44136-0", "LN", "PET unspecified body region"),
    "XA": Code("77343006", "SCT", "Angiography"),
}
_USUAL_PROCEDURE: Final = Code("43468-8", "LN", "XR unspecified body region")
_GRAPHICS: Final = {
    Kind.LENGTH: GraphicTypeValues.POLYLINE,
    Kind.ANGLE: GraphicTypeValues.POLYLINE,
    Kind.ELLIPSE: GraphicTypeValues.ELLIPSE,
}


@dataclass(frozen=True)
class Drawn:
    """One measurement on one image.

    Attributes:
        points: (column, row) in image coordinates.
        frame: from 1; None for an image that has one.
        label: the reader's own words, or "".
    """

    kind: Kind
    points: Sequence[Point]
    values: Values
    frame: int | None = None
    label: str = ""


def measurement_report(drawn: Drawn, image: Dataset, *, reader: str, tracking_uid: str) -> Dataset:
    """One reader's measurement: COMPLETE, UNVERIFIED, as a measurement is no signed report.

    Args:
        image: the header of the instance it was drawn on.
        reader: as PN.
    """
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=tracking_uid, identifier=drawn.label or drawn.kind.value),
        measurements=_measurements(drawn, image),
    )
    observer = ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=reader),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_person_context=observer),
        procedure_reported=PROCEDURES.get(str(image.get("Modality", "")), _USUAL_PROCEDURE),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    document = Comprehensive3DSR(
        evidence=[image],
        content=content[0],
        series_instance_uid=UID(),
        series_number=MEASUREMENT_SERIES,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    document.SeriesDescription = "Measurement"
    return document


def key_object(image: Dataset, *, frame: int | None, reader: str, description: str) -> Dataset:
    """A Key Object Selection of one image, "for report attachment".

    Args:
        image: the header of the selected instance; `frame` from 1 names one of several.
        reader: as PN.
    """
    observer = ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=reader),
    )
    selection = KeyObjectSelection(
        document_title=codes.DCM.ForReportAttachment,
        referenced_objects=[image],
        observer_person_context=observer,
        description=description or None,
    )
    document = KeyObjectSelectionDocument(
        evidence=[image],
        content=selection,
        series_instance_uid=UID(),
        series_number=KEY_SERIES,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
    )
    document.SeriesDescription = "Key image"
    for item in document.ContentSequence:
        if item.ValueType == "IMAGE":
            # Row 8 of TID 2010 names no concept for it.
            del item.ConceptNameCodeSequence
            if frame is not None:
                item.ReferencedSOPSequence[0].ReferencedFrameNumber = frame
    return document


def _measurements(drawn: Drawn, image: Dataset) -> list[Measurement]:
    values = drawn.values
    frames = None if drawn.frame is None else [drawn.frame]
    region = CoordinatesForMeasurement(
        graphic_type=_GRAPHICS[drawn.kind],
        graphic_data=np.asarray(drawn.points, dtype=float),
        source_image=SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frames),
    )

    def one(name: Code, value: float | None, unit: Code, derivation: Code | None = None) -> list[Measurement]:
        if value is None:
            return []
        return [
            Measurement(
                name=name,
                value=round(value, 2),
                unit=unit,
                derivation=derivation,
                referenced_coordinates=[region],
            )
        ]

    density, hu = codes.DCM.AttenuationCoefficient, codes.UCUM.HounsfieldUnit
    return [
        *one(codes.SCT.Length, values.length_mm, codes.UCUM.Millimeter),
        *one(codes.SCT.Angle, values.angle_deg, codes.UCUM.Degree),
        *one(codes.SCT.Area, values.area_mm2, codes.UCUM.SquareMillimeter),
        *one(density, values.mean, hu, codes.SCT.Mean),
        *one(density, values.deviation, hu, codes.SCT.StandardDeviation),
        *one(density, values.minimum, hu, codes.SCT.Minimum),
        *one(density, values.maximum, hu, codes.SCT.Maximum),
    ]
