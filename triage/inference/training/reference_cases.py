"""Real and reference volumes as regular volumes, for the final check of a trained bundle (never for training)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy import ndimage

OUTSIDE_HU = -1024.0


@dataclass(frozen=True)
class ReferenceCase:
    """A regular volume [z, y, x] in HU at the bundle's spacing and what is expected of it."""

    name: str
    volume: NDArray[np.float32]
    expected: str


def reference_cases(folder: Path, spacing_mm: Sequence[float]) -> list[ReferenceCase]:
    """The real head CT and the average brain (must not be flagged), the phantoms (must be refused)."""
    nifti = folder / "nifti"
    return [
        ReferenceCase("real head CT", real_head_ct(folder / "head_ct_ge", spacing_mm), "not flagged"),
        ReferenceCase(
            "average brain", regular_nifti(nifti / "ct_brain_atlas_1mm.nii.gz", spacing_mm), "not flagged"
        ),
        ReferenceCase("phantom, sheared", regular_nifti(nifti / "shear.nii.gz", spacing_mm), "refused"),
        ReferenceCase("phantom, 8 bit", regular_nifti(nifti / "CT_pitch.nii.gz", spacing_mm), "refused"),
    ]


def real_head_ct(folder: Path, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """The tilted, unevenly spaced series in ``folder`` on a regular grid [z, y, x].

    Holds for slices that share one orientation whose rows run along x (a gantry tilted about x).
    """
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    first = slices[0]
    hu = np.stack(
        [ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in slices]
    ).astype(np.float32)
    row_mm, column_mm = (float(v) for v in first.PixelSpacing)
    down_y, down_z = float(first.ImageOrientationPatient[4]), float(first.ImageOrientationPatient[5])
    at_z = np.array([float(ds.ImagePositionPatient[2]) for ds in slices])
    x0, y0 = float(first.ImagePositionPatient[0]), float(first.ImagePositionPatient[1])
    height = (hu.shape[1] - 1) * row_mm
    ends_z = [at_z[0] + min(0.0, height * down_z), at_z[-1] + max(0.0, height * down_z)]
    z, y, x = np.meshgrid(
        np.arange(ends_z[0], ends_z[1], spacing_mm[0]),
        np.arange(y0, y0 + height * down_y, spacing_mm[1]),
        np.arange(x0, x0 + (hu.shape[2] - 1) * column_mm, spacing_mm[2]),
        indexing="ij",
    )
    row = (y - y0) / (row_mm * down_y)
    # A tilted slice reaches height z at a row that depends on where its first row lies.
    table_z = z - row * row_mm * down_z
    index = np.interp(table_z, at_z, np.arange(len(at_z)), left=-5.0, right=-5.0)
    blurred = ndimage.gaussian_filter(
        hu, [0.0, 0.4 * spacing_mm[1] / row_mm, 0.4 * spacing_mm[2] / column_mm]
    )
    volume: NDArray[np.float32] = ndimage.map_coordinates(
        blurred, [index, row, (x - x0) / column_mm], order=1, cval=OUTSIDE_HU
    )
    return volume


def regular_nifti(path: Path, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """A NIfTI volume, sheared or rotated as it may be, on a regular LPS grid [z, y, x]."""
    image: Any = nibabel.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    ends = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    ends[:, :3] *= np.array(data.shape) - 1
    corners = (to_lps @ ends.T)[:3]
    axes = [
        np.arange(low, high, step)
        for low, high, step in zip(
            corners.min(axis=1), corners.max(axis=1), reversed(spacing_mm), strict=True
        )
    ]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    voxel_mm = np.linalg.norm(image.affine[:3, :3], axis=0)
    blur = [0.4 * max(0.0, s / v - 1.0) for s, v in zip(reversed(spacing_mm), voxel_mm, strict=True)]
    inverse = np.linalg.inv(to_lps)
    where = np.stack(
        [inverse[i, 0] * x + inverse[i, 1] * y + inverse[i, 2] * z + inverse[i, 3] for i in range(3)]
    )
    volume: NDArray[np.float32] = ndimage.map_coordinates(
        ndimage.gaussian_filter(data, blur), where, order=1, cval=OUTSIDE_HU
    )
    return volume
