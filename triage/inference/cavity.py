"""Where inside a head a finding can be: the skull's cavity, without its partial-volume ends."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_BONE_HU = 250.0
_CLOSING_MM = 8.0
# The base of the skull is open to the face; below the lowest closed slice the cavity's outline goes on so far.
_BASE_MM = 45.0
# A smaller cavity is no adult head: a skull-stripped or a truncated volume, where nothing is left out.
_SMALLEST_ML = 500.0
# Near the vertex and in the foramen magnum a thick slice averages bone and brain to the grey of blood.
_SMALLEST_SHARE_OF_WIDEST_SLICE = 0.25


Measure = Callable[[NDArray[np.floating[Any]], Sequence[float]], NDArray[np.bool_] | None]


def _remembered(measure: Measure) -> Measure:
    """Guard, extraction and midline ask about one volume each: the answer to the last one is kept.

    Only about a volume that nobody can write to; callers get copies.
    """
    last: list[tuple[weakref.ref[NDArray[Any]], tuple[float, ...], NDArray[np.bool_] | None]] = []

    @functools.wraps(measure)
    def ask(volume_hu: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> NDArray[np.bool_] | None:
        spacing = tuple(float(v) for v in spacing_mm)
        for about, at, answer in last:
            if about() is volume_hu and at == spacing:
                return None if answer is None else answer.copy()
        answer = measure(volume_hu, spacing)
        if not volume_hu.flags.writeable:
            last[:] = [(weakref.ref(volume_hu), spacing, None if answer is None else answer.copy())]
        return answer

    return ask


def analysable(volume_hu: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Voxels that may hold a bleed: inside the skull, in slices that show enough of the cavity.

    ``volume_hu`` is [z, y, x] in HU, ``spacing_mm`` is (z, y, x). Returns bool of the same shape; all True where
    there is no closed skull of at least 500 mL. Muscle outside the skull is out; so are slices whose cavity is
    below a quarter of the widest one. In the base, where no slice is closed, the outline of the cavity above holds
    for 45 mm.
    """
    found = _analysable(volume_hu, spacing_mm)
    return np.ones(volume_hu.shape, dtype=bool) if found is None else found


@_remembered
def _analysable(
    volume_hu: NDArray[np.floating[Any]], spacing_mm: Sequence[float]
) -> NDArray[np.bool_] | None:
    cavity = closed_cavity(volume_hu, spacing_mm)
    if cavity is None:
        return None
    area = cavity.sum(axis=(1, 2))
    cavity[area < _SMALLEST_SHARE_OF_WIDEST_SLICE * area.max()] = False
    lowest = int(np.flatnonzero(cavity.any(axis=(1, 2)))[0])
    cavity[max(0, lowest - round(_BASE_MM / float(spacing_mm[0]))) : lowest] |= cavity.any(axis=0)
    # The closing smooths the inner table: blood that lies in its hollows comes back.
    near = ndimage.binary_dilation(cavity, structure=_disk(spacing_mm)[None])
    result: NDArray[np.bool_] = near & ~(np.asarray(volume_hu) > _BONE_HU)
    return result


@_remembered
def closed_cavity(
    volume_hu: NDArray[np.floating[Any]], spacing_mm: Sequence[float]
) -> NDArray[np.bool_] | None:
    """What the skull encloses within single axial slices, bool [z, y, x]; None where that is below 500 mL.

    ``volume_hu`` is [z, y, x] in HU, ``spacing_mm`` is (z, y, x). Near the base, where the skull is open to
    the face, there is nothing.
    """
    bone = np.asarray(volume_hu) > _BONE_HU
    disk = _disk(spacing_mm)
    radius = len(disk) // 2
    cavity = np.zeros(volume_hu.shape, dtype=bool)
    for z, plane in enumerate(bone):
        if not plane.any():
            continue
        closed = ndimage.binary_closing(np.pad(plane, radius), structure=disk)[radius:-radius, radius:-radius]
        cavity[z] = ndimage.binary_fill_holes(closed) & ~closed
    # Orbits, sinuses and air cells are closed off by bone, too: the brain's cavity is the largest.
    labels, count = ndimage.label(ndimage.binary_erosion(cavity, structure=disk[None], border_value=0))
    if count == 0:
        return None
    core = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    cavity = ndimage.binary_dilation(core, structure=disk[None], mask=cavity)
    if float(cavity.sum()) * float(np.prod(spacing_mm)) / 1000.0 < _SMALLEST_ML:
        return None
    return cavity


def _disk(spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    radius = max(1, round(_CLOSING_MM / 2.0 / float(spacing_mm[1])))
    disk: NDArray[np.bool_] = np.hypot(*np.ogrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    return disk
