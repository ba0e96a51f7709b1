"""The midline's shift is measured with an uncertainty that holds, or not measured, with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tests.triage.shifted_heads import SPACING_MM, shifted_head
from triage.inference.midline import midline_measurements, midline_shift
from triage.inference.slices import read_stack
from triage.inference.volume import RegularVolume, to_regular


@pytest.mark.parametrize(("seed", "push"), [(3001, 9.0), (3013, -12.0)])
def test_a_known_shift_is_found_on_its_side_within_the_stated_uncertainty(seed, push):
    head = shifted_head(seed, push)
    found = midline_shift(head.hu, SPACING_MM)
    assert found.shift_mm is not None and found.uncertainty_mm is not None, found.reason
    assert np.sign(found.shift_mm) == np.sign(push)
    assert abs(found.shift_mm - head.shift_mm) <= found.uncertainty_mm <= 4.0


@pytest.mark.parametrize("seed", [3000, 3001])
def test_heads_without_a_shift_measure_less_than_two_millimetres(seed):
    head = shifted_head(seed, 0.0)
    found = midline_shift(head.hu, SPACING_MM)
    assert found.shift_mm is not None and found.uncertainty_mm is not None, found.reason
    assert abs(found.shift_mm) < 2.0
    assert abs(found.shift_mm - head.own_mm) <= found.uncertainty_mm


def test_a_mirrored_head_has_the_opposite_shift():
    hu = shifted_head(3001, 9.0).hu
    found, mirrored = (midline_shift(v, SPACING_MM) for v in (hu, np.ascontiguousarray(hu[:, :, ::-1])))
    assert found.shift_mm is not None and mirrored.shift_mm is not None
    assert found.shift_mm == pytest.approx(-mirrored.shift_mm, abs=0.6)


def test_a_head_turned_in_the_holder_keeps_its_shift():
    hu = shifted_head(3001, 9.0).hu
    turned = ndimage.rotate(hu, 9.0, axes=(1, 2), reshape=False, order=1, cval=-1000.0)
    found, again = midline_shift(hu, SPACING_MM), midline_shift(turned, SPACING_MM)
    assert found.shift_mm is not None and again.shift_mm is not None, again.reason
    assert again.shift_mm == pytest.approx(found.shift_mm, abs=1.0)


def test_a_finer_grid_gives_the_same_answer():
    coarse, fine = (shifted_head(3001, 9.0, spacing) for spacing in (SPACING_MM, (2.0, 1.0, 1.0)))
    found, again = midline_shift(coarse.hu, SPACING_MM), midline_shift(fine.hu, (2.0, 1.0, 1.0))
    assert found.shift_mm is not None and again.shift_mm is not None, again.reason
    assert again.shift_mm == pytest.approx(found.shift_mm, abs=1.0)


def test_what_shows_no_ventricles_is_not_measured_and_says_why():
    hu = shifted_head(3001, 0.0).hu
    air = np.full_like(hu, -1000.0)
    assert midline_shift(air, SPACING_MM).reason == "no closed skull of an adult head is in the images"
    filled = np.where((hu > -30.0) & (hu < 28.0), 32.0, hu)
    none = midline_shift(filled, SPACING_MM)
    assert (none.shift_mm, none.uncertainty_mm) == (None, None)
    assert none.reason == "the lateral ventricles do not show on both sides of a septum"
    base_only = midline_shift(hu[:12], SPACING_MM)
    assert base_only.shift_mm is None and base_only.reason


@pytest.mark.needs_shared_data
def test_the_real_head_without_a_bleed_has_its_midline_in_the_middle(shared_data: Path):
    stack = read_stack(sorted((shared_data / "head_ct_ge").iterdir()))
    found = midline_shift(to_regular(stack, SPACING_MM).array, SPACING_MM)
    assert found.shift_mm is not None, found.reason
    assert abs(found.shift_mm) < 2.0


def test_what_is_measured_goes_by_name_into_the_analysis_and_nothing_where_there_is_none():
    hu = shifted_head(3001, 9.0).hu
    found = midline_measurements(RegularVolume(hu, SPACING_MM, (0.0, 0.0, 0.0)))
    assert set(found) == {"midline_shift_mm", "midline_shift_uncertainty_mm"}
    assert found["midline_shift_mm"] > 5.0
    assert midline_measurements(RegularVolume(np.full_like(hu, -1000.0), SPACING_MM, (0.0, 0.0, 0.0))) == {}
