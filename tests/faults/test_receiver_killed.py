"""kill -9 of the receiver in the middle of C-STORE, again and again: no acknowledged object is lost."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from pydicom.dataset import Dataset

from pacs.dimse import scu
from pacs.services.part10 import read_meta
from tests.pacs.conftest import make_study

PROJECT = Path(__file__).resolve().parents[2]
KILLS = 3
SENDERS = 3

pytestmark = pytest.mark.faults


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Site:
    """A data folder, its database and a receiver process that is killed and started again."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self.database_url = database_url
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
            "FIRSTREAD_DATA_DIR": str(folder),
            "FIRSTREAD_ARCHIVE_DIR": str(folder / "archive"),
            "FIRSTREAD_DATABASE_URL": database_url,
            "FIRSTREAD_MIN_FREE_DISK_MB": "1",
            "FIRSTREAD_BROKER_URL": f"redis://127.0.0.1:{_free_port()}/0",
            "FIRSTREAD_LOG_LEVEL": "ERROR",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "receiver", "--port", str(self.port)],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if listens(self.port):
                return
            time.sleep(0.02)
        raise AssertionError("the receiver did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        """Ends by itself when asked to; raises TimeoutExpired when it hangs."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def rows(self) -> dict[str, tuple[str, str]]:
        """SOP Instance UID -> storage key, SHA-256; read past Django, as an auditor would."""
        query = "SELECT sop_instance_uid, storage_key, sha256 FROM pacs_instance"
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                found = connection.execute(query).fetchall()
        else:
            with sqlite3.connect(self.folder / "firstread.sqlite3") as connection:
                found = connection.execute(query).fetchall()
        return {uid: (key, sha256) for uid, key, sha256 in found}

    def hash_on_disk(self, key: str) -> str:
        content = (self.folder / "archive" / key).read_bytes()
        return hashlib.sha256(content[read_meta(io.BytesIO(content)).dataset_offset :]).hexdigest()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = os.environ.get("FIRSTREAD_TEST_DATABASE_URL", "")
    url, name = "", f"killed_{os.getpid()}"
    if server:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    made = Site(tmp_path / "site", url)
    made.manage("migrate", "--verbosity", "0")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
    if server:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Sender(threading.Thread):
    """Sends its slices until each is acknowledged, over as many associations as that takes."""

    def __init__(self, site: Site, slices: list[Dataset], acknowledged: set[str]) -> None:
        super().__init__(daemon=True)
        self._site, self._left, self._acknowledged = site, slices, acknowledged
        self.enough = threading.Event()

    def run(self) -> None:
        while self._left and not self.enough.is_set():
            if not listens(self._site.port):
                time.sleep(0.05)
                continue
            try:
                scu.send(
                    self._left[:20],
                    "127.0.0.1",
                    self._site.port,
                    called_aet="FIRSTREAD",
                    calling_aet="CT1",
                    on_answer=self._answered,
                    answer_timeout=2.0,
                )
            except scu.PeerError:
                continue
            self._left = [d for d in self._left if d.SOPInstanceUID not in self._acknowledged]

    def _answered(self, uid: str, status: int) -> None:
        if status == 0:
            self._acknowledged.add(uid)


def test_no_acknowledged_object_is_lost_when_the_receiver_is_killed(site: Site) -> None:
    chance = random.Random(3)
    acknowledged: set[str] = set()
    studies = [make_study(300, PatientID=f"P{n}", AccessionNumber=f"A{n}") for n in range(SENDERS)]
    everything = [dataset for study in studies for dataset in study]
    for dataset in everything:
        dataset.PixelData = chance.randbytes(512)
    site.start()
    senders = [Sender(site, list(study), acknowledged) for study in studies]
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        before = len(acknowledged)
        deadline = time.monotonic() + 10
        while len(acknowledged) < before + 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.2))
        site.kill()
        assert len(acknowledged) > before
        told = set(acknowledged)
        rows = site.rows()
        assert told <= rows.keys(), "acknowledged, but not indexed"
        for key, sha256 in rows.values():
            assert site.hash_on_disk(key) == sha256, "indexed, but not whole on disk"
        site.start()
    for sender in senders:
        sender.enough.set()
    for sender in senders:
        sender.join(30)

    some = everything[:20] + everything[-20:]
    resent = scu.send(some, "127.0.0.1", site.port, called_aet="FIRSTREAD", calling_aet="CT1")
    assert resent.failed == []
    site.terminate()
    site.manage(
        "shell", "-c", "from pacs.services.reconcile import reconcile_archive as r; r(grace_seconds=0)"
    )
    rows = site.rows()
    archive = site.folder / "archive"
    on_disk = {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file()}
    assert on_disk == {key for key, _ in rows.values()}, "files without rows, or rows without files"
    assert {str(dataset.SOPInstanceUID) for dataset in some} | acknowledged <= rows.keys()
