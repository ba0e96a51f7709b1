"""An alert ends acknowledged by a named person, or goes on escalating; nothing happens twice."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from foundation.audit.models import AuditEvent
from foundation.transitions import IllegalTransition
from tests.worklist.making import make_model, make_order, make_run, make_study
from triage.models import ModelVersion
from worklist.alerts import services
from worklist.alerts.models import Alert, AlertStep
from worklist.alerts.selectors import alerts_of, next_step
from worklist.live.models import Change
from worklist.live.services import arrive
from worklist.queue import ranking

pytestmark = pytest.mark.django_db


def _raised(**order: object) -> Alert:
    study = make_study()
    make_order(study, **order)
    return services.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)[0]


def _overdue(alert: Alert) -> None:
    Alert.objects.filter(pk=alert.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))


def _log(alert: Alert) -> list[tuple[int, str, str]]:
    return list(AlertStep.objects.filter(alert=alert).order_by("pk").values_list("rung", "who", "outcome"))


def test_a_critical_finding_alerts_its_department_once_whatever_comes_twice():
    study, model = make_study(), make_model()
    make_order(study)
    run = make_run(study, model, probability=0.93)
    assert len(services.raise_for_run(run_id=run.pk)) == 1
    again = make_run(study, model, probability=0.95)
    other = make_run(study, make_model(), probability=0.99)
    for run_id in (run.pk, again.pk, other.pk):
        assert services.raise_for_run(run_id=run_id) == []
    alert = Alert.objects.get()
    assert (alert.state, alert.rung, alert.department, alert.finding.run) == ("raised", 0, "ER", run)
    assert _log(alert) == [(0, "ER staff of ER", "nobody signed in")]
    assert Change.objects.filter(topic="alerts", key=str(alert.pk)).count() == 1


@pytest.mark.parametrize(
    ("state", "probability", "criticality"),
    [
        ("shadow", 0.99, "critical"),
        ("live", 0.79, "critical"),
        ("live", 0.99, "urgent"),
        ("live", 0.1, "critical"),
    ],
)
def test_shadow_models_and_lesser_findings_ring_nobody(state, probability, criticality):
    run = make_run(make_study(), make_model(state, criticality=criticality), probability=probability)
    assert services.raise_for_run(run_id=run.pk) == []
    assert services.raise_missing() == 0


@pytest.mark.parametrize(("planned", "now"), [("shadow", "live"), ("live", "retired")])
def test_a_run_planned_in_shadow_or_of_a_retired_model_rings_nobody(planned, now):
    model = make_model(planned)
    run = make_run(make_study(), model, probability=0.99)
    ModelVersion.objects.update(state=now)
    assert services.raise_for_run(run_id=run.pk) == []
    assert services.raise_missing() == 0


def test_the_sweep_raises_what_no_event_raised_and_nothing_twice():
    make_run(make_study(), make_model(), probability=0.93)
    assert [services.raise_missing(), services.raise_missing()] == [1, 0]


def test_the_log_says_how_many_can_see_the_page(make_user):
    for n, (role, department) in enumerate(
        [("er_staff", "ER"), ("er_staff", "ER"), ("er_staff", "Other"), ("er_staff", ""), ("radiologist", "")]
    ):
        user = make_user(role, username=f"u{n}", department=department)
        if n:
            arrive(f"connection-{n}", user.pk)
            arrive(f"second-window-{n}", user.pk)
    alert = _raised()
    for _ in range(3):
        _overdue(alert)
        assert services.escalate_due() == 1
    assert _log(alert) == [
        (0, "ER staff of ER", "shown to 2 connected"),
        (1, "all ER staff", "shown to 3 connected"),
        (2, "all ER staff and all radiologists", "shown to 4 connected"),
        (2, "all ER staff and all radiologists", "nobody has answered; shown to 4 connected"),
    ]


def test_an_alert_is_not_escalated_before_its_deadline_and_says_what_comes_next():
    alert = _raised()
    assert services.escalate_due() == 0
    assert next_step(alert) == (alert.deadline_at, "all ER staff")


def test_the_last_rung_repeats_until_somebody_answers(make_user):
    alert = _raised()
    for _ in range(6):
        _overdue(alert)
        services.escalate_due()
    alert.refresh_from_db()
    assert (alert.state, alert.rung) == ("escalated", 2)
    assert alert.deadline_at > timezone.now()
    assert [outcome for *_, outcome in _log(alert)][-2:] == ["nobody has answered; nobody signed in"] * 2
    services.acknowledge(alert_id=alert.pk, user=make_user("radiologist"), name="Dr. B", read_back="bleed")
    _overdue(alert)
    assert services.escalate_due() == 0


def test_acknowledging_twice_keeps_the_first_answer(make_user):
    alert, nurse, doctor = _raised(), make_user("er_staff"), make_user("radiologist")
    first = services.acknowledge(alert_id=alert.pk, user=nurse, name=" Nurse A ", read_back="bleed, bed 4")
    second = services.acknowledge(alert_id=alert.pk, user=doctor, name="Dr. B", read_back="other words")
    assert second.pk == first.pk
    assert (second.acknowledged_by, second.acknowledged_name) == (nurse, "Nurse A")
    assert second.read_back == "bleed, bed 4"
    assert _log(alert)[-1] == (0, "Nurse A", "acknowledged, result read back")
    assert len(_log(alert)) == 2
    told = AuditEvent.objects.get(detail__what="critical result acknowledged")
    assert (told.username, told.study_instance_uid) == (nurse.username, alert.study.study_instance_uid)


@pytest.mark.parametrize(("name", "read_back"), [("", "bleed"), ("Nurse A", "  ")])
def test_an_answer_needs_a_name_and_a_read_back(make_user, name, read_back):
    alert = _raised()
    with pytest.raises(ValidationError):
        services.acknowledge(alert_id=alert.pk, user=make_user("er_staff"), name=name, read_back=read_back)
    alert.refresh_from_db()
    assert alert.state == "raised"


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_acknowledge_at_one_instant_one_is_the_answer_and_none_fails(make_user):
    users = [make_user("er_staff", username=f"nurse-{n}") for n in range(20)]
    alert = _raised()
    barrier, names, errors = threading.Barrier(21), [], []

    def run(work) -> None:
        try:
            barrier.wait()
            names.append(work())
        except Exception as error:  # noqa: BLE001  (the test judges it)
            errors.append(error)
        finally:
            connection.close()

    def answer(n: int) -> str:
        return services.acknowledge(
            alert_id=alert.pk, user=users[n], name=f"Nurse {n}", read_back="bleed"
        ).acknowledged_name

    _overdue(alert)
    works = [*(lambda n=n: answer(n) for n in range(20)), services.escalate_due]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alert.refresh_from_db()
    assert errors == []
    assert {name for name in names if isinstance(name, str)} == {alert.acknowledged_name}
    assert [o for *_, o in _log(alert)].count("acknowledged, result read back") == 1
    assert alert.state == "acknowledged"


def test_a_beat_that_read_an_alert_before_another_escalated_it_changes_nothing():
    alert = _raised()
    for rung in (1, 2, 2):
        _overdue(alert)
        read_early = Alert.objects.get()
        assert services.escalate_due() == 1
        assert not services.escalating._escalate(read_early)
        assert Alert.objects.get().rung == rung
    assert len(_log(alert)) == 4


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_one_instant_escalate_once():
    alert = _raised()
    _overdue(alert)
    services.escalate_due()
    _overdue(alert)
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait()
        services.escalate_due()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alert.refresh_from_db()
    assert (alert.rung, len(_log(alert))) == (2, 3)


def test_not_my_patient_tells_the_next_rung_at_once_with_the_reason(make_user):
    alert, nurse = _raised(), make_user("er_staff", username="nurse", department="ER")
    for _ in range(2):
        after = services.decline(alert_id=alert.pk, user=nurse, reason="moved to ICU")
    assert (after.state, after.rung) == ("escalated", 1)
    assert _log(alert)[1:] == [
        (0, "nurse", "not my patient: moved to ICU"),
        (1, "all ER staff", "nobody signed in"),
    ]
    with pytest.raises(ValidationError):
        services.decline(alert_id=alert.pk, user=nurse, reason=" ")


def test_an_answered_alert_cannot_be_declined(make_user):
    alert, nurse = _raised(), make_user("er_staff")
    services.acknowledge(alert_id=alert.pk, user=nurse, name="Nurse A", read_back="bleed")
    with pytest.raises(IllegalTransition, match="Nurse A has answered"):
        services.decline(alert_id=alert.pk, user=make_user("er_staff"), reason="not mine")


def test_an_order_that_comes_later_names_the_department():
    study = make_study()
    alert = services.raise_for_run(run_id=make_run(study, make_model(), probability=0.9).pk)[0]
    assert _log(alert)[0][1] == "all ER staff"
    services.name_department(order_id=make_order(study, department="ER north").pk)
    alert.refresh_from_db()
    assert (alert.department, alert.version) == ("ER north", 2)


def test_er_staff_see_alerts_of_their_department_and_those_that_were_told_to_all(make_user):
    alert, own = _raised(department="ER south"), _raised(department="ER north")
    nurse = make_user("er_staff", department="ER north")
    assert list(alerts_of(nurse)) == [own]
    _overdue(alert)
    services.escalate_due()
    assert set(alerts_of(nurse)) == {own, alert}
    assert set(alerts_of(make_user("er_staff"))) == set(alerts_of(make_user("radiologist"))) == {own, alert}
    assert not alerts_of(make_user("qa_reviewer")).exists()


def test_acknowledging_changes_nothing_about_the_radiologists_duty(make_user):
    alert = _raised()
    before = ranking.place(study_id=alert.study_id, cause="test")
    services.acknowledge(alert_id=alert.pk, user=make_user("er_staff"), name="N", read_back="bleed")
    after = ranking.place(study_id=alert.study_id, cause="test")
    assert (after.version, after.due_at, after.state) == (before.version, before.due_at, "open")
