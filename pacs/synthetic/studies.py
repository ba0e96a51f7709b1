"""Whole synthetic studies: a head, a bleed if asked for, a scanner's noise, DICOM datasets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy import ndimage

from pacs.synthetic.datasets import (
    Acquisition,
    SyntheticOrder,
    SyntheticPatient,
    axial_dataset,
    localizer_dataset,
    patient_for,
)
from pacs.synthetic.fields import Array
from pacs.synthetic.heads import SyntheticHead, make_head
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion
from pacs.synthetic.parameters import draw_parameters

FIELD_OF_VIEW_MM = 245.0


@dataclass
class SyntheticStudy:
    """A study ready to send: ``datasets`` in slice order from the base up (a localizer first, when asked).

    ``truth`` is plain data (JSON): UIDs, lesion kind, volume in mL as drawn, side, slices with blood.
    ``mask`` is the blood, bool [slice, row, column] of the axial series.
    """

    datasets: list[Dataset]
    truth: dict[str, Any]
    mask: NDArray[np.bool_]


def make_study(
    seed: int,
    lesion: str | None = None,
    volume_ml: float = 15.0,
    *,
    patient: SyntheticPatient | None = None,
    order: SyntheticOrder | None = None,
    age: int | None = None,
    sex: str | None = None,
    acquired_at: datetime | None = None,
    matrix: int = 512,
    slices: int = 32,
    slice_mm: float = 5.0,
    tilt_deg: float = 0.0,
    localizer: bool = False,
) -> SyntheticStudy:
    """Make one axial head CT study, the same for the same arguments.

    ``lesion`` is None or one of LESION_KINDS; ``volume_ml`` its volume (0.5 to 100 mL). ``matrix`` is 512, or
    256 for small and quick studies. ``acquired_at`` must be aware; by default a fixed date that follows from
    the seed. ``tilt_deg`` tilts the gantry (slices then shift along the table, as on older scanners).
    Raises ValueError for an unknown kind or a volume that does not fit. Takes about 3 s at 512 x 512 x 32.
    """
    p = draw_parameters(seed, age, sex)
    rng = np.random.default_rng([seed, 51])
    at = acquired_at or datetime(2026, 1, 5, 8, tzinfo=UTC) + timedelta(minutes=17 * (seed % 10_000))
    patient = patient or patient_for(seed, p.age, p.sex, at)
    order = order or SyntheticOrder(accession_number=f"SYN{seed:08d}")
    how = Acquisition(
        pixel_mm=FIELD_OF_VIEW_MM / matrix,
        slice_mm=slice_mm,
        tilt_deg=tilt_deg,
        kernel=str(rng.choice(["STANDARD", "H31s", "UB", "FC26"])),
        tube_current_ma=int(rng.integers(180, 320)),
        acquired_at=at,
    )
    finer = 2 if matrix >= 400 else 1
    head = make_head(
        seed,
        (slice_mm / 2, how.pixel_mm * finer, how.pixel_mm * finer),
        (2 * slices, matrix // finer, matrix // finer),
        parameters=p,
        tilt_deg=tilt_deg,
    )
    mask = np.zeros((slices, matrix, matrix), dtype=bool)
    if lesion is not None:
        mask = _to_slices_mask(insert_lesion(head, lesion, volume_ml, seed), finer)
    hu = _to_slices(head.hu, finer)
    hu += _noise(head, hu.shape, rng)
    drawn_ml = float(mask.sum()) * how.pixel_mm**2 * slice_mm / 1000.0
    # All that shapes the pixels or the header names the study: same name, same content.
    key = f"{seed}/{lesion}/{volume_ml if lesion else 0:g}/{matrix}x{slices}x{slice_mm:g}/{tilt_deg:g}"
    key += f"/{localizer}/{patient.patient_id}/{order.accession_number}/{at.isoformat()}/{p.age}{p.sex}"
    total = slices + int(localizer)
    shared: dict[str, Any] = {
        "key": key,
        "study_instances": total,
        "patient": patient,
        "order": order,
        "how": how,
    }
    positions = _positions(head, slices, how, finer)
    datasets = [
        axial_dataset(hu[i], number=i + 1, slices=slices, position_mm=positions[i], **shared)
        for i in range(slices)
    ]
    truth = _truth(datasets, mask, positions, how, lesion, volume_ml, drawn_ml, seed)
    if localizer:
        datasets.insert(0, _localizer(head, shared, how))
    return SyntheticStudy(datasets, truth, mask)


def write_studies(
    directory: Path,
    count: int,
    lesion: str | None,
    volume_ml: float,
    seed: int,
    **options: Any,
) -> list[dict[str, Any]]:
    """Write ``count`` studies, one folder each, and ``truth.json`` with what is in them; returns that list.

    ``lesion`` is None, one of LESION_KINDS, or "any" for each kind in turn. ``options`` go to ``make_study``.
    """

    def make(index: int) -> tuple[str, SyntheticStudy]:
        kind = LESION_KINDS[index % len(LESION_KINDS)] if lesion == "any" else lesion
        return f"synthetic-{seed + index:08d}", make_study(seed + index, kind, volume_ml, **options)

    return write_folders(directory, count, make)


def write_folders(
    directory: Path, count: int, make: Callable[[int], tuple[str, SyntheticStudy]]
) -> list[dict[str, Any]]:
    """Write the studies that ``make`` gives for 0 to ``count`` - 1, each into the folder that it names.

    Also writes ``truth.json`` and returns its list. Raises ValueError when ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    directory.mkdir(parents=True, exist_ok=True)
    truths = []
    for index in range(count):
        name, study = make(index)
        folder = directory / name
        folder.mkdir(exist_ok=True)
        for number, dataset in enumerate(study.datasets, start=1):
            dataset.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
        truths.append({**study.truth, "folder": folder.name})
    (directory / "truth.json").write_text(json.dumps(truths, indent=2) + "\n", encoding="utf-8")
    return truths


