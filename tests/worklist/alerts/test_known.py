"""What a prior shows already, and somebody answered for then, does not ring twice; nothing else is silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.models import Study
from tests.worklist.making import HEMORRHAGE, make_model, make_run, make_study
from triage.models import Comparison, Finding, ModelVersion
from worklist import flows
from worklist.alerts import policy, services
from worklist.alerts.models import Alert, AlertStep
from worklist.queue import ranking

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> ModelVersion:
    return make_model()


def scanned(
    model: ModelVersion,
    date: str,
    prior: Finding | None,
    comparison: str = "",
    volume_ml: float | None = 10.0,
) -> Finding:
    """The patient's next scan with a bleed; `comparison` is what registration said."""
    patient = {} if prior is None else {"patient": prior.run.study.patient}
    finding = make_run(make_study(study_date=date, **patient), model, probability=0.93).findings.get()
    finding.comparison, finding.prior_finding, finding.volume_ml = comparison, prior, volume_ml
    finding.save()
    return finding


def ring(finding: Finding) -> list[Alert]:
    return services.raise_for_run(run_id=finding.run_id)


def answered(finding: Finding, make_user) -> Alert:
    """Its alert rang, and a nurse answered it."""
    (alert,) = ring(finding)
    nurse = make_user("er_staff")
    return services.acknowledge(alert_id=alert.pk, user=nurse, name="Nurse A", read_back="bleed")


def said(finding: Finding) -> tuple[str, list[str]]:
    """State and log of the study's alert."""
    alert = Alert.objects.get(study=finding.run.study)
    return alert.state, list(alert.steps.order_by("pk").values_list("outcome", flat=True))


def test_what_was_answered_and_has_not_grown_is_in_the_log_as_not_rung(model, make_user):
    first = scanned(model, "20261120", None)
    answered(first, make_user)
    known = scanned(model, "20261124", first, Comparison.KNOWN)
    assert ring(known) == []
    state, log = said(known)
    assert (state, log) == ("not_rung", ["not rung: known since 20 Nov 2026, not grown; Nurse A answered"])
    # Twice told, and swept: nothing more happens, and nothing escalates.
    assert ring(known) == []
    assert (services.raise_missing(), services.escalate_due()) == (0, 0)
    assert said(known) == (state, log)


@pytest.mark.parametrize("comparison", [Comparison.NEW, Comparison.GROWN, Comparison.NOT_COMPARED, ""])
def test_new_grown_and_not_compared_findings_ring_though_the_prior_was_answered(comparison, model, make_user):
    first = scanned(model, "20261120", None)
    answered(first, make_user)
    assert len(ring(scanned(model, "20261124", first, comparison))) == 1


@pytest.mark.parametrize(("then", "now"), [(None, None), (10.0, None), (None, 10.0)])
def test_a_finding_without_place_and_size_rings_though_it_is_known_and_was_answered(
    then, now, model, make_user
):
    first = scanned(model, "20261120", None, volume_ml=then)
    answered(first, make_user)
    assert len(ring(scanned(model, "20261124", first, Comparison.KNOWN, volume_ml=now))) == 1


def test_what_nobody_answered_rings_again(model):
    first = scanned(model, "20261120", None)
    ring(first)
    assert len(ring(scanned(model, "20261124", first, Comparison.KNOWN))) == 1


def test_a_prior_that_never_rang_answers_nothing(model):
    first = scanned(model, "20261120", None)
    assert len(ring(scanned(model, "20261124", first, Comparison.KNOWN))) == 1


def test_the_department_can_have_every_alert(model, make_user, settings):
    settings.ALERT_KNOWN_FINDINGS_AGAIN = True
    first = scanned(model, "20261120", None)
    answered(first, make_user)
    assert len(ring(scanned(model, "20261124", first, Comparison.KNOWN))) == 1


def test_slow_growth_over_many_scans_rings_in_the_end(model, make_user):
    finding = scanned(model, "20261120", None, volume_ml=10.0)
    answered(finding, make_user)
    rung = []
    for day, volume in enumerate((11.5, 13.0, 14.5), start=21):
        finding = scanned(model, f"202611{day}", finding, Comparison.KNOWN, volume)
        rung.append(bool(ring(finding)))
    assert rung == [False, False, True]
    assert "known since 20 Nov 2026" in AlertStep.objects.filter(channel="rule").latest("pk").outcome


def test_a_later_run_that_says_grown_rings_the_alert_that_was_not_rung(model, make_user):
    first = scanned(model, "20261120", None)
    answered(first, make_user)
    known = scanned(model, "20261124", first, Comparison.KNOWN)
    ring(known)
    again = make_run(known.run.study, model, probability=0.95).findings.get()
    again.comparison, again.prior_finding = Comparison.GROWN, first
    again.save()
    assert services.raise_missing() == 1
    alert = Alert.objects.get(study=known.run.study)
    assert (alert.state, alert.finding, alert.rung) == ("raised", again, 0)
    assert said(known)[1][-1] == "nobody signed in"
    # And a ringing alert is never silenced by a finding that is known.
    late = make_run(known.run.study, model, probability=0.95).findings.get()
    late.comparison, late.prior_finding = Comparison.KNOWN, first
    late.save()
    assert ring(late) == []
    assert said(known)[0] == "raised"


def test_the_promotion_stays_and_the_list_says_since_when_it_is_known(model, make_user):
    first = scanned(model, "20261120", None)
    answered(first, make_user)
    known = scanned(model, "20261124", first, Comparison.KNOWN)
    new = scanned(model, "20261124", None)
    places = []
    for finding in (known, new):
        Study.objects.filter(pk=finding.run.study_id).update(received_at=known.run.study.received_at)
        type(finding.run).objects.filter(pk=finding.run_id).update(finished_at=known.run.finished_at)
        flows.critical_finding_rings(flows.events.TriageRunFinished(run_id=finding.run_id))
        places.append(ranking.place(study_id=finding.run.study_id, cause="test"))
    assert places[0].due_at == places[1].due_at < places[0].due_without_ai_at
    assert any("known since 20 Nov 2026, not grown" in reason["text"] for reason in places[0].reasons)


def test_signing_takes_the_earlier_answer_for_the_communication(model, make_user):
    first = scanned(model, "20261120", None)
    answered(first, make_user)
    known = scanned(model, "20261124", first, Comparison.KNOWN)
    ring(known)
    study_id = known.run.study_id
    assert flows.signing_facts([study_id])[study_id].communicated == frozenset({HEMORRHAGE})


@given(st.sampled_from(["", *Comparison.values]), st.booleans(), st.booleans(), st.booleans())
def test_only_known_answered_and_not_grown_is_ever_silent(comparison, before, grown, again):
    rings = policy.rings(
        comparison=comparison, answered_before=before, grown_since=grown, known_rings_again=again
    )
    assert rings or (comparison == "known" and before and not grown and not again)
