"""The main job: two studies from the modality to the QA list, with real parts at every step.

dcmtk sends, Celery wakes the worker, the MONAI bundle looks, Chromium is the radiologist, the ER and
the QA reviewer. Where the real head CT is not at hand, a demo head without a bleed takes its place.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.conftest import SHARED_DATA
from tests.house import House, eventually

pytestmark = pytest.mark.acceptance

FINAL = {"done", "failed", "not_analysed", "not_applicable"}


def _item(house: House, token: str, uid: str) -> dict[str, Any] | None:
    found = house.api(f"/api/worklist/?study_instance_uid={uid}&state=open&state=claimed&state=signed", token)
    return found["results"][0] if found["results"] else None


def _validate(path: Path) -> list[str]:
    """Errors that dciodvfy finds."""
    program = Path(sys.executable).parent / "dciodvfy"
    result = subprocess.run([str(program), str(path)], capture_output=True, text=True)
    return [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("Error")]


def _instances(house: House, token: str, study: str, series: str, folder: Path) -> list[Path]:
    content_type, body = house.fetch(
        f"/dicom-web/studies/{study}/series/{series}", token, 'multipart/related; type="application/dicom"'
    )
    parts = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    paths = []
    for number, part in enumerate(parts.get_payload()):
        path = folder / f"{series}-{number}.dcm"
        path.write_bytes(part.get_payload(decode=True))  # type: ignore[union-attr]
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def studies(house: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both studies sent, orders first, and what they are called."""
    folder = tmp_path_factory.mktemp("studies")
    service = house.token("modality-orders", "service")
    house.manage(
        "demo", "--write", str(folder / "bleed"), "--count", "1", "--lesion", "intraparenchymal",
        "--volume-ml", "40", "--seed", "4711",
    )  # fmt: skip
    bleed = sorted((folder / "bleed").rglob("*.dcm"))
    if SHARED_DATA.is_dir():
        clean = sorted((SHARED_DATA / "head_ct_ge").glob("*.dcm"))
    else:
        house.manage("demo", "--write", str(folder / "clean"), "--count", "1", "--seed", "4712")
        clean = sorted((folder / "clean").rglob("*.dcm"))
    uids = {}
    for name, files, priority, location, department in (
        ("clean", clean, "stat", "er", "ER"),
        ("bleed", bleed, "routine", "er", "ER"),
    ):
        header = pydicom.dcmread(files[0], stop_before_pixels=True)
        uids[name] = str(header.StudyInstanceUID)
        house.api(
            "/api/orders/",
            service,
            body={
                "accession_number": str(header.get("AccessionNumber") or f"ACC-{name}"),
                "patient_id": str(header.get("PatientID") or name),
                "patient_name": str(header.get("PatientName") or ""),
                "study_instance_uid": uids[name],
                "priority": priority,
                "location_class": location,
                "location": "ER bed 1",
                "department": department,
                "reason_for_exam": "Fall",
                "procedure": "CT head",
                "modality": "CT",
            },
        )
        house.storescu(*files)
    return {"service": service, **uids}


def test_both_studies_are_analysed_and_the_bleed_stands_first(house: House, studies: dict[str, Any]) -> None:
    token = studies["service"]
    for name in ("clean", "bleed"):
        eventually(
            lambda name=name: (_item(house, token, studies[name]) or {}).get("ai_status") in FINAL,  # type: ignore[misc]
            120,
            f"{name} analysed\n{house.logs()}",
        )
    clean, bleed = (_item(house, token, studies[name]) for name in ("clean", "bleed"))
    assert clean and bleed
    assert clean["ai_status"] == "done", clean["ai_reason"]
    assert [f["presence"] for f in clean["findings"]] == ["absent"]
    assert bleed["ai_status"] == "done", bleed["ai_reason"]
    assert [f["presence"] for f in bleed["findings"]] == ["present"]
    assert 20 < bleed["findings"][0]["volume_ml"] < 80
    assert bleed["due_at"] < bleed["due_without_ai_at"]
    assert any("AI" in reason["text"] for reason in bleed["reasons"])
    run = house.api(f"/api/triage-runs/?study_instance_uid={studies['bleed']}", token)["results"][0]
    assert (run["state"], run["outcome"]) == ("done", "positive")
    assert len(run["weights_sha256"]) == 64


def _wait_for_documents(house: House, token: str, uid: str) -> None:
    """They come after the result."""
    path = f"/api/triage-runs/?study_instance_uid={uid}"
    eventually(
        lambda: all(run["documents_filed"] for run in house.api(path, token)["results"]),
        60,
        f"documents of {uid}",
    )


def test_documents_of_both_pass_dciodvfy(house: House, studies: dict[str, Any], tmp_path: Path) -> None:
    import json

    checked = []
    for name in ("clean", "bleed"):
        uid = studies[name]
        _wait_for_documents(house, studies["service"], uid)
        _, body = house.fetch(
            f"/dicom-web/studies/{uid}/series", studies["service"], "application/dicom+json"
        )
        for series in json.loads(body):
            modality = series["00080060"]["Value"][0]
            if modality in {"SEG", "SR", "OT"}:
                for path in _instances(
                    house, studies["service"], uid, series["0020000E"]["Value"][0], tmp_path
                ):
                    assert _validate(path) == []
                    checked.append((name, modality))
    assert {("clean", "SR"), ("bleed", "SR"), ("bleed", "SEG"), ("bleed", "OT")} <= set(checked)


