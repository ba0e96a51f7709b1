"""From the last image to the alert on the ER's screen: `python benchmarks/time_to_notification.py`.

    python benchmarks/time_to_notification.py [--studies 20] [--lesion intraparenchymal] [--volume-ml 30]

Starts the whole house, opens the ER page in Chromium, and sends 40-slice 512x512 head CTs with a bleed by
C-STORE, one at a time. The clock runs from the answer to the last C-STORE to the moment the alert's card
stands in the page (a MutationObserver looks, and the next frame is drawn). Two kinds of sender: one that
announces how many images there are, and one that does not, as most scanners. Cleared devices report 22 to
34 seconds from acquisition to notification.

The steps add up to the whole: each begins where the one before it ends, by clocks of this one machine. What
the model's process did is told by its own watch, and "the host" is what is left of its time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursts import another, percentile
from playwright.sync_api import Page, sync_playwright
from pydicom.dataset import Dataset

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

import django  # noqa: E402

django.setup()

from pacs.dimse import scu  # noqa: E402
from pacs.synthetic.studies import make_study  # noqa: E402
from tests.chromium import ARGUMENTS  # noqa: E402
from tests.house import House  # noqa: E402

MARKS = """
import json
from triage.models import TriageRun
from worklist.alerts.models import Alert
run = TriageRun.objects.get(pk={})
marks = {{name: getattr(run, name).timestamp() for name in ("created_at", "started_at", "finished_at")}}
alert = Alert.objects.get(study=run.study)
print(json.dumps(marks | {{"raised_at": alert.raised_at.timestamp(), "alert": alert.pk, "timings": run.timings}}))
"""
IN_THE_HOST = ("read", "resample", "guard", "extract", "measure")
GOALS = {"p50": 3.0, "p95": 5.0, "beyond the model, p50": 1.5}
# By the browser's clock, which is this machine's: when a message about an alert came, when the list of patients
# was asked for and came, and when each accession number was first drawn.
WATCH = r"""() => {
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
  window.heard = {};
  window.drawn = {};
  performance.setResourceTimingBufferSize(100000);
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...address) {
      super(...address);
      this.addEventListener('message', (event) => {
        const said = JSON.parse(event.data);
        if (said.topic === 'alerts' && !(said.key in window.heard)) window.heard[said.key] = now();
      });
    }
  };
  const look = () => {
    for (const card of document.querySelectorAll('[data-testid=alert-card]')) {
      const found = card.textContent.match(/accession (TTN\d{5})/);
      if (found && !(found[1] in window.drawn)) {
        window.drawn[found[1]] = 0;
        requestAnimationFrame(() => { window.drawn[found[1]] = now(); });
      }
    }
  };
  document.addEventListener('DOMContentLoaded', () => {
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
  });
  window.fetched = (until) => performance.getEntriesByType('resource')
    .filter((one) => one.name.includes('/api/er/patients'))
    .map((one) => [one.startTime, one.responseEnd].map((ms) => (performance.timeOrigin + ms) / 1000))
    .filter(([, end]) => end <= until).at(-1);
}"""


@dataclass(frozen=True)
class Measured:
    """Seconds of one study; `steps` in their order."""

    total: float
    model: float
    steps: dict[str, float]


def measure(house: House, page: Page, token: str, datasets: list[Dataset], accession: str) -> Measured:
    """Send one study and wait for its card."""
    house.api(
        "/api/orders/",
        token,
        body={
            "accession_number": accession,
            "patient_id": accession,
            "patient_name": f"SYNTHETIC^{accession}",
            "study_instance_uid": str(datasets[0].StudyInstanceUID),
            "priority": "stat",
            "location_class": "er",
            "location": "Bay 1",
            "department": "Emergency",
            "reason_for_exam": "Synthetic",
            "procedure": "CT head",
            "modality": "CT",
            "ordered_at": "2026-01-05T08:00:00Z",
        },
    )
    answered = 0.0

    def on_answer(uid: str, status: int) -> None:
        nonlocal answered
        answered = time.time()

    sent = scu.send(
        datasets, "127.0.0.1", house.dicom_port,
        called_aet="FIRSTREAD", calling_aet="MODALITY", on_answer=on_answer,
    )  # fmt: skip
    assert not sent.failed, sent.failed
    drawn = 0.0
    deadline = time.monotonic() + 60
    while not drawn:
        if time.monotonic() > deadline:
            path = f"/api/triage-runs/?study_instance_uid={datasets[0].StudyInstanceUID}"
            sys.exit(f"No alert within 60 s: {json.dumps(house.api(path, token)['results'], indent=1)}")
        drawn = float(page.evaluate("name => window.drawn[name] || 0", accession))
        page.wait_for_timeout(100)
    path = f"/api/triage-runs/?study_instance_uid={datasets[0].StudyInstanceUID}"
    runs = [run for run in house.api(path, token)["results"] if run["model"] == "ich_demo"]
    marks = json.loads(house.manage("shell", "-c", MARKS.format(runs[0]["id"])).splitlines()[-1])
    heard = float(page.evaluate("key => window.heard[key]", str(marks["alert"])))
    asked, came = page.evaluate("until => window.fetched(until)", drawn)
    steps = timeline(answered, marks, heard, asked, came, drawn)
    return Measured(drawn - answered, steps["model"], steps)


def timeline(
    answered: float, marks: dict[str, Any], heard: float, asked: float, came: float, drawn: float
) -> dict[str, float]:
    """Seconds of each step from the last C-STORE answer to the drawn card; together they are all of it."""
    own = dict(marks["timings"])
    model = float(own.pop("predict", 0.0))
    # The documents are made after the result and delay nobody: `objects` is not among these.
    steps = {name: float(own.pop(name, 0.0)) for name in IN_THE_HOST}
    compared = float(own.pop("compare", 0.0))
    inside = marks["finished_at"] - marks["started_at"]
    return {
        "association released, planned": marks["created_at"] - answered,
        "queued and taken": marks["started_at"] - marks["created_at"],
        **steps,
        "model": model,
        "compared with priors": compared,
        "the host": inside - model - compared - sum(steps.values()),
        "commit, alert raised": marks["raised_at"] - marks["finished_at"],
        "told to the browser": heard - marks["raised_at"],
        "asks": asked - heard,
        "answer": came - asked,
        "drawn": drawn - came,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=20, help="of each kind of sender")
    parser.add_argument("--lesion", default="intraparenchymal")
    parser.add_argument("--volume-ml", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is missing. Install it: apt-get update && apt-get install -y chromium")
    print("making one synthetic head CT, 40 slices of 512x512 ...", flush=True)
    images = make_study(4242, options.lesion, options.volume_ml, slices=40, slice_mm=4.0).datasets
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="firstread-ttn-") as folder:
        # The site's own quiet time, not the tests' short one.
        house = House(Path(folder) / "data", environment={"FIRSTREAD_QUIET_SECONDS": "10"})
        house.start()
        try:
            token = house.token("bench", "service")
            password = house.add_user("er-bench", "er_staff", department="Emergency")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
                page = browser.new_page(viewport={"width": 1920, "height": 1080})
                page.add_init_script(f"({WATCH})()")
                page.goto(f"{house.url}/accounts/login/")
                page.fill("input[name=login]", "er-bench")
                page.fill("input[name=password]", password)
                page.click("button[type=submit]")
                page.goto(f"{house.url}/er")
                page.wait_for_load_state("networkidle")
                for announce in (True, False):
                    kind = "count announced" if announce else "count not announced"
                    measured = []
                    for number in range(options.studies + 1):
                        accession = f"TTN{int(announce)}{number:04d}"
                        one = measure(
                            house, page, token, another(images, accession, announce=announce), accession
                        )
                        if number:  # the first one warms the caches
                            measured.append(one)
                        print(
                            f"  {kind} {number}: {one.total:.2f} s, the model {one.model:.2f} s", flush=True
                        )
                    results[kind] = summary(measured)
                browser.close()
        finally:
            house.stop()
    for kind, figures in results.items():
        print(
            f"\n{kind}, {options.studies} studies, seconds from the last C-STORE answer to the drawn alert:"
        )
        for name, value in figures.items():
            goal = GOALS.get(name)
            print(f"  {name:<28} {value:6.2f}" + (f"   goal {goal:g}" if goal else ""))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def summary(measured: list[Measured]) -> dict[str, float]:
    """Percentiles and medians by step."""
    total = [one.total for one in measured]
    found = {
        "p50": statistics.median(total),
        "p95": percentile(total, 0.95),
        "longest": max(total),
        "model alone, p50": statistics.median(one.model for one in measured),
        "beyond the model, p50": statistics.median(one.total - one.model for one in measured),
    }
    for step in measured[0].steps:
        found[step] = statistics.median(one.steps[step] for one in measured)
    return found


if __name__ == "__main__":
    main()
