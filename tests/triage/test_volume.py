"""A thing at known patient coordinates is found there, however the slices lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.triage.making import BACKGROUND_HU, BLOB_HU, make_stack, rotation
from triage.inference import volume as resampling
from triage.inference.volume import AIR_HU, SliceStack, VolumeError, mask_to_stack, to_regular

AXIAL = (np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
CORONAL = (np.array([1.0, 0, 0]), np.array([0, 0, -1.0]))
SAGITTAL = (np.array([0, 1.0, 0]), np.array([0, 0, -1.0]))
FEET_FIRST = (np.array([-1.0, 0, 0]), np.array([0, 1.0, 0]))
SPACING = (3.0, 2.0, 2.0)


def even(step: float = 4.0, count: int = 24) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2) * step


def centre_of(stack: SliceStack, drawn: np.ndarray) -> np.ndarray:
    """Centre of mass in LPS of drawn pixels, each weighing what its slab is thick."""
    index, rows, columns = np.nonzero(drawn)
    weight = np.diff(stack.slabs_mm, axis=1)[:, 0][index]
    middle = stack.slabs_mm.mean(axis=1) - stack.depths_mm
    points = stack.positions[index] + (
        rows[:, None] * stack.pixel_spacing_mm[0] * stack.column_direction
        + columns[:, None] * stack.pixel_spacing_mm[1] * stack.row_direction
        + middle[index][:, None] * stack.normal
    )
    return np.average(points, axis=0, weights=weight)


def found(stack: SliceStack) -> tuple[np.ndarray, np.ndarray]:
    """Where the ball is on the regular grid, and where its mask lies on the slices."""
    regular = to_regular(stack, SPACING)
    mask = regular.array > (BLOB_HU + BACKGROUND_HU) / 2
    assert mask.any()
    here = regular.points_of(np.array(ndimage.center_of_mass(mask)))
    return here, centre_of(stack, mask_to_stack(mask, regular, stack))


@st.composite
def stacks(draw: st.DrawFn) -> tuple[SliceStack, np.ndarray]:
    """Any orientation, turned a little, tilted, with uneven gaps, and a ball somewhere inside."""
    row, column = draw(st.sampled_from([AXIAL, CORONAL, SAGITTAL, FEET_FIRST]))
    turn = rotation([draw(st.floats(-25, 25)) for _ in range(3)])
    gaps = np.array(draw(st.lists(st.floats(1.0, 7.0), min_size=22, max_size=22)))
    depths = np.r_[0.0, np.cumsum(gaps)]
    depths -= depths.mean()
    if draw(st.booleans()):
        depths = depths[::-1]
    shift = draw(st.floats(-0.4, 0.4))
    row, column = turn @ row, turn @ column
    along = draw(st.floats(-20, 20)) * row + draw(st.floats(-20, 20)) * column
    centre = along + draw(st.floats(-0.25, 0.25)) * np.ptp(depths) * np.cross(row, column)
    stack = make_stack(
        centre=centre,
        radius_mm=14.0,
        row_direction=row,
        column_direction=column,
        depths_mm=depths,
        thickness_mm=draw(st.floats(1.0, 5.0)),
        tilt_shift=shift,
    )
    return stack, centre


@settings(max_examples=25, deadline=None)
@given(stacks())
def test_a_ball_is_found_at_its_patient_coordinates_whatever_the_geometry(
    made: tuple[SliceStack, np.ndarray],
) -> None:
    stack, centre = made
    on_grid, on_slices = found(stack)
    assert np.linalg.norm(on_grid - centre) < 2.0
    assert np.linalg.norm(on_slices - centre) < 2.5


@settings(max_examples=25, deadline=None)
@given(stacks())
def test_every_slice_that_cuts_the_ball_well_shows_it_and_no_far_slice_does(
    made: tuple[SliceStack, np.ndarray],
) -> None:
    stack, centre = made
    regular = to_regular(stack, SPACING)
    drawn = mask_to_stack(regular.array > 1500, regular, stack).any(axis=(1, 2))
    away = np.abs(stack.depths_mm - centre @ stack.normal)
    assert drawn[away < 14.0 - 4.0].all()
    # Partial volume between slices up to 7 mm apart may reach the neighbour, not further.
    assert not drawn[away > 14.0 + 8.0].any()


@settings(max_examples=20, deadline=None)
@given(stacks(), st.integers(0, 10**6))
def test_no_component_of_a_mask_is_lost_between_the_slices(
    made: tuple[SliceStack, np.ndarray], seed: int
) -> None:
    stack, _ = made
    regular = to_regular(stack, (1.5, 1.5, 1.5))
    rng = np.random.default_rng(seed)
    inside = np.argwhere(ndimage.binary_erosion(regular.array > 0, iterations=3))
    voxel = inside[rng.integers(len(inside))]
    mask = np.zeros(regular.array.shape, dtype=bool)
    mask[tuple(voxel)] = True
    drawn = mask_to_stack(mask, regular, stack)
    assert drawn.any()
    point = regular.points_of(voxel)
    assert np.linalg.norm(centre_of(stack, drawn) - point) < 6.0


def test_a_tilted_gantry_is_not_taken_for_straight() -> None:
    centre = np.array([10.0, -15.0, 25.0])
    stack = make_stack(
        centre=centre,
        radius_mm=12.0,
        row_direction=AXIAL[0],
        column_direction=rotation([-18.5, 0, 0]) @ AXIAL[1],
        depths_mm=even(),
        thickness_mm=4.0,
        tilt_shift=np.tan(np.radians(18.5)),
    )
    on_grid, on_slices = found(stack)
    assert np.linalg.norm(on_grid - centre) < 1.0
    assert np.linalg.norm(on_slices - centre) < 1.0


def test_what_no_slice_covers_is_air_and_a_plain_world_stays_plain() -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=0.1, row_direction=AXIAL[0], column_direction=AXIAL[1],
        depths_mm=even(), thickness_mm=4.0, tilt_shift=0.3,
    )  # fmt: skip
    stack = replace(stack, pixels=np.full_like(stack.pixels, 40.0))
    array = to_regular(stack, SPACING).array
    assert set(np.unique(array[len(array) // 2, 25:35, 25:35])) == {40.0}
    assert array.min() == AIR_HU
    assert 40.0 >= array.max() > 39.9


def test_thin_slices_are_averaged_not_skipped() -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=0.1, row_direction=AXIAL[0], column_direction=AXIAL[1],
        depths_mm=even(0.5, 120), thickness_mm=0.5, size=16,
    )  # fmt: skip
    noise = np.random.default_rng(1).normal(0, 20, stack.pixels.shape).astype(np.float32)
    inner = to_regular(replace(stack, pixels=noise), (4.0, 2.5, 2.5)).array[2:-2, 3:-3, 3:-3]
    assert inner.std() < 20 / np.sqrt(6)


def test_a_lesion_thinner_than_the_gap_is_drawn_on_the_slice_that_answers_for_its_depth() -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=0.1, row_direction=AXIAL[0], column_direction=AXIAL[1],
        depths_mm=even(10.0, 10), thickness_mm=1.0,
    )  # fmt: skip
    regular = to_regular(stack, (1.0, 2.0, 2.0))
    mask = np.zeros(regular.array.shape, dtype=bool)
    voxel = np.rint(regular.voxels_of(np.array([0.0, 0.0, 8.9]))).astype(int)  # between 5 and 15, nearer 5
    mask[voxel[0], voxel[1] - 2 : voxel[1] + 3, voxel[2] - 2 : voxel[2] + 3] = True
    drawn = mask_to_stack(mask, regular, stack)
    assert list(np.flatnonzero(drawn.any(axis=(1, 2)))) == [int(np.argmin(np.abs(stack.depths_mm - 5.0)))]


def test_a_part_of_a_lesion_off_the_middle_of_a_thick_slice_is_drawn_on_it() -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=0.1, row_direction=AXIAL[0], column_direction=AXIAL[1],
        depths_mm=even(10.0, 10), thickness_mm=10.0,
    )  # fmt: skip
    regular = to_regular(stack, (1.0, 2.0, 2.0))
    mask = np.zeros(regular.array.shape, dtype=bool)
    first, last = (
        np.rint(regular.voxels_of(np.array([0.0, 0.0, z]))).astype(int) for z in (3.0, 12.0)
    )  # slices at 5 and 15 mm; the slab of the upper one begins at 10 mm
    mask[first[0] : last[0] + 1, first[1] - 3 : first[1] + 4, first[2] - 3 : first[2] + 4] = True
    drawn = mask_to_stack(mask, regular, stack).any(axis=(1, 2))
    assert sorted(stack.depths_mm[drawn]) == [5.0, 15.0]


def test_one_slice_is_no_volume_and_a_foreign_mask_is_refused() -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=5, row_direction=AXIAL[0], column_direction=AXIAL[1],
        depths_mm=even(4.0, 3), thickness_mm=4.0, size=8,
    )  # fmt: skip
    with pytest.raises(VolumeError, match="two slices"):
        to_regular(replace(stack, pixels=stack.pixels[:1]), SPACING)
    with pytest.raises(ValueError, match="mask"):
        mask_to_stack(np.zeros((2, 2, 2), dtype=bool), to_regular(stack, SPACING), stack)


@given(
    st.sampled_from([AXIAL, FEET_FIRST, (AXIAL[0], -AXIAL[1])]),
    st.lists(st.floats(0.6, 7.0), min_size=5, max_size=14),
    st.tuples(st.floats(0.5, 9.0), st.floats(0.3, 6.0), st.floats(0.3, 6.0)),
    st.sampled_from([(14, 9), (2, 3), (20, 20)]),
)
@settings(max_examples=40, deadline=None)
def test_the_quick_way_for_straight_slices_gives_what_the_general_way_gives(
    directions: tuple[np.ndarray, np.ndarray],
    gaps: list[float],
    spacing: tuple[float, float, float],
    shape: tuple[int, int],
) -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=5, row_direction=directions[0], column_direction=directions[1],
        depths_mm=np.r_[0.0, np.cumsum(gaps)], thickness_mm=gaps[0], size=4,
    )  # fmt: skip
    noise = np.random.default_rng(len(gaps)).normal(0, 500, (len(gaps) + 1, *shape)).astype(np.float32)
    stack = replace(stack, pixels=noise, pixel_spacing_mm=(0.7, 1.1))
    assert resampling._is_straight(stack)
    quick = to_regular(stack, spacing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "_is_straight", lambda stack: False)
        general = to_regular(stack, spacing)
    assert quick.origin_lps_mm == general.origin_lps_mm and quick.array.shape == general.array.shape
    np.testing.assert_allclose(quick.array, general.array, atol=0.01)


def test_tilted_turned_and_shifted_slices_go_the_general_way() -> None:
    straight = make_stack(
        centre=np.zeros(3), radius_mm=5, row_direction=AXIAL[0], column_direction=AXIAL[1],
        depths_mm=even(4.0, 6), thickness_mm=4.0, size=8,
    )  # fmt: skip
    shifted = replace(straight, positions=straight.positions + np.arange(6)[:, None] * [0.0, 0.1, 0.0])
    turn = rotation([0, 0, 0.01])
    turned = replace(straight, row_direction=turn @ straight.row_direction, column_direction=turn @ AXIAL[1])
    assert [resampling._is_straight(one) for one in (straight, shifted, turned)] == [True, False, False]
