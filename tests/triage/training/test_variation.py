"""Variation changes grey values within soft tissue, never the form of a head or the place of a crop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pacs.synthetic.heads import make_head
from pacs.synthetic.parameters import draw_parameters
from triage.inference.training.acquisition import _slice_positions
from triage.inference.training.lookalikes import add_more_lookalikes
from triage.inference.training.samples import held_out_anatomy
from triage.inference.training.variation import vary_crop, vary_tissue, widened


def test_tissue_varies_from_seed_to_seed_and_bone_and_air_stay() -> None:
    head = make_head(77, (5.0, 2.5, 2.5))
    hard = (head.hu > 150.0) | (head.hu < -200.0)
    spreads = []
    for seed in range(6):
        changed = replace(head, hu=head.hu.copy())
        vary_tissue(changed, np.random.default_rng(seed))
        difference = changed.hu - head.hu
        assert np.abs(difference[hard & ~head.brain]).max() == 0.0
        assert np.abs(difference[head.brain]).mean() < 12.0
        spreads.append(float(difference[head.brain].std()))
    assert max(spreads) > 2.0 > min(spreads) or len(set(spreads)) == 6


def test_more_look_alikes_lie_at_the_bone_and_in_arteries() -> None:
    head = make_head(77, (5.0, 2.5, 2.5))
    before = head.hu.copy()
    for seed in range(8):
        add_more_lookalikes(head, np.random.default_rng(seed))
    assert (np.abs(head.hu - before)[head.brain] > 10.0).any()
    assert not (np.abs(head.hu - before)[head.cavity_mm > 45.0] > 10.0).any()


def test_wider_parameters_keep_the_form_of_the_head() -> None:
    for seed in range(20):
        p = draw_parameters(seed)
        wide = widened(p, np.random.default_rng(seed))
        assert wide.scale == p.scale and held_out_anatomy(wide) == held_out_anatomy(p)


def test_a_crop_keeps_its_shape_and_its_edges() -> None:
    hu = np.full((6, 16, 16), 30.0, dtype=np.float32)
    hu[:, :, 8:] = 70.0
    for seed in range(10):
        varied = vary_crop(hu, np.random.default_rng(seed))
        assert varied.shape == hu.shape and np.isfinite(varied).all()
        assert varied[:, :, 10:].mean() - varied[:, :, :6].mean() > 20.0
    assert (hu[:, :, :8] == 30.0).all()


def test_uneven_slices_have_uneven_gaps_and_stay_within_the_head() -> None:
    at = _slice_positions(160.0, 5.0, np.random.default_rng(1), True, 1.0)
    gaps = np.diff(at)
    assert gaps.min() >= 2.0 and gaps.max() <= 8.0 and gaps.std() > 0.5
    assert at[0] > 0.0 and at[-1] < 160.0
