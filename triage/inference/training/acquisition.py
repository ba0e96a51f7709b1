"""From a noise-free head to the regular volume that a bundle sees, through a randomised scanner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.fields import Array, NoiseField
from pacs.synthetic.heads import SyntheticHead
from triage.inference.training.lookalikes import ghost

Range = tuple[float, float]


@dataclass(frozen=True)
class Scanner:
    """What scanners of one population do: thicknesses and ranges in mm and HU, chances from 0 to 1.

    ``sharpen`` is the strength of an edge-enhancing kernel; ``grain_mm`` the correlation length of noise. Noise
    rises as slices get thinner, down to ``noise_from_mm``: heads are drawn in planes of 2.5 mm, which stand for
    the mean of thinner slices. Training goes further down, to more noise than such a mean has. ``uneven`` is
    the chance of slices at uneven gaps.
    """

    thickness_mm: tuple[float, ...]
    noise_hu: Range
    kernel_mm: Range
    sharpen: Range
    grain_mm: Range
    tilt_deg: Range
    motion: float
    noise_from_mm: float
    uneven: float = 0.0


TRAINING_SCANNER = Scanner(
    thickness_mm=(0.6, 1.25, 2.5, 3.0, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0, 8.0),
    noise_hu=(1.5, 9.0),
    kernel_mm=(0.0, 1.1),
    sharpen=(0.0, 0.4),
    grain_mm=(0.25, 1.2),
    tilt_deg=(3.0, 26.0),
    motion=0.12,
    noise_from_mm=1.5,
    uneven=0.15,
)
#: Thicknesses that training never uses, coarser grain, stronger tilt and edges.
HELD_OUT_SCANNER = Scanner(
    thickness_mm=(1.0, 2.0, 3.5, 4.5, 5.5, 6.5),
    noise_hu=(2.5, 7.0),
    kernel_mm=(0.1, 0.9),
    sharpen=(0.1, 0.4),
    grain_mm=(0.5, 1.1),
    tilt_deg=(10.0, 27.0),
    motion=0.12,
    noise_from_mm=2.5,
)


@dataclass(frozen=True)
class Volume:
    """A regular volume: ``hu`` and ``target`` (part of blood, 0..1) are [z, y, x] at the bundle's spacing."""

    hu: NDArray[np.float32]
    target: NDArray[np.float32]


def acquire(
    head: SyntheticHead,
    mask: NDArray[np.bool_],
    target_spacing_mm: Sequence[float],
    rng: np.random.Generator,
    *,
    hard: bool = True,
    scanner: Scanner = TRAINING_SCANNER,
) -> Volume:
    """Scan ``head`` with random thickness, gaps, kernel, noise, motion, shading, coverage and field of view.

    ``mask`` is the blood in ``head``, ``scanner`` what is drawn from. With ``hard`` False it
    is an ordinary one: 5 mm slices, little
    variation (evaluation). Slices are laid back on the regular grid by linear interpolation, as the triage
    geometry does.
    """
    dz, dy, dx = head.spacing_mm
    hu, blood = head.hu, mask.astype(np.float32)
    if hard and rng.random() < 0.5:
        hu = _vary_grey(head, rng)
    thickness = float(rng.choice(scanner.thickness_mm)) if hard else 5.0
    blur = [max(0.0, thickness**2 - dz**2) ** 0.5 / 12**0.5 / dz, 0.0, 0.0]
    kernel_mm = float(rng.uniform(*scanner.kernel_mm))
    blur[1], blur[2] = kernel_mm / dy, kernel_mm / dx
    hu = ndimage.gaussian_filter(hu, blur)
    blood = ndimage.gaussian_filter(blood, blur)
    if hard and rng.random() < 0.35:
        soft = ndimage.gaussian_filter(hu, [0.0, 1.6 / dy, 1.6 / dx])
        hu = hu + float(rng.uniform(*scanner.sharpen)) * np.clip(hu - soft, -150.0, 150.0)
    uneven = scanner.uneven if hard else 0.0
    positions = _slice_positions(hu.shape[0] * dz, max(thickness, dz), rng, hard, uneven)
    hu, blood = _take_slices(hu, positions / dz), _take_slices(blood, positions / dz)
    if hard and rng.random() < scanner.motion:
        hu = ghost(hu, (dy, dx), rng)
    level = float(rng.uniform(*scanner.noise_hu)) if hard else float(rng.uniform(3.2, 5.5))
    level *= (5.0 / max(thickness, scanner.noise_from_mm)) ** 0.5
    hu = hu + _slice_noise(hu.shape, level, float(rng.uniform(*scanner.grain_mm)), (dy, dx), rng)
    tilt = float(np.deg2rad(head.tilt_deg))
    plane = [float(target_spacing_mm[1]) / (dy * np.cos(tilt)), float(target_spacing_mm[2]) / dx]
    smooth = float(rng.uniform(0.0, 0.45)) if hard else 0.4
    hu = _zoom_plane(hu, plane, smooth)
    blood = _zoom_plane(blood, plane, 0.4)
    hu = _lay_back(hu, positions, target_spacing_mm, tilt, -1000.0)
    blood = _lay_back(blood, positions, target_spacing_mm, tilt, 0.0)
    if hard and rng.random() < 0.5:
        hu, blood = _crop(hu, blood, target_spacing_mm, rng)
    return Volume(np.clip(hu, -1024, 3071).astype(np.float32), np.clip(blood, 0, 1).astype(np.float32))


