"""From a folder to a report: what is asked, what counts, what is shown, and that it can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pydicom
import pytest

from tests.triage.conftest import ball_series
from tests.triage.evaluation.making import Answers, subject, write_series, write_set
from triage.evaluation import runner, shelf, store
from triage.evaluation.card import update_card, with_section
from triage.evaluation.dataset import read_dataset
from triage.evaluation.report import honesty
from triage.evaluation.results import document
from triage.evaluation.runner import State

SCHEMA = json.loads((Path(runner.__file__).parent / "report.schema.json").read_text())
CASES: dict[str, dict[str, Any]] = {
    "found": {"lesion": "epidural", "volume_ml": 20.0, "images": {"PatientSex": "F", "PatientAge": "070Y"}},
    "missed": {"lesion": "subdural", "volume_ml": 1.5, "images": {"PatientSex": ""}},
    "quiet": {"images": {"PatientSex": "M", "PatientAge": "030Y", "Manufacturer": "Maker"}},
    "false": {},
    "refused": {"lesion": "epidural", "images": {"BodyPartExamined": "CHEST"}},
    "outside": {"lesion": "subdural"},
    "broken": {},
}
SAID: dict[str, float | str] = {
    "found": 0.9, "missed": 0.1, "quiet": 0.05, "false": 0.7, "outside": "outside", "broken": "broken",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", CASES)


def evaluate(data: Path, out: Path, ask: Answers, limit: int | None = None) -> dict[str, Any]:
    model = subject(data.parent / "bundle")
    dataset = read_dataset(data, model.targets)
    for _ in runner.run(model, dataset, ask, out, limit=limit):
        pass
    answers = runner.read_answers(out)
    result = document(model, dataset, answers, out, prevalence=0.1, software="Firstread test")
    jsonschema.validate(result, SCHEMA, cls=jsonschema.Draft202012Validator)
    store.write(out, result, dataset, answers)
    return result


def test_what_is_not_answered_is_counted_and_never_negative(data: Path, tmp_path: Path) -> None:
    ask = Answers(SAID)
    result = evaluate(data, tmp_path / "out", ask)
    assert sorted(ask.asked) == ["broken", "false", "found", "missed", "outside", "quiet"]
    assert result["counts"] == {"analysed": 4, "not_analysed": 2, "failed": 1}
    (finding,) = result["findings"]
    rank, alert = finding["operating_points"]
    assert rank["table"] == alert["table"] == {"tp": 1, "fn": 1, "tn": 1, "fp": 1}
    assert (rank["sensitivity"]["hits"], rank["sensitivity"]["of"]) == (1, 2)
    assert (rank["found_of_all"]["hits"], rank["found_of_all"]["of"]) == (1, 4)
    reasons = {row["reason"]: row["state"] for row in result["not_answered"]}
    assert reasons["unexpected ZeroDivisionError"] == "failed"
    assert any("outside 500 to 2600 mL" in reason for reason in reasons)
    assert any("what the model is made for" in reason for reason in reasons)


def test_masks_are_compared_slice_by_slice_whatever_the_order_of_the_files(
    data: Path, tmp_path: Path
) -> None:
    (finding,) = evaluate(data, tmp_path / "out", Answers(SAID))["findings"]
    # 100 true voxels, 50 marked, all of them right; and nothing marked in the miss.
    assert finding["dice"]["of"] == 2
    assert finding["dice"]["value"] == pytest.approx((2 * 50 / 150 + 0.0) / 2)
    assert finding["volumes"] == [{"study": "found", "true_ml": 20.0, "found_ml": 5.0}]


def test_strata_hold_each_case_once_and_name_what_is_not_known(data: Path, tmp_path: Path) -> None:
    (finding,) = evaluate(data, tmp_path / "out", Answers(SAID))["findings"]
    by_axis: dict[str, dict[str, Any]] = {}
    for row in finding["strata"]:
        by_axis.setdefault(row["axis"], {})[row["value"]] = row
    assert set(by_axis) == {"subtype", "size", "scanner", "slice_thickness", "age", "sex"}
    for axis, rows in by_axis.items():
        assert sum(row["cases"] for row in rows.values()) == (4 if axis in ("subtype", "size") else 7)
    assert by_axis["subtype"]["epidural"]["not_answered"] == 1
    assert by_axis["sex"]["female"]["sensitivity"]["hits"] == 1 and "not known" in by_axis["sex"]
    assert by_axis["age"]["60 to 75 years"]["cases"] == by_axis["age"]["18 to 40 years"]["cases"] == 1
    assert "15 to 30 mL" in by_axis["size"] and "above 3 to 5 mm" in by_axis["slice_thickness"]


def test_the_report_shows_each_failure_and_needs_nothing_from_elsewhere(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "out", Answers(SAID))
    html = (tmp_path / "out" / shelf.PAGE).read_text()
    assert html.count("data:image/png;base64,") == 2
    assert "missed, subdural, 1.5 mL, probability 0.10" in html and "false flag" in html
    assert "<script" not in html and "http" not in html.replace("http-equiv", "")
    assert "SYNTHETIC^NAME" not in html and "never counted as negative" in html


def test_an_evaluation_that_was_broken_off_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    model, out = subject(tmp_path / "bundle"), tmp_path / "out"
    dataset = read_dataset(data, model.targets)
    first, second = Answers(SAID), Answers(SAID)
    steps: Iterator[runner.Progress] = runner.run(model, dataset, first, out)
    assert [step.done for step in islice(steps, 3)] == [1, 2, 3]
    steps.close()  # type: ignore[attr-defined]
    with (out / runner.ANSWERS).open("a") as file:
        file.write('{"study": "quiet", "key"')  # a line that a crash cut off
    dataset_again = list(runner.run(model, dataset, second, out))
    assert dataset_again[0].done == 1 and dataset_again[-1].seconds_left == 0.0
    assert set(first.asked) & set(second.asked) == {"broken"}  # what failed is tried again
    assert set(first.asked) | set(second.asked) == set(SAID)
    third = Answers(SAID)
    evaluate(data, out, third)
    assert third.asked == ["broken"]


def test_other_images_or_another_model_are_asked_anew(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(data, out, Answers(SAID))
    write_series(data / "quiet", ball_series(slices=6))
    for old in sorted((data / "quiet").glob("*.dcm"))[:6]:
        old.unlink()
    again = Answers(SAID)
    evaluate(data, out, again)
    assert "found" not in again.asked
    labels = json.loads((data / "truth.json").read_text())
    labels[0]["lesion"] = None
    (data / "truth.json").write_text(json.dumps(labels))
    relabelled = Answers(SAID)
    result = evaluate(data, out, relabelled)
    assert "found" not in relabelled.asked and result["findings"][0]["positives"] == 3


def test_of_several_series_the_one_that_routing_chooses_is_asked(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", {"one": {}, "two": {"lesion": "epidural"}})
    study = next(iter((data / "one").glob("*.dcm")))
    same = {"StudyInstanceUID": pydicom.dcmread(study, stop_before_pixels=True).StudyInstanceUID}
    thick = ball_series(slices=5, SeriesDescription="BONE", ConvolutionKernel="BONE", **same)
    write_series(data / "one", thick)
    out = tmp_path / "out"
    evaluate(data, out, Answers({"one": 0.1, "two": 0.9}))
    assert len(runner.read_answers(out)["one"].files) == 6


def test_a_folder_of_two_studies_or_none_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", {"mixed": {}, "empty": {}, "good": {"lesion": "epidural"}})
    write_series(data / "mixed", ball_series(slices=4))
    for path in (data / "empty").iterdir():
        path.write_text("no DICOM")
    out = tmp_path / "out"
    result = evaluate(data, out, Answers({"good": 0.9}))
    answers = runner.read_answers(out)
    assert answers["mixed"].state == answers["empty"].state == State.FAILED
    assert "2 studies" in answers["mixed"].reason and "no DICOM" in answers["empty"].reason
    assert result["findings"][0]["auc"] is None


def test_the_card_keeps_what_people_wrote_and_changes_only_its_own_part(data: Path, tmp_path: Path) -> None:
    result = evaluate(data, tmp_path / "out", Answers(SAID))
    bundle = tmp_path / "bundle"
    (bundle / "docs").mkdir()
    (bundle / "docs" / "README.md").write_text("# A model\n\nWritten by people.\n")
    card = update_card(bundle, result)
    once = card.read_text()
    assert once.startswith("# A model\n\nWritten by people.\n")
    assert "| sensitivity | 50.0 % (9.5 to 90.5), 1 of 2 |" in once
    card.write_text(once.replace("1 of 2", "9 of 9") + "\nAfterwards.\n")
    update_card(bundle, result)
    assert card.read_text() == once + "\nAfterwards.\n"
    figures = json.loads((bundle / "docs" / "performance.json").read_text())
    assert "cases" not in figures and "failures" not in figures["findings"][0]
    assert with_section("# B\n", "X") == "# B\n\nX\n"


def test_what_the_images_are_is_said_first() -> None:
    assert "nothing about patients" in honesty({"synthetic": 3, "asked": 3})
    assert "2 of 3" in honesty({"synthetic": 2, "asked": 3})
    assert "another site" in honesty({"synthetic": 0, "asked": 3})


def test_the_newest_report_is_of_exactly_these_files(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    for name, made, weights in (
        ("old", "2026-01-01", "a"),
        ("new", "2026-02-01", "a"),
        ("other", "2026-03-01", "c"),
    ):
        folder = shelf.folder_for("m-1", name)
        folder.mkdir(parents=True)
        model = {"weights_sha256": weights * 64, "configs_sha256": "b" * 64}
        (folder / shelf.DOCUMENT).write_text(json.dumps({"made_at": made, "model": model}))
        (folder / shelf.PAGE).write_text("<p>")
    shelf.folder_for("m-1", "half").mkdir()
    (shelf.folder_for("m-1", "half") / shelf.DOCUMENT).write_text("{")
    assert shelf.newest_report("m-1", "a" * 64, "b" * 64) == shelf.folder_for("m-1", "new")
    assert shelf.newest_report("m-2", "a" * 64, "b" * 64) is None
