"""A RIS that is away while a report is signed and amended, and a worker that dies: all arrives, in order."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.house import House, eventually, free_port
from tests.pacs.conftest import encoded, make_dataset
from tests.worklist.reports.outgoing.mllp_peer import MllpPeer

pytestmark = pytest.mark.faults


def signed_report(house: House, token: str, folder: Path, accession: str) -> dict[str, Any]:
    """A radiograph that no model looks at, stored by C-STORE and signed by the API."""
    dataset = make_dataset(
        Modality="OT", AccessionNumber=accession, PatientName="SYNTHETIC^Out", PatientID=f"SYN-{accession}"
    )
    path = folder / f"{accession}.dcm"
    path.write_bytes(encoded(dataset))
    house.storescu(path)
    uid = str(dataset.StudyInstanceUID)
    eventually(lambda: house.request(f"/api/worklist/{uid}/", token)[0] == 200, 20, "study on the list")
    house.api(f"/api/worklist/{uid}/claim/", token, body={})
    house.api(f"/api/worklist/{uid}/opened/", token, body={})
    report = house.api("/api/reports/", token, body={"study_instance_uid": uid})
    report = house.api(
        f"/api/reports/{report['id']}/",
        token,
        method="PATCH",
        body={"version": report["version"], "sections": [{"key": "impression", "text": "Nothing acute."}]},
    )
    signed: dict[str, Any] = house.api(
        f"/api/reports/{report['id']}/sign/", token, body={"version": report["version"], "overrides": []}
    )
    return signed


def test_what_was_signed_while_the_ris_was_away_arrives_once_and_in_order(
    house: House, tmp_path: Path
) -> None:
    token = house.token("out-reader", "radiologist")
    port = free_port()
    house.manage("destinations", "add", "RIS", "--kind", "hl7", "--host", "127.0.0.1", "--port", str(port))
    report = signed_report(house, token, tmp_path, "OUT1")
    house.api(f"/api/reports/{report['id']}/addendum/", token, body={"text": "No fracture."})

    def deliveries() -> list[dict[str, Any]]:
        rows = house.api(f"/api/report-deliveries/?report={report['id']}", token)["results"]
        return sorted(rows, key=lambda row: row["version"])

    eventually(lambda: [one["state"] for one in deliveries()] == ["failed", "waiting"], 20, "it failed")
    assert "not reached" in deliveries()[0]["error"] and deliveries()[1]["blocked"]
    study = f"/api/studies/{report['study_instance_uid']}/"
    eventually(
        lambda: {"SR", "DOC"} <= {series["modality"] for series in house.api(study, token)["series"]},
        20,
        f"documents are in the archive\n{house.logs()}",
    )
    os.kill(house.pids()["worker-default"], signal.SIGKILL)
    with MllpPeer(port=port) as ris:
        eventually(lambda: len(ris.received) >= 2, 90, f"both arrived\n{house.logs()}")
        eventually(lambda: {one["state"] for one in deliveries()} == {"sent"}, 20, "told as sent")
        assert ["No fracture." in message for message in ris.received] == [False, True]
    content_type, pdf = house.fetch(f"/api/reports/{report['id']}/pdf/", token, "application/pdf")
    assert content_type == "application/pdf" and pdf.startswith(b"%PDF")
