"""Synthetic chest radiographs as Digital X-Ray images for presentation (PS3.3 A.26), one to two views a study."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from pacs.synthetic.chest import (
    CHEST_LESIONS,
    FIELD_MM,
    ChestParameters,
    Side,
    draw_chest,
    make_chest,
    make_lateral,
)
from pacs.synthetic.datasets import SyntheticOrder, SyntheticPatient, patient_for, stable_uid
from pacs.synthetic.studies import SyntheticStudy, write_folders

BITS: Final = 12
_IMPLEMENTATION_UID: Final = UID(stable_uid("implementation", "chest"))
_VIEW_CODES: Final = {
    "PA": ("272479007", "SCT", "postero-anterior"),
    "AP": ("399348003", "SCT", "antero-posterior"),
    "LL": ("399173006", "SCT", "left lateral"),
}


def make_chest_study(
    seed: int,
    lesion: str | None = None,
    *,
    size: float = 0.6,
    side: Side | None = None,
    lateral: bool = False,
    inverted: bool = False,
    order: SyntheticOrder | None = None,
    acquired_at: datetime | None = None,
    matrix: int = 1024,
    parameters: ChestParameters | None = None,
) -> SyntheticStudy:
    """A frontal radiograph, and a lateral one in a series of its own if asked for; same arguments, same study.

    `lesion` is None or one of CHEST_LESIONS and `size` 0 to 1 (pacs.synthetic.chest). `inverted` stores low values
    for dense tissue (MONOCHROME1), as some detectors do. `mask` of the answer is [1, row, column], the lesion on
    the frontal image. Takes about 2 s at 1024 x 1024. Raises ValueError for an unknown lesion or size.
    """
    p = parameters or draw_chest(seed)
    chest = make_chest(seed, lesion, size=size, side=side, matrix=matrix, parameters=p)
    at = acquired_at or datetime(2026, 2, 2, 8, tzinfo=UTC) + timedelta(minutes=11 * (seed % 10_000))
    patient = replace(patient_for(seed, p.age, p.sex, at), patient_id=f"SYNCX{seed:08d}")
    order = order or SyntheticOrder(
        accession_number=f"CX{seed:08d}", study_description="SYNTHETIC CHEST", procedure_code="XRCHEST"
    )
    key = f"chest/{seed}/{lesion}/{size if lesion else 0:g}/{side}/{matrix}/{lateral}/{inverted}/{at.isoformat()}"
    key += f"/{order.accession_number}/{patient.patient_id}"
    shared: dict[str, Any] = {
        "key": key,
        "patient": patient,
        "order": order,
        "at": at,
        "inverted": inverted,
        "instances": 1 + int(lateral),
    }
    datasets = [_dataset(chest.image, p.view, number=1, **shared)]
    if lateral:
        datasets.append(_dataset(make_lateral(seed, matrix, p), "LL", number=2, **shared))
    first = datasets[0]
    truth: dict[str, Any] = {
        "seed": seed,
        "study_instance_uid": str(first.StudyInstanceUID),
        "series_instance_uid": str(first.SeriesInstanceUID),
        "accession_number": str(first.AccessionNumber),
        "patient_id": str(first.PatientID),
        "patient_name": str(first.PatientName),
        "instances": len(datasets),
        "lesion": lesion,
        "size": size if lesion else 0.0,
        "side": chest.side,
        "view": p.view,
        "key_sop_instance_uid": str(first.SOPInstanceUID) if lesion else None,
    }
    return SyntheticStudy(datasets, truth, chest.mask[None])


def write_chest_studies(
    directory: Path, count: int, lesion: str | None, seed: int, **options: Any
) -> list[dict[str, Any]]:
    """Write `count` studies, one folder each, and `truth.json` with what is in them; returns that list.

    `lesion` is None, one of CHEST_LESIONS, or "any" for each kind in turn. `options` go to `make_chest_study`.
    """

    def make(index: int) -> tuple[str, SyntheticStudy]:
        kind = CHEST_LESIONS[index % len(CHEST_LESIONS)] if lesion == "any" else lesion
        return f"synthetic-chest-{seed + index:08d}", make_chest_study(seed + index, kind, **options)

    return write_folders(directory, count, make)


def _dataset(
    image: NDArray[np.float32],
    view: str,
    *,
    number: int,
    key: str,
    patient: SyntheticPatient,
    order: SyntheticOrder,
    at: datetime,
    inverted: bool,
    instances: int,
) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = stable_uid(key, view, number)
    ds.StudyInstanceUID = stable_uid(key, "study")
    ds.SeriesInstanceUID = stable_uid(key, "series", view)
    ds.TimezoneOffsetFromUTC = "+0000"
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{name}Date", at.astimezone(UTC).strftime("%Y%m%d"))
        setattr(ds, f"{name}Time", at.astimezone(UTC).strftime("%H%M%S"))
    ds.Modality, ds.PresentationIntentType = "DX", "FOR PRESENTATION"
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.AccessionNumber, ds.StudyID = order.accession_number, order.accession_number[-12:]
    ds.StudyDescription = order.study_description
    ds.SeriesDescription = f"SYNTHETIC CHEST {view}"
    ds.ProtocolName = "SYNTHETIC CHEST"
    ds.ReferringPhysicianName = order.referring_physician
    ds.PatientName, ds.PatientID = patient.name, patient.patient_id
    ds.IssuerOfPatientID, ds.PatientSex = patient.issuer, patient.sex
    ds.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
    ds.PatientAge = f"{int((at.date() - patient.birth_date).days / 365.25):03d}Y"
    ds.Manufacturer, ds.ManufacturerModelName = "Firstread synthetic", "Procedural chest"
    ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = "SYNTHETIC HOSPITAL", "SYNDX1", "SYN0002"
    ds.SoftwareVersions = "1"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = number, 1, number
    ds.BodyPartExamined, ds.ViewPosition = "CHEST", view
    ds.ViewCodeSequence = Sequence([_code(*_VIEW_CODES[view])])
    ds.AnatomicRegionSequence = Sequence([_code("816094009", "SCT", "Chest")])
    ds.PatientOrientation = ["L", "F"] if view != "LL" else ["A", "F"]
    ds.ImageLaterality = "U"
    ds.KVP, ds.DistanceSourceToDetector = "120", "1800"
    ds.PositionerType = "NONE"
    ds.DetectorType, ds.DetectorConfiguration = "SCINTILLATOR", "AREA"
    ds.AcquisitionContextSequence = Sequence([])
    ds.ImagesInAcquisition, ds.NumberOfSeriesRelatedInstances = 1, 1
    ds.NumberOfStudyRelatedInstances = instances
    _pixels(ds, image, inverted)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = _IMPLEMENTATION_UID, "FIRSTREAD_SYN_1"
    ds.file_meta = meta
    return ds


def _pixels(ds: Dataset, image: NDArray[np.float32], inverted: bool) -> None:
    most = (1 << BITS) - 1
    spacing = FIELD_MM / image.shape[0]
    ds.ImagerPixelSpacing = [f"{spacing:.6f}"] * 2
    ds.SamplesPerPixel, ds.Rows, ds.Columns = 1, *image.shape
    ds.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, BITS, BITS - 1, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1 if not inverted else 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.WindowCenter, ds.WindowWidth = str((most + 1) // 2), str(most + 1)
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"
    ds.ImageComments = "SYNTHETIC: procedural image, shows no patient"
    shown = 1.0 - image if inverted else image
    ds.PixelData = np.rint(shown * most).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
