"""Labels are read whole or refused with every bad row named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.triage.evaluation.making import CONFIG, TARGET
from triage.evaluation.dataset import DatasetRefused, read_dataset
from triage.targets import targets

ONE = targets(CONFIG)
TWO = targets(
    {
        "findings": [
            {"name": name, "code": str(i), "scheme": "SCT", "meaning": name, "subtype": name}
            for i, name in enumerate(("epidural", "subdural"))
        ],
        "rank_threshold": 0.5,
        "alert_threshold": 0.5,
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "m.npz").write_bytes(b"x")
    return tmp_path


def test_a_table_gives_truth_by_study_and_finding(folder: Path) -> None:
    (folder / "labels.csv").write_text(
        "study,present,subtype,volume_ml,mask\na,1,epidural,12.5,m.npz\nb,no,,,\nc,TRUE,,,\n"
    )
    found = read_dataset(folder, ONE)
    a, b, c = (study.truths[TARGET] for study in found.studies)
    assert (a.present, a.subtype, a.volume_ml, a.mask) == (True, "epidural", 12.5, folder / "m.npz")
    assert not b.present and c.present and c.volume_ml is None
    assert len(found.labels_sha256) == 64


def test_what_the_demo_writes_is_true_for_one_finding_and_for_its_kinds(folder: Path) -> None:
    entries = [{"folder": "a", "lesion": "subdural", "volume_ml": 3.0}, {"folder": "b", "lesion": None}]
    (folder / "truth.json").write_text(json.dumps(entries))
    one = read_dataset(folder, ONE)
    assert [s.truths[TARGET].present for s in one.studies] == [True, False]
    assert one.studies[0].truths[TARGET].subtype == "subdural"
    two = read_dataset(folder, TWO)
    assert {n: t.present for n, t in two.studies[0].truths.items()} == {"epidural": False, "subdural": True}
    assert two.studies[0].truths["epidural"].volume_ml is None


def test_findings_can_be_named_one_by_one(folder: Path) -> None:
    entries = [{"folder": "a", "findings": {"epidural": True, "subdural": {"present": 0}}}]
    (folder / "truth.json").write_text(json.dumps(entries))
    truths = read_dataset(folder, TWO).studies[0].truths
    assert truths["epidural"].present and not truths["subdural"].present


def test_every_bad_row_is_told_at_once(folder: Path) -> None:
    (folder / "labels.csv").write_text(
        "study,present,finding,volume_ml,mask\n"
        "a,perhaps,,,\n"
        "zzz,1,,,\n"
        "../a,1,,,\n"
        "b,1,tumour,,\n"
        "c,1,,many,\n"
        "c,1,,1,../secret.npz\n"
        "b,1,,,\n"
        "b,0,,,\n"
    )
    with pytest.raises(DatasetRefused) as refused:
        read_dataset(folder, ONE)
    faults = str(refused.value).splitlines()
    assert [fault.split(":")[0] for fault in faults] == [
        f"labels.csv, line {n}" for n in (2, 3, 4, 5, 6, 7, 9)
    ]
    assert "the model looks for intracranial-hemorrhage" in faults[3]
    assert "two labels" in faults[-1]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("labels.csv", "file,label\na,1\n", "no column present and study"),
        ("labels.csv", "study,present,colour\na,1,red\n", "no such column: colour"),
        ("labels.csv", "study,present\n", "has no row"),
        ("truth.json", "{", "is not JSON"),
        ("truth.json", "{}", "must hold a list"),
        ("truth.json", '["a"]', "is no object"),
        ("truth.json", '[{"folder": "a"}]', "neither lesion nor findings"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(folder: Path, name: str, text: str, fault: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(DatasetRefused, match=fault):
        read_dataset(folder, ONE)


def test_without_labels_or_folder_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetRefused, match=r"neither labels\.csv nor truth\.json"):
        read_dataset(tmp_path, ONE)
    with pytest.raises(DatasetRefused, match="is no folder"):
        read_dataset(tmp_path / "none", ONE)


def test_a_model_of_several_findings_wants_them_named(folder: Path) -> None:
    (folder / "labels.csv").write_text("study,present\na,1\n")
    with pytest.raises(DatasetRefused, match="names no finding; the model looks for epidural, subdural"):
        read_dataset(folder, TWO)
