"""The procedural head has the grey values and sizes of a head."""

from __future__ import annotations

import numpy as np
import pytest

from pacs.synthetic.heads import SyntheticHead, make_head
from pacs.synthetic.parameters import draw_parameters

SPACING = (5.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def heads() -> list[SyntheticHead]:
    return [make_head(seed, SPACING) for seed in (1, 2, 3, 4)]


def test_same_seed_gives_the_same_head() -> None:
    assert np.array_equal(make_head(5, (8.0, 4.0, 4.0)).hu, make_head(5, (8.0, 4.0, 4.0)).hu)


def test_other_seed_gives_another_head() -> None:
    first, second = make_head(5, (8.0, 4.0, 4.0)), make_head(6, (8.0, 4.0, 4.0))
    assert np.abs(first.hu - second.hu).mean() > 10.0


def test_brain_has_the_volume_of_an_adult_brain(heads: list[SyntheticHead]) -> None:
    for head in heads:
        assert 1000.0 < head.brain.sum() * head.voxel_ml < 2000.0


def test_brain_grey_values_lie_between_fluid_and_dense_grey_matter(heads: list[SyntheticHead]) -> None:
    for head in heads:
        deep = head.hu[head.brain & (head.cavity_mm > 5.0)]
        assert 26.0 < np.median(deep) < 38.0
        assert np.quantile(deep, 0.99) < 75.0


def test_ventricles_hold_fluid(heads: list[SyntheticHead]) -> None:
    for head in heads:
        inside = head.hu[(head.ventricles_mm > 1.5) & (head.hu < 60.0)]
        assert np.median(inside) < 14.0


def test_skull_is_bone_all_around_the_convexity(heads: list[SyntheticHead]) -> None:
    for head in heads:
        z = head.points_mm[2]
        shell = (head.cavity_mm < -1.5) & (head.cavity_mm > -3.5) & (z > 20.0) & (z < 60.0)
        assert np.quantile(head.hu[shell], 0.05) > 300.0


def test_corners_of_the_field_of_view_are_air(heads: list[SyntheticHead]) -> None:
    for head in heads:
        assert head.hu[:, :4, :4].max() < -950.0


def test_old_heads_hold_more_fluid_than_young_ones() -> None:
    def fluid_ml(age: int) -> float:
        total = 0.0
        for seed in range(4):
            head = make_head(seed, (5.0, 2.5, 2.5), parameters=draw_parameters(seed, age))
            total += float((head.brain & (head.hu < 18.0)).sum()) * head.voxel_ml
        return total

    assert fluid_ml(85) > 1.3 * fluid_ml(25)


def test_asked_for_age_and_sex_are_kept() -> None:
    drawn = draw_parameters(9, age=33, sex="F")
    assert (drawn.age, drawn.sex) == (33, "F")