def _vary_grey(head: SyntheticHead, rng: np.random.Generator) -> Array:
    """Calibration errors, shading over the head, streaks at the base."""
    x, y, z = head.points_mm
    hu = head.hu * float(rng.uniform(0.95, 1.05)) + float(rng.normal(0.0, 1.5))
    shade = float(rng.uniform(0.0, 2.5)) * NoiseField(rng, 110.0).at(head.points_mm)
    if rng.random() < 0.4:
        angle = float(rng.uniform(-0.5, 0.5))
        wave = np.sin((y * np.cos(angle) + x * np.sin(angle)) / float(rng.uniform(3.0, 9.0)))
        centre = float(rng.uniform(-40.0, -10.0))
        shade = shade + float(rng.uniform(2.0, 7.0)) * wave * np.exp(-(((z - centre) / 9.0) ** 2))
    return hu + shade * (hu > -300.0)


def _slice_positions(
    length_mm: float, thickness: float, rng: np.random.Generator, hard: bool, uneven: float = 0.0
) -> NDArray[np.float64]:
    """Positions of slice centres in mm from the first voxel; sometimes two zones of different spacing.

    With the chance ``uneven`` no two gaps are the same.
    """
    if uneven > 0.0 and rng.random() < uneven:
        gaps = thickness * rng.uniform(0.4, 1.6, int(length_mm / (0.4 * thickness)) + 2)
        places = np.cumsum(gaps)
        return np.asarray(places[places < length_mm - 1.0])
    start = float(rng.uniform(0.0, thickness))
    step = thickness * (float(rng.uniform(0.8, 1.15)) if hard and rng.random() < 0.3 else 1.0)
    if hard and rng.random() < 0.2:
        change = float(rng.uniform(0.25, 0.6)) * length_mm
        lower = np.arange(start, change, 0.6 * step)
        upper = np.arange(lower[-1] + float(rng.uniform(0.3, 1.0)) * step, length_mm - 1.0, step)
        return np.concatenate([lower, upper])
    return np.arange(start, length_mm - 1.0, step)


def _take_slices(volume: Array, at: NDArray[np.float64]) -> Array:
    """Slices at fractional positions by linear interpolation between the two nearest."""
    at = np.clip(at, 0.0, volume.shape[0] - 1.0)
    below = np.minimum(at.astype(int), volume.shape[0] - 2)
    part = (at - below).astype(np.float32)[:, None, None]
    mixed: Array = volume[below] * (1.0 - part) + volume[below + 1] * part
    return mixed


