"""Bleeds have the volume asked for, lie where their kind lies, and are brighter than brain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pacs.synthetic.heads import SyntheticHead, make_head
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion

SPACING = (2.5, 1.6, 1.6)


@pytest.fixture(scope="module")
def head() -> SyntheticHead:
    return make_head(21, SPACING)


def fresh(head: SyntheticHead) -> SyntheticHead:
    return replace(head, hu=head.hu.copy())


@pytest.mark.parametrize("kind", LESION_KINDS)
@pytest.mark.parametrize("volume_ml", [1.0, 8.0, 30.0])
def test_mask_has_the_volume_asked_for(head: SyntheticHead, kind: str, volume_ml: float) -> None:
    mask = insert_lesion(fresh(head), kind, volume_ml, 3)
    assert mask.sum() * head.voxel_ml == pytest.approx(volume_ml, rel=0.02)


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_blood_is_brighter_than_the_brain_it_replaced(head: SyntheticHead, kind: str) -> None:
    bled = fresh(head)
    mask = insert_lesion(bled, kind, 10.0, 4, blood_hu=66.0)
    core = ndimage.binary_erosion(mask) if kind != "subarachnoid" else mask
    core = core if core.any() else mask
    assert np.median(bled.hu[core]) > 50.0
    assert np.median(head.hu[mask]) < 45.0


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_blood_stays_inside_the_skull(head: SyntheticHead, kind: str) -> None:
    bled = fresh(head)
    mask = insert_lesion(bled, kind, 20.0, 5)
    assert head.brain[mask].all()
    outside = head.cavity_mm < -2.0
    assert np.array_equal(bled.hu[outside], head.hu[outside])


@pytest.mark.parametrize("kind", ["epidural", "subdural"])
def test_extra_axial_blood_lies_on_the_inner_table(head: SyntheticHead, kind: str) -> None:
    for seed in range(6):
        mask = insert_lesion(fresh(head), kind, 12.0, seed)
        if kind == "subdural" and head.cavity_mm[mask].min() > 6.0:
            continue
        shallow = head.cavity_mm[mask] < 3.0
        assert shallow.mean() > 0.1


def test_subdural_blood_is_flatter_than_epidural_blood(head: SyntheticHead) -> None:
    def thickness(kind: str) -> float:
        return float(
            np.mean([head.cavity_mm[insert_lesion(fresh(head), kind, 20.0, s)].max() for s in range(5)])
        )

    assert thickness("subdural") < 0.75 * thickness("epidural")


def test_intraventricular_blood_lies_in_the_ventricles_and_at_their_back(head: SyntheticHead) -> None:
    mask = insert_lesion(fresh(head), "intraventricular", 3.0, 1)
    assert (head.ventricles_mm[mask] > -1.5).mean() > 0.9
    ventricles = head.ventricles_mm > 0
    y = head.points_mm[1]
    assert y[mask].mean() > y[ventricles].mean() + 8.0


def test_subarachnoid_blood_lies_where_fluid_was(head: SyntheticHead) -> None:
    mask = insert_lesion(fresh(head), "subarachnoid", 6.0, 2)
    assert head.outer_fluid[mask].mean() > 3 * head.outer_fluid[head.brain].mean()


def test_clot_in_the_brain_pushes_its_surroundings_away(head: SyntheticHead) -> None:
    bled = fresh(head)
    mask = insert_lesion(bled, "intraparenchymal", 40.0, 6)
    ring = ndimage.binary_dilation(mask, iterations=5) & ~ndimage.binary_dilation(mask, iterations=2)
    assert np.abs(bled.hu[ring] - head.hu[ring]).mean() > 1.5


def test_unknown_kind_is_refused_by_name(head: SyntheticHead) -> None:
    with pytest.raises(ValueError, match="unknown lesion kind 'tumour'"):
        insert_lesion(fresh(head), "tumour", 5.0, 1)


def test_volume_that_does_not_fit_is_refused(head: SyntheticHead) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        insert_lesion(fresh(head), "intraventricular", 900.0, 1)
