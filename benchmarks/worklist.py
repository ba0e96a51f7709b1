"""The reading list at 100,000 open studies: first page, search, counts, and a claim that one of 50 wins.

    python -m benchmarks.worklist [--items 100000] [--rounds 20] [--candidates]
    python -m tests.with_postgresql python -m benchmarks.worklist

Times are of the whole request inside the server (routing, token, queries, documents, JSON), without the
network; "processor" is what this process computed, which says more than the wall on a busy machine.
--candidates also times the ways to search that were considered, on the same texts.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from foundation.accounts.models import Role, User  # noqa: E402
from foundation.accounts.services import create_user, issue_token  # noqa: E402
from foundation.databases import is_postgresql  # noqa: E402
from pacs.models import Order, Patient, Study  # noqa: E402
from triage.models import Finding, ModelVersion, TriageRun  # noqa: E402
from worklist.queue import claims, search  # noqa: E402
from worklist.queue.models import WorklistItem  # noqa: E402

CLASSES = (("stat", 30), ("asap", 60), ("routine", 480))
REASONS = ("Fall, headache", "Thunderclap headache", "Follow-up", "Trauma", "Seizure", "Confusion")
CHUNK = 5000


def fill(number: int) -> None:
    """`number` open studies with patient, order, and a run of a model with its finding; one in five is flagged."""
    draw, now = random.Random(1), timezone.now()
    model = ModelVersion.objects.create(
        name="bench",
        version="1.0",
        bundle="ich_demo",
        weights_sha256="0" * 64,
        configs_sha256="0" * 64,
        state="live",
        finding_code="1386000",
        finding_meaning="Intracranial hemorrhage",
        criticality="critical",
        rank_threshold=0.5,
        alert_threshold=0.8,
    )
    for start in range(0, number, CHUNK):
        numbers = range(start, min(start + CHUNK, number))
        with transaction.atomic():
            patients = Patient.objects.bulk_create(
                Patient(
                    patient_id=f"SYN-{n}",
                    issuer_of_patient_id="BENCH",
                    patient_name=f"SYNTHETIC^{draw.choice('ABCDEFGH')}{n}",
                    patient_birth_date="19550315",
                )
                for n in numbers
            )
            arrivals = [now - timedelta(seconds=draw.randrange(86400)) for _ in numbers]
            studies = Study.objects.bulk_create(
                Study(
                    patient=patient,
                    study_instance_uid=f"2.25.{10**20 + n}",
                    study_date="20261124",
                    accession_number=f"ACC{n}",
                    study_description="SYNTHETIC Head w/o",
                    modalities="CT",
                    body_part_examined="HEAD",
                    received_at=arrived,
                    last_instance_at=arrived,
                    state="complete",
                    completed_at=arrived,
                )
                for n, patient, arrived in zip(numbers, patients, arrivals, strict=True)
            )
            picked = [draw.choice(CLASSES) for _ in numbers]
            orders = Order.objects.bulk_create(
                Order(
                    study=study,
                    accession_number=study.accession_number,
                    study_instance_uid=study.study_instance_uid,
                    priority=priority,
                    location_class="er",
                    reason_for_exam=draw.choice(REASONS),
                    ordered_at=now,
                )
                for study, (priority, _) in zip(studies, picked, strict=True)
            )
            flagged = [draw.random() < 0.2 for _ in numbers]
            add_runs(model, studies, flagged, now)
            WorklistItem.objects.bulk_create(
                WorklistItem(
                    study=study,
                    priority_class=priority,
                    location_class="er",
                    arrived_at=study.received_at,
                    due_at=study.received_at + timedelta(minutes=minutes),
                    due_without_ai_at=study.received_at + timedelta(minutes=minutes),
                    reasons=[{"code": "order", "text": f"{priority} from ER", "minutes": minutes}],
                    ai_status="done",
                    ai_flagged=found,
                    policy_version="2026-1",
                    ranked_at=now,
                    search_text=search.text_of(study, order),
                )
                for study, order, (priority, minutes), found in zip(
                    studies, orders, picked, flagged, strict=True
                )
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def add_runs(model: ModelVersion, studies: list[Study], flagged: list[bool], now: datetime) -> None:
    """One finished run with one finding for each study, present where flagged."""
    runs = TriageRun.objects.bulk_create(
        TriageRun(
            study=study,
            model=model,
            model_state="live",
            input_hash=f"{study.pk:064d}",
            input_instance_uids=[],
            state="done",
            outcome="positive" if found else "negative",
            probability=0.9 if found else 0.1,
            started_at=now,
            finished_at=now,
        )
        for study, found in zip(studies, flagged, strict=True)
    )
    Finding.objects.bulk_create(
        Finding(
            run=run,
            tracking_uid=f"2.25.{run.pk}",
            code=model.finding_code,
            meaning=model.finding_meaning,
            presence="present" if found else "absent",
            probability=0.9 if found else 0.1,
            volume_ml=31.0 if found else None,
        )
        for run, found in zip(runs, flagged, strict=True)
    )


@dataclass(frozen=True)
class Timed:
    """Milliseconds of one thing done several times: by the wall, and what this process computed."""

    median: float
    best: float
    worst: float
    computed: float

    def __str__(self) -> str:
        return (
            f"median {self.median:7.1f} ms  best {self.best:7.1f} ms  worst {self.worst:7.1f} ms  "
            f"processor {self.computed:7.1f} ms"
        )


def timed(work: Callable[[], object], rounds: int) -> Timed:
    """`rounds` times, after one round that is not counted."""
    work()
    wall, computed = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        work()
        computed.append((time.process_time() - used) * 1000)
        wall.append((time.perf_counter() - began) * 1000)
    return Timed(statistics.median(wall), min(wall), max(wall), statistics.median(computed))


def requests(user: User, rounds: int) -> Iterator[str]:
    """One line a request: what was asked, how long it took, how many queries."""
    client = Client(headers={"Authorization": f"Token {issue_token(user=user)}"})
    asked = {
        "first page of 100": "/api/worklist/",
        "page 200 of 100": "/api/worklist/?page=200",
        "my list": "/api/worklist/?list=mine",
        "STAT only": "/api/worklist/?priority_class=stat",
        "search, frequent word": "/api/worklist/?search=thunder",
        "search, one patient": "/api/worklist/?search=syn-77777",
        "search, two words": "/api/worklist/?search=acc4242 seizure",
        "search, nothing": "/api/worklist/?search=qqqq",
        "counts": "/api/worklist/summary/",
    }
    for what, path in asked.items():
        with CaptureQueriesContext(connection) as caught:
            answer = client.get(path)
        number = len(caught.captured_queries)
        assert answer.status_code == 200, answer.content
        yield f"{what:24} {timed(partial(client.get, path), rounds)}  {number:2} queries"


def fifty_claim_one() -> str:
    """Fifty readers claim one study at one instant."""
    readers = [create_user(username=f"bench-{n}", password=None, roles=[Role.RADIOLOGIST]) for n in range(50)]
    item_id, barrier = WorklistItem.objects.earliest("due_at").pk, threading.Barrier(len(readers))
    won: list[str] = []
    refused: list[str] = []

    def one(reader: User) -> None:
        barrier.wait()
        try:
            claims.claim(item_id=item_id, user=reader)
            won.append(reader.username)
        except claims.NotYours:
            refused.append(reader.username)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(reader,)) for reader in readers]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    return f"50 claim one study: {len(won)} won, {len(refused)} were told who did, in {took:.2f} s"


def candidates(rounds: int) -> Iterator[str]:
    """The ways to search that could be taken, for a word that nobody and one that many have."""
    table, waits = "queue_worklistitem", ("syn-77777", "qqqq", "thunder")
    ways = {"LIKE": f"SELECT id FROM {table} WHERE search_text LIKE %s ORDER BY due_at LIMIT 100"}
    with connection.cursor() as cursor:
        if is_postgresql():
            cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
            if cursor.fetchone() == (0,):
                yield "pg_trgm is not there: this server comes without contrib modules"
        else:
            cursor.execute("CREATE VIRTUAL TABLE bench_fts USING fts5(t, tokenize='trigram')")
            cursor.execute(f"INSERT INTO bench_fts(rowid, t) SELECT id, search_text FROM {table}")
            ways["FTS5 trigram"] = (
                f"SELECT id FROM {table} WHERE id IN (SELECT rowid FROM bench_fts WHERE t LIKE %s) "
                "ORDER BY due_at LIMIT 100"
            )
        for name, sql in ways.items():
            for word in waits:

                def ask(sql: str = sql, word: str = word) -> None:
                    cursor.execute(sql, [f"%{word}%"])
                    cursor.fetchall()

                yield f"{name:14} {word:10} {timed(ask, rounds)}"


def main() -> None:
    """Make a database of its own, fill it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--candidates", action="store_true")
    options = parser.parse_args()
    old = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        call_command("migrate", verbosity=0)
        began = time.perf_counter()
        fill(options.items)
        print(
            f"{connection.vendor}: {options.items} open studies made in {time.perf_counter() - began:.0f} s"
        )
        reader = create_user(username="bench", password=None, roles=[Role.RADIOLOGIST])
        for line in requests(reader, options.rounds):
            print(line, flush=True)
        if options.candidates:
            for line in candidates(options.rounds):
                print(line, flush=True)
        print(fifty_claim_one(), flush=True)
    finally:
        connection.creation.destroy_test_db(old, verbosity=0)


if __name__ == "__main__":
    main()
