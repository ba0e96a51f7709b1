"""How many studies an hour, and who waits how long: `python benchmarks/throughput.py`.

    python benchmarks/throughput.py [--studies 30] [--workers 1 2] [--senders 4] [--slices 40] [--json FILE]

Starts the whole house once for each number of inference workers and sends a burst of head CTs with orders
of mixed urgency by C-STORE: a third STAT from the ER, a third ASAP, a third routine, in an order that is
drawn once. A run waits from its planning to its last start. "Its share" of waiting is what the queue's rule
owes it: all runs whose place is before its own (triage/urgency.py), each at the longest time that a run took,
divided among the workers, and one such time for the runs under way when it came. Nobody may wait more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

import django  # noqa: E402

django.setup()

from bursts import another, percentile  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402

from pacs.dimse import scu  # noqa: E402
from pacs.synthetic.studies import make_study  # noqa: E402
from tests.house import House, eventually  # noqa: E402
from triage.urgency import Urgency, place  # noqa: E402

ORDERS = {
    Urgency.STAT: {"priority": "stat", "location_class": "er"},
    Urgency.ASAP: {"priority": "asap", "location_class": "inpatient"},
    Urgency.ROUTINE: {"priority": "routine", "location_class": "outpatient"},
}
FINAL = {"done", "failed", "not_analysed"}
ROWS = (
    "import json; from triage.models import TriageRun as T; print(json.dumps([[r.pk, r.urgency, "
    "r.created_at.timestamp(), r.started_at and r.started_at.timestamp(), r.finished_at.timestamp(), "
    "r.state, r.attempts] for r in T.objects.filter(model__name='ich_demo').exclude(state='stale')]))"
)


@dataclass(frozen=True)
class Run:
    """One run of the burst; times in seconds since the epoch."""

    pk: int
    urgency: Urgency
    came: float
    started: float
    finished: float
    state: str
    attempts: int

    @property
    def waited(self) -> float:
        return self.started - self.came

    @property
    def took(self) -> float:
        return self.finished - self.started

    @property
    def place(self) -> tuple[datetime, int]:
        return place(datetime.fromtimestamp(self.came), self.urgency), self.pk


def send(house: House, token: str, images: list[Dataset], accession: str, urgency: Urgency) -> None:
    """The order, then the images."""
    datasets = another(images, accession)
    house.api(
        "/api/orders/",
        token,
        body={
            **ORDERS[urgency],
            "accession_number": accession,
            "patient_id": accession,
            "issuer_of_patient_id": str(datasets[0].get("IssuerOfPatientID", "")),
            "patient_name": f"SYNTHETIC^{accession}",
            "study_instance_uid": str(datasets[0].StudyInstanceUID),
            "location": "Bay 1",
            "department": "ER" if urgency == Urgency.STAT else "",
            "reason_for_exam": "Synthetic",
            "procedure": "CT head",
            "modality": "CT",
            "ordered_at": "2026-01-05T08:00:00Z",
        },
    )
    sent = scu.send(datasets, "127.0.0.1", house.dicom_port, called_aet="FIRSTREAD", calling_aet="MODALITY")
    assert not sent.failed, sent.failed


def burst(house: House, images: list[Dataset], studies: int, senders: int) -> tuple[list[Run], float]:
    """Send all studies at once; returns their runs and the seconds from the first image to the last answer."""
    token = house.token("bench", "service")
    send(house, token, images, "WARM", Urgency.ROUTINE)  # models load, caches fill
    _until_done(house, token, 1)
    warm = {run.pk for run in _runs(house)}
    urgencies = [Urgency(index % 3) for index in range(studies)]
    random.Random(4).shuffle(urgencies)
    began = time.time()
    with ThreadPoolExecutor(senders) as pool:
        for done in [
            pool.submit(send, house, token, images, f"BURST{index:03d}", urgency)
            for index, urgency in enumerate(urgencies)
        ]:
            done.result()
    print(f"  {studies} studies sent in {time.time() - began:.1f} s", flush=True)
    _until_done(house, token, studies + 1)
    runs = [run for run in _runs(house) if run.pk not in warm]
    return runs, max(run.finished for run in runs) - began


def _until_done(house: House, token: str, studies: int) -> None:
    def done() -> bool:
        found = house.api("/api/triage-runs/?page_size=500", token)["results"]
        mine = [run for run in found if run["model"] == "ich_demo" and run["state"] != "stale"]
        return len(mine) >= studies and all(run["state"] in FINAL for run in mine)

    eventually(done, 1800, f"{studies} studies answered")


def _runs(house: House) -> list[Run]:
    rows = json.loads(house.manage("shell", "-c", ROWS).splitlines()[-1])
    return [
        Run(pk, Urgency(u), came, started or finished, finished, state, tries)
        for pk, u, came, started, finished, state, tries in rows
    ]


def share_of(run: Run, runs: list[Run], workers: int) -> float:
    """Seconds that the rule lets a run wait."""
    longest = max(other.took for other in runs)
    before = sum(other.place < run.place for other in runs)
    return longest * (before // workers + 1)


def told(runs: list[Run], seconds: float, workers: int) -> dict[str, Any]:
    """Print and return what one burst gave."""
    an_hour = 3600.0 * len(runs) / seconds
    result: dict[str, Any] = {
        "studies": len(runs),
        "seconds": round(seconds, 1),
        "studies an hour": round(an_hour),
        "studies an hour and worker": round(an_hour / workers),
        "median run, s": round(statistics.median(run.took for run in runs), 2),
        "states": {state: sum(run.state == state for run in runs) for state in {run.state for run in runs}},
    }
    for urgency in sorted(Urgency, reverse=True):
        waits = [run.waited for run in runs if run.urgency == urgency]
        if waits:
            result[f"{urgency.name} waited, s"] = {
                "p50": round(statistics.median(waits), 1),
                "p95": round(percentile(waits, 0.95), 1),
                "longest": round(max(waits), 1),
            }
    late = [run for run in runs if run.waited > share_of(run, runs, workers)]
    passed = [
        (urgent, routine)
        for urgent in runs
        for routine in runs
        if urgent.urgency > routine.urgency
        and urgent.came < routine.started < urgent.started
        and routine.place > urgent.place
    ]
    result["waited more than their share"] = len(late)
    result["urgent runs that a less urgent one with a later place went before"] = len(
        {u.pk for u, _ in passed}
    )
    for name, value in result.items():
        print(f"  {name:<64} {value}")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=30)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--senders", type=int, default=4, help="associations at once")
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    images = make_study(4242, "intraparenchymal", 30.0, slices=options.slices, slice_mm=4.0).datasets
    results = {}
    for workers in options.workers:
        print(f"{workers} inference worker{'s' if workers > 1 else ''}, {os.cpu_count()} cores", flush=True)
        with tempfile.TemporaryDirectory(prefix="firstread-throughput-") as folder:
            house = House(Path(folder) / "data", environment={"FIRSTREAD_INFERENCE_WORKERS": str(workers)})
            try:
                house.start()
                runs, seconds = burst(house, images, options.studies, options.senders)
            finally:
                house.stop()
        results[workers] = told(runs, seconds, workers)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