def _to_slices(volume: Array, finer: int) -> Array:
    """Mean of the two halves of each slice, rows and columns interpolated to the full matrix."""
    slices: Array = (0.5 * (volume[0::2] + volume[1::2])).astype(np.float32)
    for axis in (1, 2) if finer == 2 else ():
        slices = _double(slices, axis)
    return slices


def _double(volume: Array, axis: int) -> Array:
    """Twice as many samples along an axis, each a quarter step from the old ones, linear interpolation."""
    v = np.moveaxis(volume, axis, 0)
    before = np.concatenate([v[:1], v[:-1]])
    after = np.concatenate([v[1:], v[-1:]])
    out = np.empty((2 * v.shape[0], *v.shape[1:]), dtype=np.float32)
    out[0::2] = 0.75 * v + 0.25 * before
    out[1::2] = 0.75 * v + 0.25 * after
    return np.moveaxis(out, 0, axis)


def _to_slices_mask(mask: NDArray[np.bool_], finer: int) -> NDArray[np.bool_]:
    """The mask on the full matrix, of the same volume: the voxels with the largest part of blood."""
    part = _to_slices(ndimage.gaussian_filter(mask.astype(np.float32), [0.3, 0.7, 0.7]), finer)
    wanted = round(mask.sum() * finer**2 / 2)
    candidates = np.flatnonzero(part > 0.02)
    best = candidates[np.argsort(part.ravel()[candidates], kind="stable")[-wanted:]]
    out = np.zeros(part.shape, dtype=bool)
    out.ravel()[best] = True
    return out


