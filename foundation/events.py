"""Typed domain events: news that travels upwards, after commit, by id only.

A handler runs in the process that published, after its transaction committed. A process that dies
between commit and handler loses the call, not the work: every handler has a sweep over the database
that does the same later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happened and is committed."""


@dataclass(frozen=True)
class StudyReceived(Event):
    """A study's first instance is stored."""

    study_id: int


@dataclass(frozen=True)
class InstancesStored(Event):
    """More instances of a known study are stored."""

    study_id: int


@dataclass(frozen=True)
class StudyCompleted(Event):
    """A study is complete by the rule in pacs.completeness; may happen again after late instances."""

    study_id: int


@dataclass(frozen=True)
class SendingPaused(Event):
    """A study's last open association closed, and nothing says yet whether all images are here."""

    study_id: int


@dataclass(frozen=True)
class OrderReceived(Event):
    """An order is new or changed; `study_id` is None while no image has arrived."""

    order_id: int
    study_id: int | None


@dataclass(frozen=True)
class TriagePlanned(Event):
    """Runs were made for a study, or it is known why there are none."""

    study_id: int


@dataclass(frozen=True)
class TriageStarted(Event):
    """A worker took a run."""

    run_id: int


@dataclass(frozen=True)
class TriageRunFinished(Event):
    """A run reached a final state: done, failed, not analysed or stale."""

    run_id: int


@dataclass(frozen=True)
class TriageDocumentsFiled(Event):
    """SEG and SR of a run's result are in the archive; the result was told before."""

    run_id: int


@dataclass(frozen=True)
class AlertRaised(Event):
    """An urgent alert waits for a named person."""

    alert_id: int


@dataclass(frozen=True)
class AlertAcknowledged(Event):
    """A named person answered an alert."""

    alert_id: int


@dataclass(frozen=True)
class AlertEscalated(Event):
    """An alert went to its next rung."""

    alert_id: int


@dataclass(frozen=True)
class ReportDrafted(Event):
    """A report exists or its text changed; unsigned."""

    report_id: int


@dataclass(frozen=True)
class ReportSigned(Event):
    """A report, addendum or correction was signed."""

    report_id: int


@dataclass(frozen=True)
class WorklistItemChanged(Event):
    """A row of the worklist changed."""

    item_id: int


E = TypeVar("E", bound=Event)
_handlers: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)


def subscribe(event_type: type[E], handler: Callable[[E], None]) -> None:
    """Call `handler` after every commit that published `event_type`. Subscribing twice is harmless."""
    if handler not in _handlers[event_type]:
        _handlers[event_type].append(handler)


def publish(event: Event) -> None:
    """Deliver `event` to its handlers once the surrounding transaction commits."""
    transaction.on_commit(lambda: _deliver(event), robust=True)


def _deliver(event: Event) -> None:
    for handler in list(_handlers[type(event)]):
        try:
            handler(event)
        except Exception:  # one room's fault must not keep the news from the others; its sweep repairs
            log.exception(
                "event_handler_failed", event_type=type(event).__name__, handler=handler.__qualname__
            )
