"""Receiver, worker and web are killed with -9 in the middle of a study: all come back, nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from tests.house import House, eventually

pytestmark = pytest.mark.faults
CHILDREN = ("valkey", "web", "receiver", "worker-inference", "worker-default", "beat")


@pytest.fixture(scope="module")
def own_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house of its own: other tests must not see it limp."""
    made = House(tmp_path_factory.mktemp("killed"))
    made.start()
    yield made
    made.stop()


def _kill(house: House, name: str) -> int:
    pid = house.pids()[name]
    os.kill(pid, signal.SIGKILL)
    return pid


def test_nothing_is_lost_when_receiver_worker_and_web_die_under_a_study(
    own_house: House, tmp_path: Path
) -> None:
    house = own_house
    service = house.token("service", "service")
    house.manage(
        "demo", "--write", str(tmp_path), "--count", "1", "--lesion", "epidural", "--volume-ml", "30"
    )
    files = sorted(tmp_path.rglob("*.dcm"))
    uid = str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    runs = f"/api/triage-runs/?study_instance_uid={uid}"

    sender = house.storescu(*files, wait=False)
    time.sleep(0.4)
    _kill(house, "receiver")
    sender.communicate(timeout=60)
    eventually(lambda: "receiver" in house.pids(), 10, "receiver back")
    eventually(
        lambda: house.health()["components"].get("receiver", {}).get("ok"), 20, "receiver serves again"
    )
    house.storescu(*files)  # a modality sends again what was not acknowledged; what was is a duplicate

    eventually(
        lambda: any(r["state"] in {"running", "done"} for r in house.api(runs, service)["results"]),
        60,
        f"run taken\n{house.logs()}",
    )
    _kill(house, "worker-inference")
    _kill(house, "web")

    def state_of_run() -> str:
        status, answer = house.request(runs, service)
        states = [run["state"] for run in answer["results"]] if status == 200 else []
        return next((state for state in states if state != "stale"), "")

    def answers() -> bool:
        try:
            return state_of_run() == "done"
        except OSError:  # the web server is on its way back
            return False

    eventually(answers, 120, f"run done after the worker was killed\n{house.logs()}")
    # A study that paused because its receiver died may have been taken as complete: that run is stale then.
    current = [run for run in house.api(runs, service)["results"] if run["state"] != "stale"]
    assert [(run["outcome"], run["input_instance_count"]) for run in current] == [("positive", len(files))]
    assert len(house.api(f"/api/alerts/?study_instance_uid={uid}", service_reader(house))["results"]) == 1
    study = house.api(f"/api/studies/{uid}/", service)
    received = sum(s["number_of_instances"] for s in study["series"] if s["modality"] == "CT")
    assert received == len(files)
    assert "intact" in house.manage("audit", "verify")


def service_reader(house: House) -> str:
    """A radiologist's token: services may not read alerts."""
    return house.token("fault-reader", "radiologist")


@pytest.mark.parametrize("name", CHILDREN)
def test_every_killed_child_is_back_and_serves(own_house: House, name: str) -> None:
    before = own_house.pids()[name]
    began = time.monotonic()
    _kill(own_house, name)
    eventually(lambda: own_house.pids().get(name, before) != before, 10, f"{name} started again")
    started = time.monotonic() - began
    eventually(lambda: own_house.health()["status"] == "ok", 60, f"all serve again\n{own_house.logs()}")
    print(f"{name}: process back after {started:.1f} s, all serving after {time.monotonic() - began:.1f} s")


def test_ending_and_starting_again_goes_on_where_it_was(own_house: House) -> None:
    service = own_house.token("service", "service")
    before = own_house.api("/api/worklist/?state=open&state=claimed&state=signed", service)["count"]
    seconds = own_house.stop()
    print(f"ended in {seconds:.1f} s")
    own_house.start()
    assert own_house.api("/api/worklist/?state=open&state=claimed&state=signed", service)["count"] == before
