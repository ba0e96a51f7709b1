"""A receiver in this process, on a free port."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections

from pacs.dimse.limits import Limits
from pacs.dimse.server import Receiver

LIMITS = Limits(artim=1.0, idle=10.0, pdu=3.0, pending=8, evict_idle=0.2)


@pytest.fixture
def start_receiver(archive: Path, transactional_db: None) -> Iterator[Callable[..., Receiver]]:
    """start_receiver(**limits) -> a running Receiver."""
    running: list[Receiver] = []

    def start(**limits: object) -> Receiver:
        receiver = Receiver("127.0.0.1", 0, dataclasses.replace(LIMITS, **limits))  # type: ignore[arg-type]
        receiver.start()
        running.append(receiver)
        return receiver

    yield start
    for receiver in running:
        receiver.stop()
    connections.close_all()


@pytest.fixture
def receiver(start_receiver: Callable[..., Receiver]) -> Receiver:
    """A running receiver."""
    return start_receiver()


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """True as soon as the condition holds, False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