def _noise(head: SyntheticHead, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Grain like a filtered back projection's: correlated over about 1 mm, stronger at the dense base.

    Eight planes are filtered; each slice mixes two of them at random shifts, which costs a tenth of filtering
    every slice.
    """
    p = head.parameters
    pixel = FIELD_OF_VIEW_MM / shape[1]
    white = rng.standard_normal((8, *shape[1:]), dtype=np.float32)
    grain = (0.75 - 0.4 * p.sharpness) / pixel
    tile = ndimage.gaussian_filter(white, [0, grain, grain], mode="wrap")
    tile -= 0.8 * ndimage.gaussian_filter(white, [0, 3.2 * grain, 3.2 * grain], mode="wrap")
    tile *= p.noise_hu / float(tile.std()) / 2**0.5
    noise = np.empty(shape, dtype=np.float32)
    for i in range(shape[0]):
        a, b = rng.choice(8, 2, replace=False)
        z = float(head.points_mm[2][2 * i].mean())
        gain = 1.0 + 0.6 * np.exp(-(((z + 32.0) / 16.0) ** 2))
        shifts = rng.integers(0, shape[1], 4)
        noise[i] = gain * (
            np.roll(tile[a], tuple(shifts[:2]), (0, 1)) + np.roll(tile[b], tuple(shifts[2:]), (0, 1))
        )
    return noise


def _positions(
    head: SyntheticHead, slices: int, how: Acquisition, finer: int
) -> list[tuple[float, float, float]]:
    """Patient position (x, y, z) in mm of the first pixel of each slice."""
    x, y, z = head.origin_lps_mm
    # Halved voxels: the first pixel's centre lies a quarter of a coarse voxel before the coarse one's.
    inward = how.pixel_mm * (0.5 if finer == 2 else 0.0)
    tilt = np.deg2rad(how.tilt_deg)
    return [
        (
            x - inward,
            y - inward * float(np.cos(tilt)),
            z + how.slice_mm * (i + 0.25) + inward * float(np.sin(tilt)),
        )
        for i in range(slices)
    ]


def _localizer(head: SyntheticHead, shared: dict[str, Any], how: Acquisition) -> Dataset:
    """A lateral projection: the mean attenuation across the head."""
    projection = np.clip(head.hu, -1000.0, 2000.0).mean(axis=2)[::-1]
    hu = 1.4 * projection + 500.0
    dz, dy, _ = head.spacing_mm
    y, z = head.origin_lps_mm[1], head.origin_lps_mm[2]
    top = (0.0, y, z + (head.hu.shape[0] - 1) * dz)
    return localizer_dataset(hu, position_mm=top, pixel_mm=(dz, dy), **shared)


def _truth(
    datasets: list[Dataset],
    mask: NDArray[np.bool_],
    positions: list[tuple[float, float, float]],
    how: Acquisition,
    lesion: str | None,
    volume_ml: float,
    drawn_ml: float,
    seed: int,
) -> dict[str, Any]:
    first = datasets[0]
    area = mask.sum(axis=(1, 2))
    truth: dict[str, Any] = {
        "seed": seed,
        "study_instance_uid": str(first.StudyInstanceUID),
        "series_instance_uid": str(first.SeriesInstanceUID),
        "accession_number": str(first.AccessionNumber),
        "patient_id": str(first.PatientID),
        "patient_name": str(first.PatientName),
        "instances": len(datasets),
        "lesion": lesion,
        "requested_ml": volume_ml if lesion else 0.0,
        "volume_ml": round(drawn_ml, 3),
        "sop_instance_uids_with_lesion": [
            str(d.SOPInstanceUID) for d, a in zip(datasets, area, strict=True) if a
        ],
        "key_sop_instance_uid": None,
        "centroid_lps_mm": None,
        "side": None,
    }
    if lesion is not None:
        k, r, c = (float(v) for v in np.argwhere(mask).mean(axis=0))
        origin = np.asarray(positions[0])
        tilt = np.deg2rad(how.tilt_deg)
        down = np.array([0.0, np.cos(tilt), -np.sin(tilt)]) * how.pixel_mm
        centre = origin + c * how.pixel_mm * np.array([1.0, 0.0, 0.0]) + r * down
        centre = centre + k * how.slice_mm * np.array([0.0, 0.0, 1.0])
        truth["key_sop_instance_uid"] = str(datasets[int(area.argmax())].SOPInstanceUID)
        truth["centroid_lps_mm"] = [round(float(v), 2) for v in centre]
        truth["side"] = "left" if centre[0] > 5.0 else "right" if centre[0] < -5.0 else "midline"
    return truth
