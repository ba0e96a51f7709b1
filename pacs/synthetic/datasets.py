"""DICOM datasets for synthetic slices: CT Image Storage (PS3.3 A.3), plausible and clearly marked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

_NAMESPACE: Final = uuid.UUID("6f0c5bd0-3f3e-5d0b-9c55-f1257ead0001")
_IMPLEMENTATION_UID: Final = UID(f"2.25.{uuid.uuid5(_NAMESPACE, 'implementation').int}")
RESCALE_INTERCEPT: Final = -1024


def stable_uid(*parts: object) -> UID:
    """A UID under the UUID-derived root 2.25 (PS3.5 B.2), the same for the same parts."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(str(part) for part in parts)).int}")


@dataclass(frozen=True)
class SyntheticPatient:
    """Who the synthetic scan says it shows."""

    patient_id: str
    name: str
    birth_date: date
    sex: str
    issuer: str = "FIRSTREAD-SYNTHETIC"


@dataclass(frozen=True)
class SyntheticOrder:
    """What the scanner took over from the order."""

    accession_number: str
    study_description: str = "SYNTHETIC CT HEAD WITHOUT CONTRAST"
    procedure_code: str = "CTHEAD"
    referring_physician: str = "SYNTHETIC^REFERRER"


@dataclass(frozen=True)
class Acquisition:
    """Geometry and technique of one series; lengths in mm, angles in degrees."""

    pixel_mm: float
    slice_mm: float
    tilt_deg: float
    kernel: str
    tube_current_ma: int
    acquired_at: datetime


def patient_for(seed: int, age: int, sex: str, acquired_at: datetime) -> SyntheticPatient:
    """A patient SYNTHETIC^A00 to SYNTHETIC^Z99 whose age in years fits the head."""
    born = acquired_at.date() - timedelta(days=int(age * 365.25) + 40 + seed % 200)
    letter = chr(ord("A") + seed // 100 % 26)
    return SyntheticPatient(f"SYN{seed:08d}", f"SYNTHETIC^{letter}{seed % 100:02d}", born, sex)


def axial_dataset(
    hu: NDArray[np.floating[Any]],
    *,
    key: str,
    number: int,
    slices: int,
    study_instances: int,
    position_mm: Sequence[float],
    patient: SyntheticPatient,
    order: SyntheticOrder,
    how: Acquisition,
) -> Dataset:
    """One axial slice; ``hu`` is [rows, columns] in HU.

    ``position_mm`` is the patient position (x, y, z) of the centre of the first pixel, ``key`` names the
    study's content (UIDs follow from it), ``number`` counts from 1.
    """
    tilt = np.deg2rad(how.tilt_deg)
    ds = _study_level(key, patient, order, how, study_instances)
    ds.SeriesInstanceUID = stable_uid(key, "axial")
    ds.SeriesNumber = 2
    ds.SeriesDescription = f"SYNTHETIC HEAD {how.slice_mm:g} MM"
    ds.ProtocolName = "SYNTHETIC HEAD ROUTINE"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.NumberOfSeriesRelatedInstances = slices
    ds.ImagesInAcquisition = slices
    ds.AcquisitionNumber = 2
    ds.GantryDetectorTilt = f"{how.tilt_deg:g}"
    ds.SliceThickness = f"{how.slice_mm:g}"
    ds.SpacingBetweenSlices = f"{how.slice_mm:g}"
    ds.ImageOrientationPatient = [1, 0, 0, 0, f"{np.cos(tilt):.7f}", f"{-np.sin(tilt):.7f}"]
    ds.SliceLocation = f"{position_mm[2]:.3f}"
    ds.WindowCenter, ds.WindowWidth = "40", "80"
    ds.WindowCenterWidthExplanation = "BRAIN"
    _image_level(ds, hu, key, "axial", number, position_mm, how.pixel_mm, how.pixel_mm)
    return ds


def localizer_dataset(
    hu: NDArray[np.floating[Any]],
    *,
    key: str,
    study_instances: int,
    position_mm: Sequence[float],
    pixel_mm: tuple[float, float],
    patient: SyntheticPatient,
    order: SyntheticOrder,
    how: Acquisition,
) -> Dataset:
    """A lateral localizer in a series of its own; ``hu`` is [rows to feet, columns to posterior]."""
    ds = _study_level(key, patient, order, how, study_instances)
    ds.SeriesInstanceUID = stable_uid(key, "localizer")
    ds.SeriesNumber = 1
    ds.SeriesDescription = "SYNTHETIC LOCALIZER"
    ds.ProtocolName = "SYNTHETIC HEAD ROUTINE"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.NumberOfSeriesRelatedInstances = 1
    ds.ImagesInAcquisition = 1
    ds.AcquisitionNumber = 1
    ds.SliceThickness = "1"
    ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    ds.WindowCenter, ds.WindowWidth = "100", "600"
    _image_level(ds, hu, key, "localizer", 1, position_mm, *pixel_mm)
    return ds


def _study_level(
    key: str, patient: SyntheticPatient, order: SyntheticOrder, how: Acquisition, study_instances: int
) -> Dataset:
    when = how.acquired_at.astimezone(UTC)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.TimezoneOffsetFromUTC = "+0000"
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{name}Date", when.strftime("%Y%m%d"))
        setattr(ds, f"{name}Time", when.strftime("%H%M%S"))
    ds.AccessionNumber = order.accession_number
    ds.Modality = "CT"
    ds.Manufacturer = "Firstread synthetic"
    ds.ManufacturerModelName = "Procedural head"
    ds.InstitutionName = "SYNTHETIC HOSPITAL"
    ds.StationName = "SYNCT1"
    ds.DeviceSerialNumber = "SYN0001"
    ds.SoftwareVersions = "1"
    ds.ReferringPhysicianName = order.referring_physician
    ds.StudyDescription = order.study_description
    ds.PatientName = patient.name
    ds.PatientID = patient.patient_id
    ds.IssuerOfPatientID = patient.issuer
    ds.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{int((when.date() - patient.birth_date).days / 365.25):03d}Y"
    ds.BodyPartExamined = "HEAD"
    ds.KVP = "120"
    ds.DataCollectionDiameter = "250"
    ds.ReconstructionDiameter = "245"
    ds.XRayTubeCurrent = how.tube_current_ma
    ds.ExposureTime = 1000
    ds.Exposure = how.tube_current_ma
    ds.FilterType = "BODY"
    ds.ConvolutionKernel = how.kernel
    ds.RotationDirection = "CW"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = stable_uid(key, "study")
    ds.StudyID = order.accession_number[-12:]
    ds.FrameOfReferenceUID = stable_uid(key, "frame of reference")
    ds.PositionReferenceIndicator = "OM"
    ds.NumberOfStudyRelatedInstances = study_instances
    return ds


def _image_level(
    ds: Dataset,
    hu: NDArray[np.floating[Any]],
    key: str,
    series: str,
    number: int,
    position_mm: Sequence[float],
    row_mm: float,
    column_mm: float,
) -> None:
    ds.SOPInstanceUID = stable_uid(key, series, number)
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [f"{v:.4f}" for v in position_mm]
    ds.PixelSpacing = [f"{row_mm:.6f}", f"{column_mm:.6f}"]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = hu.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(RESCALE_INTERCEPT), "1", "HU"
    ds.BurnedInAnnotation = "NO"
    ds.ImageComments = "SYNTHETIC: procedural image, shows no patient"
    stored = np.clip(np.rint(hu - RESCALE_INTERCEPT), 0, 4095).astype("<u2")
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "FIRSTREAD_SYN_1"
    ds.file_meta = meta
