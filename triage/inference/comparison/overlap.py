"""Which parts of a finding lie on which parts of the earlier one, and how much lies beyond them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triage.inference.comparison.registration import Alignment, NotRegistered
from triage.inference.comparison.rule import Group
from triage.inference.volume import SliceStack

Mask = NDArray[np.bool_]

GRID_MM: Final = 2.0
# Registration and the thickness of slices leave an outline uncertain by this much.
TOLERANCE_MM: Final = 4.0
# A part has a counterpart when this much of it lies within the tolerance of the old outline.
LEAST_ON_OLD: Final = 0.3
# Clearly outside the old outline.
BEYOND_MM: Final = 6.0
_MARGIN_MM = 10.0


def groups_of(
    *,
    now: tuple[SliceStack, Mask, float],
    before: tuple[SliceStack, Mask, float],
    alignment: Alignment,
) -> list[Group]:
    """Parts that belong together, with their volumes in mL.

    Args:
        now: slices, mask [slice, row, column] and the finding's volume in mL, which scales the parts': masks
            on slices show every slice that a lesion passes through and add up to more.
        before: the same of the earlier finding.
        alignment: from the new scan to the earlier one.

    Raises:
        NotRegistered: part of the finding lies where the earlier scan shows nothing.
    """
    stack, mask, now_ml = now
    prior_stack, prior_mask, before_ml = before
    if not mask.any() or not prior_mask.any():
        raise ValueError("there is nothing to compare")
    points = _grid([_corners(stack, mask), alignment.to_current(_corners(prior_stack, prior_mask))])
    here, _ = _sampled(stack, mask, points)
    there, shown = _sampled(prior_stack, prior_mask, alignment.to_prior(points))
    if not here.any() or not there.any():
        raise NotRegistered("the finding is too small to be compared")
    if (here & ~shown).sum() > 0.02 * here.sum():
        raise NotRegistered("the earlier scan does not show all of where the finding lies")
    labels, count = ndimage.label(here, structure=np.ones((3, 3, 3)))
    old_labels, old_count = ndimage.label(there, structure=np.ones((3, 3, 3)))
    distance = ndimage.distance_transform_edt(~there, GRID_MM)
    nearest = ndimage.distance_transform_edt(~there, return_distances=False, return_indices=True)
    ml, old_ml = now_ml / float(here.sum()), before_ml / float(there.sum())
    old_sizes = np.bincount(old_labels.ravel(), minlength=old_count + 1) * old_ml
    links: dict[int, set[int]] = {}
    for part in range(1, count + 1):
        inside = labels == part
        near = inside & (distance <= TOLERANCE_MM)
        if near.sum() >= LEAST_ON_OLD * inside.sum():
            touched = old_labels[tuple(axis[near] for axis in nearest)]
            links[part] = set(np.unique(touched).tolist()) - {0}
        else:
            links[part] = set()
    groups = []
    for parts, old in _joined(links):
        inside = np.isin(labels, list(parts))
        groups.append(
            Group(
                now_ml=float(inside.sum()) * ml,
                before_ml=float(sum(old_sizes[number] for number in old)),
                beyond_ml=float((inside & (distance > BEYOND_MM)).sum()) * ml if old else 0.0,
            )
        )
    return groups


def _joined(links: dict[int, set[int]]) -> Iterator[tuple[set[int], set[int]]]:
    """Parts that share an old part belong together; a part without one stands alone."""
    waiting = dict(links)
    while waiting:
        part, old = waiting.popitem()
        parts, found = {part}, set(old)
        while more := [other for other, theirs in waiting.items() if theirs & found]:
            for other in more:
                parts.add(other)
                found |= waiting.pop(other)
        yield parts, found


def _corners(stack: SliceStack, mask: Mask) -> NDArray[np.float64]:
    """LPS points that the mask lies between, both faces of its slices."""
    found = []
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        rows, columns = np.nonzero(mask[index])
        box = np.array(
            [(r, c) for r in (rows.min() - 1, rows.max() + 1) for c in (columns.min() - 1, columns.max() + 1)]
        )
        points = stack.points_of(int(index), box[:, 0], box[:, 1])
        bottom, top = stack.slabs_mm[index] - stack.depths_mm[index]
        found += [points + bottom * stack.normal, points + top * stack.normal]
    return np.concatenate(found)


def _grid(corners: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Regular LPS points around all corners, float64 [z, y, x, 3]."""
    points = np.concatenate(list(corners))
    low, high = points.min(axis=0) - _MARGIN_MM, points.max(axis=0) + _MARGIN_MM
    axes = [np.arange(a, b + GRID_MM, GRID_MM) for a, b in zip(low, high, strict=True)]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return np.stack([x, y, z], axis=-1)


def _sampled(stack: SliceStack, mask: Mask, points: NDArray[np.float64]) -> tuple[Mask, Mask]:
    """The mask at LPS points, and where the slices show anything at all."""
    depth = points @ stack.normal
    index = np.clip(np.searchsorted(stack.slabs_mm[1:, 0], depth), 0, len(mask) - 1)
    row, column = stack.pixels_of(index, points)
    rows, columns = mask.shape[1:]
    shown = (depth >= stack.slabs_mm[0, 0]) & (depth <= stack.slabs_mm[-1, 1])
    shown &= (row > -0.5) & (row < rows - 0.5) & (column > -0.5) & (column < columns - 0.5)
    r = np.clip(np.rint(row), 0, rows - 1).astype(int)
    c = np.clip(np.rint(column), 0, columns - 1).astype(int)
    return mask[index, r, c] & shown, shown
