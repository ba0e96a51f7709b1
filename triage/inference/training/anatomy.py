"""Base anatomy for training: average brains from the reference data, beside procedural heads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.fields import Array, NoiseField, Points, rotation
from pacs.synthetic.heads import SyntheticHead
from pacs.synthetic.parameters import HeadParameters, draw_parameters

_AIR_HU = -1000.0
#: Head coordinates that the middle and half-width of a brain's bounding box are mapped to, (x, y, z) in mm.
_BOX_CENTRE = (0.0, 0.0, 6.0)
_BOX_HALF = (68.0, 82.0, 66.0)


@dataclass(frozen=True)
class ReferenceBrain:
    """An average brain: ``hu`` [z, y, x] on an isotropic grid of ``spacing_mm`` mm, LPS, ``brain`` its mask."""

    name: str
    hu: Array
    brain: NDArray[np.bool_]
    spacing_mm: float


def shared_data() -> Path | None:
    """Folder of the reference data: FIRSTREAD_SHARED_DATA, or ../shared/data beside the project; else None."""
    named = os.environ.get("FIRSTREAD_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3].parent / "shared" / "data"
    return folder if (folder / "nifti").is_dir() else None


def read_lps(path: Path) -> tuple[Array, tuple[float, float, float]]:
    """A NIfTI volume as [z, y, x] growing to head, posterior and left, with its spacing (z, y, x) in mm.

    Axes are flipped and swapped only: an oblique volume stays on its own grid.
    """
    image = nibabel.as_closest_canonical(nibabel.load(path))
    data = np.asarray(image.dataobj, dtype=np.float32)[::-1, ::-1, :].transpose(2, 1, 0)
    x, y, z = (float(v) for v in image.header.get_zooms()[:3])
    return np.ascontiguousarray(data), (z, y, x)


def cormack_to_hu(cormack: Array) -> Array:
    """Undo the Cormack stretch of neurolabusc/Clinical: -124..76 HU was spread eleven times wider."""
    stretched = 900.0 + (cormack - 900.0) / 11.0
    hu: Array = np.where(cormack < 900.0, cormack, np.where(cormack < 3100.0, stretched, cormack - 2000.0))
    return (hu - 1024.0).astype(np.float32)


@lru_cache(maxsize=1)
def reference_brains() -> tuple[ReferenceBrain, ...]:
    """The average brains at hand; empty when the reference data is absent."""
    folder = shared_data()
    if folder is None:
        return ()
    atlas, spacing = read_lps(folder / "nifti" / "ct_brain_atlas_1mm.nii.gz")
    clinical, clinical_spacing = read_lps(folder / "nifti" / "scct.nii")
    clinical = cormack_to_hu(clinical)
    return (
        ReferenceBrain("average brain", atlas, _brain_mask(atlas, 3, 75.0), spacing[0]),
        ReferenceBrain("average elderly head", clinical, _brain_mask(clinical, 3, 55.0), clinical_spacing[0]),
    )


@lru_cache(maxsize=1)
def lesion_shapes() -> tuple[tuple[Array, float], ...]:
    """Depth in mm inside each larger clot of the hand-corrected reference segmentation, with its volume in mL.

    Only the intraparenchymal class: the others follow their own patient's skull and ventricles.
    """
    folder = shared_data()
    if folder is None:
        return ()
    labels, _ = read_lps(folder / "nifti" / "blast_scan_0_segmentation.nii.gz")
    parts, _ = ndimage.label(labels == 1)
    sizes = np.bincount(parts.ravel())
    shapes = []
    for index, box in enumerate(ndimage.find_objects(parts), start=1):
        if sizes[index] < 400:
            continue
        part = np.pad(parts[box] == index, 12)
        depth = ndimage.distance_transform_edt(part) - ndimage.distance_transform_edt(~part)
        shapes.append((depth.astype(np.float32), float(sizes[index]) / 1000.0))
    return tuple(shapes)


def _brain_mask(hu: Array, steps: int, brightest_hu: float) -> NDArray[np.bool_]:
    ball = ndimage.generate_binary_structure(3, 1)
    core = ndimage.binary_erosion((hu > 2.0) & (hu < brightest_hu), ball, iterations=steps)
    parts, _ = ndimage.label(core)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    grown = ndimage.binary_dilation(parts == int(sizes.argmax()), ball, iterations=steps)
    closed = ndimage.binary_closing(np.pad(grown, 12), ball, iterations=6)
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(closed)[12:-12, 12:-12, 12:-12]
    return filled


def make_reference_head(
    brain: ReferenceBrain, seed: int, spacing_mm: Sequence[float], *, with_skull: bool
) -> SyntheticHead:
    """An average brain, turned, scaled and bent by the seed, on a grid of ``spacing_mm`` (z, y, x).

    A brain without its skull gets a procedural one when ``with_skull``; otherwise air or water around it, as
    skull-stripped volumes have.
    """
    rng = np.random.default_rng([seed, 31])
    p = _upright(draw_parameters(seed))
    inner = np.argwhere(brain.brain)
    low, high = inner.min(axis=0) * brain.spacing_mm, inner.max(axis=0) * brain.spacing_mm
    size = (high - low) * rng.normal(1.0, 0.05, 3)
    margin = 26.0
    shape = [int(np.ceil((s + 2 * margin) / step)) for s, step in zip(size, spacing_mm, strict=True)]
    axes = [
        ((np.arange(n) - (n - 1) / 2) * s).astype(np.float32) for n, s in zip(shape, spacing_mm, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    turn = rotation((float(rng.normal(0, 7)), float(rng.normal(0, 4)), float(rng.normal(0, 7)))).T
    flip = 1.0 if rng.random() < 0.5 else -1.0
    turned = [turn[i, 0] * x + turn[i, 1] * y + turn[i, 2] * z for i in range(3)]
    bend = NoiseField(rng, 70.0)
    unit = [2.0 * t / s for t, s in zip(turned, reversed(list(size)), strict=True)]
    bent = [
        u + 0.022 * bend.at((turned[i] + 40.0 * i, turned[(i + 1) % 3], turned[(i + 2) % 3]))
        for i, u in enumerate(unit)
    ]
    bent[0] = bent[0] * flip
    middle, half = (low + high) / 2, (high - low) / 2
    where = np.stack([(bent[2 - i] * half[i] + middle[i]) / brain.spacing_mm for i in range(3)])
    sample = ndimage.map_coordinates(brain.hu, where, order=1, cval=float(brain.hu[0, 0, 0]))
    mask = ndimage.map_coordinates(brain.brain.astype(np.float32), where, order=1) > 0.5
    step = [float(s) for s in spacing_mm]
    # A distance transform counts from the first voxel beyond: half a voxel less is the way to the surface.
    inward = np.clip(ndimage.distance_transform_edt(mask, sampling=step) - step[1] / 2, 0.0, None)
    outward = np.clip(ndimage.distance_transform_edt(~mask, sampling=step) - step[1] / 2, 0.0, None)
    cavity = (inward - outward).astype(np.float32)
    points: Points = (
        (unit[0] * _BOX_HALF[0] + _BOX_CENTRE[0]).astype(np.float32),
        (unit[1] * _BOX_HALF[1] + _BOX_CENTRE[1]).astype(np.float32),
        (unit[2] * _BOX_HALF[2] + _BOX_CENTRE[2]).astype(np.float32),
    )
    hu = sample.astype(np.float32)
    if float(brain.hu.min()) > -200.0:
        if with_skull:
            hu, cavity = _dress(hu, mask, cavity, points, p, rng)
            mask = cavity > 0.0
        elif rng.random() < 0.5:
            hu[cavity < -1.0] = _AIR_HU
    dark = mask & (hu < 23.0)
    ventricles = ndimage.binary_opening(dark & (cavity > 18.0))
    ventricle_mm = ndimage.distance_transform_edt(ventricles, sampling=step)
    ventricle_mm -= ndimage.distance_transform_edt(~ventricles, sampling=step)
    fluid = np.where(dark & ~ventricles, np.clip((26.0 - hu) / 12.0, 0.0, 1.0), 0.0)
    # Average brains have blurred sulci: the outermost millimetres stand for the space around the cortex.
    fluid = np.maximum(fluid, 0.5 * ((cavity > 0) & (cavity < 2.5)))
    return SyntheticHead(
        hu=hu.astype(np.float32),
        brain=mask,
        cavity_mm=cavity,
        ventricles_mm=ventricle_mm.astype(np.float32),
        outer_fluid=fluid.astype(np.float32),
        points_mm=points,
        spacing_mm=(step[0], step[1], step[2]),
        origin_lps_mm=(float(axes[2][0]), float(axes[1][0]), float(axes[0][0])),
        parameters=p,
    )


def _upright(p: HeadParameters) -> HeadParameters:
    return replace(p, rotation_deg=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0), offset_mm=(0.0, 0.0, 0.0))


def _dress(
    hu: Array,
    mask: NDArray[np.bool_],
    cavity: Array,
    points: Points,
    p: HeadParameters,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Fluid, skull, fat and skin around a bare brain; returns grey values and the depth below the new skull."""
    gap = float(rng.uniform(0.3, 3.5))
    noise = NoiseField(rng, 35.0).at(points)
    inner = cavity + gap
    skull = p.skull_mm * (1.0 + 0.2 * noise)
    out = -inner
    dressed = np.where(mask, hu, p.csf_hu)
    spongy = np.exp(-(((out / skull - 0.5) / 0.2) ** 2))
    dressed = np.where(out > 0, p.table_hu - (p.table_hu - p.diploe_hu) * spongy, dressed)
    dressed = np.where(out > skull, -95.0, dressed)
    dressed = np.where(out > skull + p.scalp_mm - 2.0, 30.0, dressed)
    dressed = np.where(out > skull + p.scalp_mm, _AIR_HU, dressed)
    return dressed.astype(np.float32), inner.astype(np.float32)
