"""Only what lies inside the skull can be a bleed, and nothing inside it is left out."""

from __future__ import annotations

import numpy as np
import pytest

from pacs.synthetic.heads import make_head
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion
from triage.inference.cavity import analysable

SPACING = (4.0, 2.0, 2.0)
SHAPE = (45, 120, 120)


@pytest.mark.parametrize("kind", LESION_KINDS)
@pytest.mark.parametrize("seed", [3, 11])
def test_a_drawn_bleed_lies_in_what_is_looked_at(kind: str, seed: int) -> None:
    head = make_head(seed, SPACING, SHAPE)
    blood = insert_lesion(head, kind, 12.0, seed) > 0
    assert (blood & analysable(head.hu, SPACING)).sum() >= 0.95 * blood.sum()


def _shell(open_below: int = 0) -> np.ndarray:
    """A sphere of brain in a shell of bone in a shell of muscle; the lowest slices have no bone in front."""
    z, y, x = np.indices(SHAPE) * np.reshape(SPACING, (3, 1, 1, 1))
    radius = np.sqrt((z - 90) ** 2 + (y - 120) ** 2 + (x - 120) ** 2)
    hu = np.full(SHAPE, -1000.0)
    hu[radius < 86] = 55.0
    hu[radius < 78] = 1000.0
    hu[radius < 70] = 35.0
    if open_below:
        hu[:open_below, :60][hu[:open_below, :60] > 500] = 35.0
    return hu


def test_muscle_outside_and_the_ends_of_the_cavity_are_not_looked_at() -> None:
    looked_at = analysable(_shell(), SPACING)
    z, y, x = np.indices(SHAPE) * np.reshape(SPACING, (3, 1, 1, 1))
    radius = np.sqrt((z - 90) ** 2 + (y - 120) ** 2 + (x - 120) ** 2)
    middle = np.abs(z - 90) < 40
    assert not looked_at[middle & (radius > 80)].any()
    assert looked_at[middle & (radius < 66)].all()
    assert not looked_at[z > 90 + 66].any(), "near the vertex a slice averages bone and brain"


def test_an_open_base_is_looked_at_under_the_closed_slices() -> None:
    looked_at = analysable(_shell(open_below=18), SPACING)
    assert looked_at[14, 60, 60]
    assert not looked_at[2].any()


def test_without_a_skull_everything_is_looked_at() -> None:
    hu = _shell()
    hu[hu > 500] = -1000.0
    assert analysable(hu, SPACING).all()


def test_the_answer_for_one_volume_is_kept_only_while_nobody_can_change_it() -> None:
    hu = _shell()
    first = analysable(hu, SPACING)
    hu[:] = -1000.0
    assert (
        analysable(hu, SPACING).all() and not first.all()
    )  # no skull any more: seen, because it was asked anew
    fixed = _shell()
    fixed.flags.writeable = False
    kept = analysable(fixed, SPACING)
    kept[:] = False
    again = analysable(fixed, SPACING)
    assert (again == first).all()
    assert not (analysable(fixed, (4.0, 4.0, 4.0)) == first).all()
