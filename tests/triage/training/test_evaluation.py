"""Figures of the model card: right statistics, and each from the evaluation run."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from triage.inference.bundle import load_bundle
from triage.inference.extract import extract
from triage.inference.guard import check_input
from triage.inference.training.calibrate import fit_logistic, operating_points
from triage.inference.training.card import card
from triage.inference.training.cases import Case, bundle_stamp, cases, overlap
from triage.inference.training.evaluate import check_references, read_variants
from triage.inference.training.figures import area_under_curve, summarise, wilson
from triage.inference.training.fit import _average, _sharing, train
from triage.inference.training.samples import make_samples, write_samples

BUNDLE = Path(__file__).resolve().parents[3] / "models" / "ich_demo"


def case(kind: str, probability: float, ml: float = 5.0) -> Case:
    return Case(kind, "procedural", "ordinary", ml, ml, probability, 0.7, 0.8, False, ("calcium",), {})


def test_wilson_interval_is_that_of_the_textbook() -> None:
    part = wilson(81, 263)
    assert (part["low"], part["high"]) == (pytest.approx(0.2553, abs=2e-4), pytest.approx(0.3662, abs=2e-4))


def test_wilson_interval_of_all_hits_stays_below_one_at_its_low_end() -> None:
    part = wilson(20, 20)
    assert part["high"] == 1.0 and part["low"] == pytest.approx(0.8389, abs=2e-4)


def test_no_cases_have_no_proportion() -> None:
    assert wilson(0, 0)["value"] is None


def test_logistic_fit_finds_the_rule_that_made_the_data() -> None:
    rng = np.random.default_rng(3)
    table = rng.normal(0.0, 1.5, (4000, 2))
    p = 1 / (1 + np.exp(-(1.2 * table[:, 0] - 0.7 * table[:, 1] + 0.4)))
    coefficients, intercept = fit_logistic(table, rng.random(4000) < p, penalty=0.0)
    assert coefficients == pytest.approx([1.2, -0.7], abs=0.15)
    assert intercept == pytest.approx(0.4, abs=0.15)


def test_logistic_fit_of_separate_classes_stays_finite() -> None:
    coefficients, intercept = fit_logistic(np.array([[0.0], [0.1], [5.0], [6.0]]), np.array([0, 0, 1, 1]) > 0)
    assert np.isfinite(coefficients).all() and np.isfinite(intercept)


def test_area_under_curve_counts_pairs() -> None:
    found = [case("epidural", 0.9), case("subdural", 0.4), case("none", 0.4), case("none", 0.1)]
    assert area_under_curve(found) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_summary_counts_by_kind_and_size() -> None:
    found = [
        case("epidural", 0.9, 1.0),
        case("epidural", 0.1, 20.0),
        case("subdural", 0.8, 20.0),
        case("none", 0.7),
        case("none", 0.2),
    ]
    summary = summarise(found, 0.5)
    assert summary["sensitivity"]["hits"] == 2 and summary["sensitivity"]["of"] == 3
    assert summary["specificity"]["value"] == 0.5
    assert summary["sensitivity_by_kind"]["epidural"]["value"] == 0.5
    assert summary["sensitivity_by_ml"]["15 to 100 mL"]["of"] == 2
    assert summary["sensitivity_by_kind"]["subarachnoid"]["value"] is None


def test_summary_tells_bleeds_from_2_ml_apart_and_counts_missed_ones_in_the_overlap() -> None:
    found = [case("epidural", 0.1, 1.9), case("epidural", 0.9, 2.0), case("none", 0.1)]
    found.append(dataclasses.replace(case("subdural", 0.1, 9.0), dice=0.0))
    summary = summarise(found, 0.5)
    assert summary["sensitivity_from_2_ml"]["hits"] == 1 and summary["sensitivity_from_2_ml"]["of"] == 2
    assert summary["dice_from_2_ml"]["mean"] == pytest.approx(0.35)
    assert summary["dice_from_2_ml_by_kind"]["subdural"]["mean"] == 0.0
    assert summary["specificity_by_lookalike"]["calcium"]["value"] == 1.0
    assert summary["specificity_by_lookalike"]["metal"]["of"] == 0


def test_logistic_fit_at_a_prevalence_gives_that_mean_probability() -> None:
    rng = np.random.default_rng(4)
    positive = rng.random(3000) < 0.5
    table = (rng.normal(0.0, 1.0, 3000) + 1.5 * positive)[:, None]
    coefficients, intercept = fit_logistic(table, positive, penalty=0.0, prevalence=0.1)
    p = 1 / (1 + np.exp(-(table @ coefficients + intercept)))
    assert 0.1 * p[positive].mean() + 0.9 * p[~positive].mean() == pytest.approx(0.1, abs=0.003)


def test_thresholds_lie_above_most_negatives_and_far_above_a_scan_without_a_region() -> None:
    negatives = np.array([0.03] * 96 + [0.2, 0.3, 0.6, 0.8])
    rank, alert = operating_points(negatives, 0.03)
    assert (negatives < rank).mean() >= 0.97 and (negatives < alert).mean() >= 0.99
    assert operating_points(np.full(50, 0.03), 0.03) == (0.15, 0.5)
    assert operating_points(np.full(50, 0.09), 0.09)[0] == pytest.approx(0.27)
    assert operating_points(np.full(50, 0.99), 0.03)[1] == 0.95


def test_overlap_of_masks_is_dice_and_two_empty_ones_agree() -> None:
    a = np.array([True, True, False, False])
    assert overlap(a, np.array([True, False, True, False])) == pytest.approx(0.5)
    assert overlap(a, ~a) == 0.0 and overlap(a & ~a, a & ~a) == 1.0


def test_what_was_judged_is_kept_and_not_judged_again_with_the_same_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def judge(_bundle: Any, jobs: Any, _processes: int) -> Iterator[list[list[Case]]]:
        for job in jobs:
            asked.append(job.number)
            region = ({"contrast": 1.0}, 0.4)
            yield [[dataclasses.replace(case("none", 0.1 * job.number), regions=(region,))]]

    monkeypatch.setattr("triage.inference.training.cases._judge_all", judge)
    shutil.copytree(BUNDLE, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    first = cases(bundle, "test", 2, kept=tmp_path / "kept")
    assert asked == [0, 1]
    assert cases(bundle, "test", 3, kept=tmp_path / "kept")[:2] == first
    assert asked == [0, 1, 2]
    config = tmp_path / "bundle" / "configs" / "firstread.json"
    config.write_text(config.read_text().replace('"min_component_ml": ', '"min_component_ml": 1'))
    cases(bundle, "test", 1, kept=tmp_path / "kept")
    assert asked == [0, 1, 2, 0]


def test_variants_of_other_weights_are_not_told(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE, tmp_path / "bundle")
    told = {
        "bundle": bundle_stamp(tmp_path / "bundle"),
        "seed": 1,
        "original": {"result": "not flagged", "probability": 0.02},
        "variants": [{"result": "not flagged", "probability": 0.1}, {"result": "refused", "why": "motion"}],
    }
    (tmp_path / "bundle" / "docs" / "variants.json").write_text(json.dumps(told))
    read = read_variants(tmp_path / "bundle")
    assert read is not None and (read["count"], read["flagged"], read["refused"]) == (2, 0, 1)
    assert read["highest"] == 0.1
    (tmp_path / "bundle" / "models" / "model.pt").write_bytes(b"other")
    assert read_variants(tmp_path / "bundle") is None


@pytest.mark.parametrize("workers", [1, 2])
def test_training_takes_steps_and_leaves_weights_that_load(tmp_path: Path, workers: int) -> None:
    torch.set_num_threads(1)
    write_samples(tmp_path, "train", [3], 2, (4.0, 2.0, 2.0))
    weights = tmp_path / "model.pt"
    assert train(BUNDLE, tmp_path, weights, minutes=0.03, batch=1, workers=workers) >= workers
    state = torch.load(weights, weights_only=True)
    network = load_bundle(BUNDLE).network
    network.load_state_dict(state)


def test_workers_change_one_network_and_keep_gradients_of_their_own() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    other = _sharing(network)
    other(torch.ones(4, 3)).sum().backward()
    with torch.no_grad():
        next(other.parameters()).fill_(7.0)
    assert (next(network.parameters()) == 7.0).all() and next(network.parameters()).grad is None
    assert (network[1].running_mean == other[1].running_mean).all() and network[1].running_mean.any()


def test_average_counts_a_layer_that_stands_twice_once() -> None:
    layer = torch.nn.Linear(2, 2)
    network = torch.nn.Sequential(layer, layer)
    averaged = copy.deepcopy(network)
    with torch.no_grad():
        averaged[0].weight.zero_()
        layer.weight.fill_(1.0)
    _average(averaged, network, 0.75)
    assert torch.allclose(averaged[0].weight, torch.full((2, 2), 0.25))


def test_training_without_samples_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make samples first"):
        train(BUNDLE, tmp_path, tmp_path / "model.pt", minutes=0.01)


def test_command_refuses_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no bundle"):
        call_command("train_ich_demo", bundle=tmp_path)


def test_card_is_the_one_that_the_evaluation_wrote() -> None:
    results = json.loads((BUNDLE / "docs" / "evaluation.json").read_text())
    assert (BUNDLE / "docs" / "README.md").read_text() == card(results)
    assert results["version"] == json.loads((BUNDLE / "configs" / "metadata.json").read_text())["version"]


def test_card_figures_follow_from_its_list_of_scans() -> None:
    results = json.loads((BUNDLE / "docs" / "evaluation.json").read_text())
    config = json.loads((BUNDLE / "configs" / "firstread.json").read_text())
    found = [Case.of({**scan, "features": {}}) for scan in results["scans"]]
    assert results["rank"] == json.loads(json.dumps(summarise(found, config["rank_threshold"])))
    assert results["alert"] == json.loads(json.dumps(summarise(found, config["alert_threshold"])))


def test_shipped_weights_find_a_large_clot_and_spare_the_same_head_without_it() -> None:
    torch.set_num_threads(1)
    bundle = load_bundle(BUNDLE)
    # Head number 4 of the test split carries an intraventricular, number 2 an intraparenchymal bleed.
    bled, clean = make_samples("test", 2, 2, bundle.spacing_mm)
    found = []
    for sample in (bled, clean):
        hu = np.ascontiguousarray(sample.volume.hu)
        assert check_input(hu, bundle.spacing_mm, bundle.config["input_limits"]) == []
        found.append(extract(bundle.predict(hu), bundle.spacing_mm, bundle.config, volume_hu=hu))
    assert found[0].probability >= bundle.config["rank_threshold"] > found[1].probability


@pytest.mark.needs_shared_data
def test_shipped_weights_flag_neither_real_head_nor_average_brain_and_refuse_phantoms(
    shared_data: Path,
) -> None:
    torch.set_num_threads(1)
    answers = check_references(load_bundle(BUNDLE))
    assert {a["name"]: a["result"] for a in answers} == {a["name"]: a["expected"] for a in answers}
    assert len(answers) == 4