def _lay_back(
    slices: Array,
    positions: NDArray[np.float64],
    spacing_mm: Sequence[float],
    tilt: float,
    fill: float,
) -> Array:
    """Slices at table positions to a regular grid, averaged over its voxels as the triage geometry does.

    A tilted slice crosses several planes of the grid.
    """
    rows = np.arange(slices.shape[1])
    down = (rows - rows.mean()) * float(spacing_mm[1]) * np.tan(tilt)
    step = float(spacing_mm[0])
    z_grid = np.arange(positions[0] - down.max(), positions[-1] - down.min() + 0.01, step)
    count = int(np.clip(step / float(np.median(np.diff(positions))), 1, 8))
    laid: Array = np.zeros((len(z_grid), *slices.shape[1:]), dtype=np.float32)
    for shift in ((np.arange(count) + 0.5) / count - 0.5) * step:
        at = np.interp(
            z_grid[:, None] + shift + down[None, :],
            positions,
            np.arange(len(positions)),
            left=np.nan,
            right=np.nan,
        )
        outside = np.isnan(at)
        at = np.where(outside, 0.0, at)
        below = np.minimum(at.astype(int), len(positions) - 2)
        part = (at - below).astype(np.float32)[..., None]
        one = slices[below, rows] * (1.0 - part) + slices[below + 1, rows] * part
        one[outside] = fill
        laid += (one / count).astype(np.float32)
    return laid


def _slice_noise(
    shape: tuple[int, ...],
    level_hu: float,
    grain_mm: float,
    step: tuple[float, float],
    rng: np.random.Generator,
) -> Array:
    """Noise as a reconstruction leaves it: grain of ``grain_mm``, little power at low frequencies."""
    white = rng.standard_normal(shape, dtype=np.float32)
    fine = ndimage.gaussian_filter(white, [0.0, grain_mm / step[0], grain_mm / step[1]])
    noise = fine - 0.7 * ndimage.gaussian_filter(white, [0.0, 2.5 / step[0], 2.5 / step[1]])
    scaled: Array = noise * (level_hu / float(noise[:: max(1, shape[0] // 8)].std()))
    return scaled


def _zoom_plane(volume: Array, factor: Sequence[float], smooth: float) -> Array:
    """Sample rows and columns every ``factor`` voxels, after a blur of ``smooth`` times the step."""
    if smooth > 0.0:
        volume = ndimage.gaussian_filter(volume, [0.0, smooth * factor[0], smooth * factor[1]])
    rows = np.arange(0.0, volume.shape[1] - 1.0, factor[0])
    columns = np.arange(0.0, volume.shape[2] - 1.0, factor[1])
    by_row: Array = _take_slices(volume.swapaxes(0, 1), rows).swapaxes(0, 1)
    by_column: Array = _take_slices(by_row.transpose(2, 0, 1), columns).transpose(1, 2, 0)
    return by_column


def _crop(
    hu: Array, blood: Array, spacing_mm: Sequence[float], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Leave out slices at either end, never ones that hold blood, and part of the air around the head."""
    filled = np.flatnonzero(blood.sum(axis=(1, 2)) > 0.5)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (hu.shape[0], 0)
    low = min(int(rng.uniform(0.0, 45.0) / spacing_mm[0]), first)
    high = hu.shape[0] - min(int(rng.uniform(0.0, 15.0) / spacing_mm[0]), hu.shape[0] - 1 - last)
    tissue = np.argwhere((hu > -500.0).any(axis=0))
    (y0, x0), (y1, x1) = tissue.min(axis=0), tissue.max(axis=0) + 1
    box: tuple[Any, ...] = (
        slice(low, max(high, low + 8)),
        slice(max(0, y0 - int(rng.integers(0, 8))), y1 + int(rng.integers(0, 8))),
        slice(max(0, x0 - int(rng.integers(0, 8))), x1 + int(rng.integers(0, 8))),
    )
    return hu[box], blood[box]
