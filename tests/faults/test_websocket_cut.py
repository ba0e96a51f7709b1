"""A page whose network is cut while the list changes: afterwards it equals a page that is loaded afresh."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.house import House, eventually
from tests.pacs.conftest import encoded, make_dataset

pytestmark = [pytest.mark.faults, pytest.mark.browser]
PATIENCE_MS = 30_000

ROWS = """() => [...document.querySelectorAll('[data-testid=worklist-row]')]
  .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
  .map(row => {
    const copy = row.cloneNode(true);
    copy.firstElementChild.remove();  // the time left runs on between two looks
    copy.querySelectorAll('button').forEach(button => button.remove());
    return row.dataset.accession + ' ' + copy.textContent;
  })"""


class Cable:
    """A network between browser and house that can be cut."""

    def __init__(self, port: int) -> None:
        self._to, self._whole = port, True
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks, and none is made any more."""
        self._whole = False
        while self._ends:
            end = self._ends.pop()
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def mend(self) -> None:
        self._whole = True

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def cable(house: House) -> Iterator[Cable]:
    made = Cable(house.port)
    yield made
    made.close()


def send(house: House, token: str, folder: Path, accession: str) -> str:
    """A study that no model looks at, on the worklist; returns its UID."""
    dataset = make_dataset(
        Modality="OT", AccessionNumber=accession, PatientName="SYNTHETIC^Cut", PatientID=f"SYN-{accession}"
    )
    path = folder / f"{accession}.dcm"
    path.write_bytes(encoded(dataset))
    house.storescu(path)
    uid = str(dataset.StudyInstanceUID)
    eventually(lambda: house.request(f"/api/worklist/{uid}/", token)[0] == 200, 20, "study on the list")
    return uid


def test_after_a_cut_the_list_equals_a_fresh_one(
    house: House, cable: Cable, sign_in: Callable[..., Page], tmp_path: Path
) -> None:
    password = house.add_user("cut-reader", "radiologist")
    token = house.token("cut-other", "radiologist")
    claimed, raised = (send(house, token, tmp_path, f"CUT{n}") for n in (1, 2))
    page = sign_in(f"http://127.0.0.1:{cable.port}", "cut-reader", password)
    page.goto(f"http://127.0.0.1:{cable.port}/?search=CUT")
    expect(page.get_by_test_id("worklist-row")).to_have_count(2, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)

    cable.cut()
    expect(page.get_by_test_id("live-state")).not_to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
    send(house, token, tmp_path, "CUT3")
    house.api(f"/api/worklist/{claimed}/claim/", token, body={})
    house.api(f"/api/worklist/{raised}/raise/", token, body={"to": "stat", "reason": "worse"})
    before = page.evaluate(ROWS)
    cable.mend()

    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
    fresh = sign_in(house.url, "cut-reader", password)
    fresh.goto(f"{house.url}/?search=CUT")
    expect(fresh.get_by_test_id("worklist-row")).to_have_count(3, timeout=PATIENCE_MS)
    now = fresh.evaluate(ROWS)
    assert now != before
    # Sooner than the sweep of a minute, which would hide a page that was told nothing.
    eventually(lambda: page.evaluate(ROWS) == now, 30, f"the page that was cut off shows {now}")
