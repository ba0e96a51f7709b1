"""Signed reports in an archive of their own, and destinations to send them to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.models import RemoteNode, Study
from pacs.services import IncomingInstance, Source, store_instances
from tests.pacs.conftest import encoded, make_dataset
from tests.worklist.making import make_order
from tests.worklist.reports.outgoing.mllp_peer import MllpPeer
from worklist.reports import documents, services
from worklist.reports.checks import Facts
from worklist.reports.models import Report
from worklist.reports.outgoing import destinations, encapsulated, planning
from worklist.reports.outgoing.models import Destination, ReportDelivery


@pytest.fixture(autouse=True)
def _own_archive(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ARCHIVE_DIR = tmp_path / "archive"
    settings.MINIMUM_FREE_DISK_MB = 1
    settings.REPORT_WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    monkeypatch.setattr(audit, "_recent", audit._Recent())


@pytest.fixture
def reader(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="reader", display_name="Dr. Ada Reader")


@pytest.fixture
def administrator(make_user: Callable[..., User]) -> User:
    return make_user("pacs_administrator", username="admin")


Sign = Callable[..., Report]


@pytest.fixture
def sign(reader: User) -> Sign:
    """sign(**dataset values) -> a signed report of a new CT study ordered by the ER."""
    count = 0

    def make(**values: object) -> Report:
        nonlocal count
        count += 1
        known = set(Study.objects.values_list("pk", flat=True))
        dataset = make_dataset(**{"AccessionNumber": f"A{count}", "PatientID": f"P{count}", **values})
        store_instances(
            [IncomingInstance(data=encoded(dataset))], source=Source(label="test", channel="command")
        )
        study = Study.objects.exclude(pk__in=known).get()
        make_order(study)
        draft = services.open_draft(study=study, by=reader)
        draft = services.save(report_id=draft.pk, version=1, texts={"impression": "Bleed, left."}, by=reader)
        facts = Facts(images_opened=True)
        return services.sign(report_id=draft.pk, version=2, overrides=[], facts=facts, by=reader)

    return make


def add_hl7(port: int, **values: Any) -> Destination:
    """An HL7 destination on this machine."""
    known = {"name": "RIS", "kind": "hl7", "host": "127.0.0.1", "port": port, **values}
    return destinations.add(values=known, by=None)


def add_node(port: int) -> Destination:
    node = RemoteNode.objects.create(name="PACS 2", ae_title="OTHER", host="127.0.0.1", port=port)
    return destinations.add(values={"name": "PACS 2", "kind": "dicom", "node": node}, by=None)


def plan(report: Report) -> list[ReportDelivery]:
    """Documents made and deliveries planned, in order."""
    documents.store_documents_of(report.pk)
    encapsulated.store_of_report(report.pk)
    planning.plan(report_id=report.pk)
    return list(ReportDelivery.objects.filter(version__report=report).order_by("version__version", "pk"))


def at_once() -> None:
    """As if every pause were over."""
    now = timezone.now()
    ReportDelivery.objects.exclude(state="sent").update(next_attempt_at=now)
    Destination.objects.update(paused_until=None)


@pytest.fixture
def ris() -> Iterator[MllpPeer]:
    with MllpPeer() as peer:
        yield peer
