"""A study's way through the rooms of the worklist, by the events the other rooms publish."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from pacs.models import Study
from tests.worklist.making import make_model, make_order, make_run, make_study
from triage.models import TriageRun
from worklist import flows, tasks
from worklist.alerts.models import Alert
from worklist.live.models import Change, Heartbeat
from worklist.queue import claims
from worklist.queue.models import WorklistItem
from worklist.reports.models import Report

pytestmark = pytest.mark.django_db(transaction=True)


def _publish(event: events.Event) -> None:
    with transaction.atomic():
        events.publish(event)


def _item(study: Study) -> WorklistItem:
    return WorklistItem.objects.get(study=study)


def _sign(study: Study, reader: User) -> Report:
    return Report.objects.create(study=study, state="final", signed_by=reader, signed_at=timezone.now())


def test_a_study_goes_from_its_first_image_to_the_signature_by_events_alone(make_user):
    study = make_study(complete=False, received_at=timezone.now() - timedelta(minutes=1))
    _publish(events.StudyReceived(study.pk))
    assert _item(study).ai_status == "waiting"
    order = make_order(study, priority="routine")
    _publish(events.OrderReceived(order.pk, study.pk))
    assert _item(study).location_class == "er"
    version = _item(study).version
    Study.objects.filter(pk=study.pk).update(state="complete", completed_at=timezone.now())
    _publish(events.StudyCompleted(study.pk))
    assert (_item(study).ai_status, _item(study).version) == ("waiting", version + 1)
    run = make_run(study, make_model())
    _publish(events.TriagePlanned(study.pk))
    assert _item(study).ai_status == "waiting"
    TriageRun.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    _publish(events.TriageStarted(run.pk))
    assert _item(study).ai_status == "running"
    run.delete()
    finished = make_run(study, run.model, probability=0.93)
    _publish(events.TriageRunFinished(finished.pk))
    item = _item(study)
    assert (item.ai_status, item.ai_flagged) == ("done", True)
    assert item.due_at < item.due_without_ai_at
    assert Alert.objects.get().finding.run_id == finished.pk
    report = _sign(study, make_user("radiologist"))
    _publish(events.ReportSigned(report.pk))
    assert (_item(study).state, _item(study).signed_at) == ("signed", report.signed_at)
    causes = list(item.history.order_by("pk").values_list("cause", flat=True))
    assert causes == ["arrived", "order received", "AI result"]


def test_every_event_may_come_twice_and_changes_nothing_the_second_time(make_user):
    study = make_study()
    run = make_run(study, make_model(), probability=0.93)
    report = _sign(study, make_user("radiologist"))
    once = [events.StudyReceived(study.pk), events.TriagePlanned(study.pk), events.ReportSigned(report.pk)]
    for event in once:
        _publish(event)
    before = (_item(study).version, _item(study).history.count())
    for event in [*once, events.TriageStarted(run.pk)]:
        _publish(event)
    assert (_item(study).version, _item(study).history.count()) == before
    for _ in range(2):
        _publish(events.TriageRunFinished(run.pk))
    assert Alert.objects.count() == 1


def test_images_after_the_signature_are_told_and_change_nothing_else(make_user):
    study = make_study()
    _publish(events.StudyReceived(study.pk))
    _publish(events.InstancesStored(study.pk))
    claims.mark_signed(study_id=study.pk, signed_at=timezone.now())
    _publish(events.InstancesStored(study.pk))
    assert _item(study).state == "signed"


def test_the_sweep_does_what_no_event_did(make_user):
    """A process died between its commit and its news, everywhere along the way."""
    arrived, ordered, analysed, signed = (make_study() for _ in range(4))
    for study in (ordered, analysed, signed):
        _publish(events.StudyReceived(study.pk))
    make_order(ordered)
    make_run(analysed, make_model(), probability=0.93)
    _sign(signed, make_user("radiologist"))
    claims.claim(item_id=_item(ordered).pk, user=make_user("radiologist"))
    WorklistItem.objects.filter(study=ordered).update(claim_expires_at=timezone.now())
    for _ in range(2):
        tasks.sweep()
    assert _item(arrived).state == "open"
    assert (_item(ordered).priority_class, _item(ordered).state) == ("stat", "open")
    assert _item(analysed).ai_flagged and Alert.objects.filter(study=analysed).count() == 1
    assert _item(signed).state == "signed"


def test_escalation_sealing_and_the_heartbeat_run_as_tasks(make_user):
    make_user("radiologist")
    study = make_study()
    run = make_run(study, make_model(), probability=0.93)
    _publish(events.TriageRunFinished(run.pk))
    Alert.objects.update(deadline_at=timezone.now())
    tasks.escalate_due_alerts()
    assert Alert.objects.get().state == "escalated"
    tasks.seal_audit()
    tasks.beat_heartbeat()
    assert set(Heartbeat.objects.values_list("component", flat=True)) == {"beat", "workers"}


def test_one_rooms_fault_keeps_no_news_from_the_others_and_the_sweep_repairs_it(monkeypatch):
    study = make_study()
    run = make_run(study, make_model(), probability=0.93)
    with monkeypatch.context() as patch:
        patch.setattr(flows.alerts, "raise_for_run", lambda run_id: 1 / 0)
        _publish(events.TriageRunFinished(run.pk))
    assert not Alert.objects.exists()
    assert _item(study).ai_flagged
    flows.repair()
    assert Alert.objects.count() == 1


def test_changes_are_told_only_after_the_commit(monkeypatch):
    told: list[bool] = []
    monkeypatch.setattr("worklist.live.services._send", lambda *_: told.append(connection.in_atomic_block))
    study = make_study()
    with transaction.atomic():
        events.publish(events.StudyReceived(study.pk))
        assert told == []
    assert told and not any(told)
    assert Change.objects.filter(topic="worklist").count() == len(told)
