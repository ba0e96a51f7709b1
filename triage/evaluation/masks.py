"""Masks on the slices of a series, kept by SOP Instance UID so that they fit whatever order a reader takes.

A file is a numpy archive: `mask`, bool [slice, row, column], `sop_instance_uids`, one for each slice, and,
for objects of several frames, `frames`, counted from 1.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Place = tuple[str, int]
"""SOP Instance UID and number of the frame, counted from 1."""


class MaskUnreadable(Exception):
    """Not a mask as described above; the message says what is wrong."""


@dataclass(frozen=True)
class SliceMask:
    """A mask [slice, row, column] and where each of its slices belongs."""

    mask: NDArray[np.bool_]
    places: tuple[Place, ...]

    def on(self, places: tuple[Place, ...]) -> NDArray[np.bool_]:
        """The same mask on other slices of the same series; empty where it has none."""
        known = {place: index for index, place in enumerate(self.places)}
        found = np.zeros((len(places), *self.mask.shape[1:]), dtype=bool)
        for index, place in enumerate(places):
            if place in known:
                found[index] = self.mask[known[place]]
        return found

    def at(self, place: Place) -> NDArray[np.bool_] | None:
        """Its slice [row, column] at a place, or None."""
        return self.mask[self.places.index(place)] if place in self.places else None

    @property
    def fullest(self) -> Place | None:
        """Where most of it lies; None when it is empty."""
        area = self.mask.sum(axis=(1, 2))
        return self.places[int(area.argmax())] if area.any() else None


def save(path: Path, mask: SliceMask) -> None:
    """Write a mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        mask=mask.mask,
        sop_instance_uids=np.array([uid for uid, _ in mask.places]),
        frames=np.array([frame for _, frame in mask.places], dtype=np.int32),
    )


def load(path: Path) -> SliceMask:
    """Read a mask; raises MaskUnreadable."""
    try:
        with np.load(path, allow_pickle=False) as content:
            mask = np.asarray(content["mask"], dtype=bool)
            uids = [str(uid) for uid in content["sop_instance_uids"]]
            frames = [int(n) for n in content["frames"]] if "frames" in content else [1] * len(uids)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise MaskUnreadable(f"{path.name} is no mask: {error}") from error
    if mask.ndim != 3 or not len(mask) == len(uids) == len(frames):
        raise MaskUnreadable(f"{path.name}: mask {mask.shape} for {len(uids)} slices")
    return SliceMask(mask, tuple(zip(uids, frames, strict=True)))
