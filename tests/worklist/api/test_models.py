"""The registry over HTTP: shown to those who judge models, changed by those who answer for them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from foundation.accounts.models import User
from tests.triage.making import make_bright_bundle
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import HEMORRHAGE, make_model, make_run, make_study
from triage import registry
from triage.models import ModelVersion
from worklist.api.model_documents import in_words
from worklist.queue import ranking
from worklist.reports.models import Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("pacs_administrator", username="ann", display_name="Ann"))


@pytest.fixture
def ben(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("pacs_administrator", username="ben"))


@pytest.fixture
def judge(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("qa_reviewer", username="judge"))


@pytest.fixture
def bundles(tmp_path: Path, settings: Any) -> Path:
    settings.BUNDLES_DIR, settings.ADDED_BUNDLES_DIR = tmp_path / "models", tmp_path / "added"
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def archive_of(bundle: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file in bundle.rglob("*"):
            if file.is_file():
                archive.write(file, f"{bundle.name}/{file.relative_to(bundle).as_posix()}")
    return out.getvalue()


def upload(caller: Caller, content: bytes, status: int, **fields: str) -> Any:
    data = {
        "file": SimpleUploadedFile("bright.zip", content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "reason": "Asked for by the ER",
        **fields,
    }
    response = caller.client.post("/api/models/", data, **caller.headers)
    assert response.status_code == status, response.content
    return response.json()


def test_a_model_goes_from_upload_to_live_by_two_people_with_its_history(
    bundles: Path, tmp_path: Path, ann: Caller, ben: Caller, judge: Caller
) -> None:
    model = upload(ann, archive_of(make_bright_bundle(tmp_path / "outside")), 201)
    assert_matches(model, "ModelDetail")
    assert (model["name"], model["state"], model["moves"]) == ("bright", "draft", ["retired", "shadow"])
    assert model["came_from"] == "upload: bright.zip" and model["registered_by"]["username"] == "ann"
    address = f"/api/models/{model['id']}/"
    ann.post(address + "set-state/", {"state": "shadow", "reason": "Measure it"})
    refused = ann.post(address + "set-state/", {"state": "live", "reason": "Now"}, status=409)
    assert refused["title"] == "Not approved" and "another PACS administrator" in refused["detail"]
    assert ben.get(address)["may_approve"] and not ben.get(address)["may_go_live"]
    ann.post(address + "approve/", {"reason": "Sensitivity 0.97 on 212 cases"})
    assert ann.get(address)["may_go_live"] is False and ben.get(address)["may_go_live"] is True
    live = ben.post(address + "set-state/", {"state": "live", "reason": "Agreed"})
    assert [(d["action"], d["by"]["username"], d["reason"]) for d in live["decisions"]] == [
        ("registered", "ann", "Asked for by the ER"),
        ("moved", "ann", "Measure it"),
        ("approved", "ann", "Sensitivity 0.97 on 212 cases"),
        ("moved", "ben", "Agreed"),
    ]
    seen = judge.get(address)
    assert_matches(seen, "ModelDetail")
    assert seen["state"] == "live" and not seen["may_approve"] and not seen["may_go_live"]
    assert seen["targets"][0]["alert_threshold"] == 0.8 and seen["looks_at"] == ["CT: HEAD or not named"]
    assert seen["input_limits"] == {"modality": ["CT"], "min_slices": 8} and len(seen["weights_sha256"]) == 64


def test_what_makes_no_sense_is_a_problem_document(
    bundles: Path, tmp_path: Path, ann: Caller, judge: Caller
) -> None:
    bundle = make_bright_bundle(tmp_path / "outside")
    content = archive_of(bundle)
    assert "nothing was unpacked" in upload(ann, content, 422, sha256="0" * 64)["detail"]
    assert "sha256" in upload(ann, content, 400, sha256="x")["errors"]
    assert "reason" in upload(ann, content, 400, reason=" ")["errors"]
    assert "archive is refused" in upload(ann, b"no archive", 422)["detail"]
    upload(judge, content, 403)
    (bundle / "evil.py").write_text("")
    assert "evil.py is code" in upload(ann, archive_of(bundle), 422)["detail"]
    assert not ModelVersion.objects.exists()
    address = f"/api/models/{registry.register_bundle(path=make_bright_bundle(bundles), state='draft').pk}/"
    assert ann.post(address + "approve/", {"reason": "x"}, status=422)["title"] == "Not possible"
    assert (
        "state" in ann.post(address + "set-state/", {"state": "draft", "reason": "x"}, status=400)["errors"]
    )
    assert ann.post(address + "set-state/", {"state": "live", "reason": "x"}, status=409)
    assert "reason" in ann.post(address + "set-state/", {"state": "shadow"}, status=400)["errors"]
    ann.get("/api/models/999999/", status=404)


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"modality": "CT", "body_part_any": ["HEAD", "BRAIN", ""]}, "CT: HEAD, BRAIN or not named"),
        ({"modality": ["DX", "CR"], "body_part_any": ["CHEST"]}, "DX or CR: CHEST"),
        ({"modality": "MR"}, "MR"),
        ({}, "any modality"),
    ],
)
def test_what_a_rule_looks_at_is_told_in_words(conditions: dict[str, Any], words: str) -> None:
    assert in_words(conditions) == words


def test_the_list_counts_what_became_of_the_runs(judge: Caller, django_assert_max_num_queries: Any) -> None:
    models = [make_model(name=f"m{number}", version="1") for number in range(4)]
    for probability in (0.9, 0.1, 0.2, None):
        make_run(make_study(), models[0], probability=probability)
    make_run(make_study(), models[0], state="failed")
    make_run(make_study(), models[0], state="stale")
    with django_assert_max_num_queries(9):
        page = judge.get("/api/models/")
    assert [row["name"] for row in page["results"]] == ["m0", "m1", "m2", "m3"]
    for row in page["results"]:
        assert_matches(row, "Model")
    runs = page["results"][0]["runs"]
    assert [runs[key] for key in ("waiting", "positive", "negative", "failed")] == [1, 1, 2, 1]


@pytest.fixture
def two(db: None) -> tuple[ModelVersion, ModelVersion]:
    """A live version and its successor in shadow, which agree on two studies of five."""
    old, new = make_model("live", name="ich", version="1"), make_model("shadow", name="ich", version="2")
    for first, second in ((0.9, 0.95), (0.1, 0.2), (0.9, 0.1), (0.3, 0.6), (0.55, 0.45)):
        study = make_study()
        make_run(study, old, probability=first)
        make_run(study, new, probability=second)
    make_run(make_study(), old, probability=0.9)
    waiting = make_study()
    make_run(waiting, old)
    make_run(waiting, new, probability=0.9)
    return old, new


def test_a_comparison_counts_agreement_and_lists_the_strongest_contradiction_first(
    judge: Caller, two: tuple[ModelVersion, ModelVersion]
) -> None:
    old, new = two
    page = judge.get("/api/models/compare/", a=old.pk, b=new.pk, page_size=2)
    assert_matches(page, "ModelComparison")
    (table,) = page["findings"]
    assert [table[key] for key in ("both", "only_a", "only_b", "neither")] == [1, 2, 1, 1]
    assert (page["only_a_analysed"], page["only_b_analysed"], page["count"]) == (1, 1, 3)
    assert [(case["a"]["probability"], case["b"]["probability"]) for case in page["results"]] == [
        (0.9, 0.1),
        (0.3, 0.6),
    ]
    assert page["results"][0]["a"]["presence"] == "present" and page["next"]
    (last,) = judge.get("/api/models/compare/", a=old.pk, b=new.pk, page_size=2, page=2)["results"]
    assert last["a"]["probability"] == 0.55


def test_each_case_says_what_the_signed_report_concluded(
    make_user: Callable[..., User], two: tuple[ModelVersion, ModelVersion], django_assert_max_num_queries: Any
) -> None:
    old, new = two
    signer = make_user("radiologist", username="signer")
    disagreed = [run.study for run in new.runs.filter(state="done").order_by("pk")][2:5]
    said = {}
    answers = (("present", "final"), ("absent", "corrected"), ("present", "draft"))
    for study, (value, state) in zip(disagreed, answers, strict=True):
        signed = {"signed_by": signer, "signed_at": timezone.now()} if state != "draft" else {}
        conclusion = {"code": HEMORRHAGE, "scheme": "SCT", "meaning": "x", "value": value, "required": True}
        Report.objects.create(study=study, state=state, conclusions=[conclusion], **signed)
        said[study.study_instance_uid] = None if state == "draft" else (value, state)
    for role in ("qa_reviewer", "pacs_administrator"):
        caller = Caller(make_user(role))
        with django_assert_max_num_queries(16):
            page = caller.get("/api/models/compare/", a=old.pk, b=new.pk)
        assert_matches(page, "ModelComparison")
        for case in page["results"]:
            report = case["report"]
            found = report and (report["conclusion"], report["state"])
            assert found == said.get(case["study_instance_uid"])
            assert not report or set(report) == {"conclusion", "state", "signed_at"}
    assert sum(case["report"] is not None for case in page["results"]) == 2


def test_the_newest_answer_of_each_model_counts(judge: Caller) -> None:
    old, new, study = make_model(), make_model(), make_study()
    make_run(study, old, probability=0.9)
    make_run(study, new, probability=0.1)
    make_run(study, new, probability=0.8)
    make_run(study, old, probability=0.2, state="stale")
    page = judge.get("/api/models/compare/", a=old.pk, b=new.pk)
    assert page["count"] == 0 and page["findings"][0]["both"] == 1


def test_models_without_a_common_finding_cannot_be_compared(judge: Caller) -> None:
    bleed, chest = make_model(), make_model(finding_code="36118008", finding_meaning="Pneumothorax")
    for a, b in ((bleed, chest), (bleed, bleed)):
        problem = judge.get("/api/models/compare/", status=422, a=a.pk, b=b.pk)
        assert problem["title"] == "Nothing to compare"
    judge.get("/api/models/compare/", status=404, a=bleed.pk, b="x")
    judge.get("/api/models/compare/", status=404, a=bleed.pk)


def test_no_reader_sees_a_shadow_result_anywhere(
    make_user: Callable[..., User], two: tuple[ModelVersion, ModelVersion]
) -> None:
    old, new = two
    study = new.runs.filter(state="done").earliest("pk").study
    uid = study.study_instance_uid
    for role in ("radiologist", "er_staff"):
        reader = Caller(make_user(role))
        for address in ("/api/models/", f"/api/models/{new.pk}/", "/api/models/compare/"):
            reader.get(address, status=403, a=old.pk, b=new.pk)
    runs = Caller(make_user("radiologist")).get("/api/triage-runs/", study_instance_uid=uid)["results"]
    assert [(run["model_version"], run["model_state"]) for run in runs] == [("1", "live")]
    item = Caller(make_user("radiologist"))
    ranking.place(study_id=study.pk, cause="test")
    found = item.get(f"/api/worklist/{uid}/")["findings"]
    assert {finding["model_version"] for finding in found} == {"1"}