def test_the_emergency_room_answers_the_alert(
    house: House, studies: dict[str, Any], sign_in: Callable[..., Page]
) -> None:
    password = house.add_user("er-nurse", "er_staff", department="ER", display_name="Synthetic Nurse")
    page = sign_in(house.url, "er-nurse", password)
    page.goto(f"{house.url}/er")
    card = page.get_by_test_id("alert-card").first
    expect(card).to_contain_text("not for diagnostic use")
    card.get_by_test_id("alert-acknowledge").click()
    page.get_by_test_id("alert-name").fill("Synthetic Nurse")
    page.get_by_test_id("alert-readback").fill("Possible intracranial hemorrhage, bed 1")
    page.get_by_test_id("alert-confirm").click()
    alerts = f"/api/alerts/?study_instance_uid={studies['bleed']}"
    token = house.token("er-reader", "radiologist")
    alert = eventually(
        lambda: next((a for a in house.api(alerts, token)["results"] if a["state"] == "acknowledged"), None),
        20,
        "alert acknowledged",
    )
    assert alert["acknowledged_by"]["username"] == "er-nurse"
    assert alert["read_back"].startswith("Possible intracranial")


def _viewer(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def _sign(page: Page, house: House, token: str, uid: str, impression: str) -> dict[str, Any]:
    """Write the impression, sign, answer what the checks ask, and wait for the signature."""
    page.get_by_test_id("report-section-impression").locator("textarea").fill(impression)
    page.get_by_test_id("sign").click()

    def signed() -> dict[str, Any] | None:
        found = house.api(f"/api/reports/?study_instance_uid={uid}", token)["results"]
        if found and found[0]["state"] == "final":
            return found[0]
        for reason in page.get_by_test_id("override-reason").all():
            if reason.is_visible() and not reason.input_value():
                reason.fill("Reviewed in the acceptance test")
        again = page.get_by_test_id("sign-anyway")
        if again.is_visible() and again.is_enabled():
            again.click()
        return None

    return eventually(signed, 40, f"report of {uid} signed\n{house.logs()}")


def test_the_radiologist_reads_and_signs_both(
    house: House, studies: dict[str, Any], sign_in: Callable[..., Page]
) -> None:
    password = house.add_user("reader", "radiologist", display_name="Synthetic Radiologist")
    token = house.token("reader", "radiologist")
    page = sign_in(house.url, "reader", password)
    first = page.get_by_test_id("worklist-row").first
    expect(first).to_have_attribute("data-study-uid", studies["bleed"])
    expect(first.get_by_test_id("worklist-ai")).to_contain_text("AI")

    first.dblclick()
    page.wait_for_url(f"**/read/{studies['bleed']}*")
    expect(_viewer(page).locator("canvas").first).to_be_visible(timeout=60_000)
    card = page.get_by_test_id("finding-card").first
    expect(card).to_contain_text("Possible")
    card.get_by_test_id("finding-jump").click()
    card.get_by_test_id("finding-accept").click()
    report = _sign(page, house, token, studies["bleed"], "Left intraparenchymal hemorrhage. Called to ER.")
    assert report["signed_by"]

    page.goto(f"{house.url}/read/{studies['clean']}")
    expect(_viewer(page).locator("canvas").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("nothing found by", exact=False).first).to_be_visible()
    conclusion = page.get_by_test_id("conclusion-absent")
    conclusion.first.click()
    _sign(page, house, token, studies["clean"], "No intracranial hemorrhage.")
    for name in ("bleed", "clean"):
        item = _item(house, token, studies[name])
        assert item and item["state"] == "signed"


def test_the_qa_reviewer_finds_ai_against_signature(
    house: House, studies: dict[str, Any], sign_in: Callable[..., Page]
) -> None:
    password = house.add_user("qa-person", "qa_reviewer", display_name="Synthetic Reviewer")
    token = house.token("qa-person", "qa_reviewer")
    everything = "/api/quality/reviews/?sampled=all"
    reviews = eventually(
        lambda: (r := house.api(everything, token)["results"]) and len(r) >= 2 and r, 30, "two reviews"
    )
    by_study = {review["study_instance_uid"]: review for review in reviews}
    assert (
        by_study[studies["bleed"]]["ai_result"] == by_study[studies["bleed"]]["reader_result"] == "positive"
    )
    assert (
        by_study[studies["clean"]]["ai_result"] == by_study[studies["clean"]]["reader_result"] == "negative"
    )
    page = sign_in(house.url, "qa-person", password)
    page.goto(f"{house.url}/quality")
    row = page.get_by_test_id("review-row").first
    expect(row).to_be_visible()
    row.get_by_test_id("review-agree").click()
    eventually(
        lambda: any(r["state"] == "agreed" for r in house.api(everything, token)["results"]),
        20,
        "agreement kept",
    )


def test_the_trail_of_all_that_is_intact_and_names_who_read_what(
    house: House, studies: dict[str, Any]
) -> None:
    assert "intact" in house.manage("audit", "verify")
