"""Two models together: told in words, never a lower rank, never a hidden finding, nothing from shadow models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.making import make_model, make_run, make_study
from triage import agreement, selectors
from triage.agreement import Agreement, judge, second_opinions
from triage.models import ModelVersion, RunState, TriageRun
from triage.urgency import SECOND_OPINION_AFTER
from triage.waiting import take_most_urgent


@given(
    first=st.booleans(),
    state=st.sampled_from([state.value for state in RunState]),
    second=st.one_of(st.none(), st.booleans()),
)
def test_only_two_answers_can_agree_or_disagree(first: bool, state: str, second: bool | None) -> None:
    found = judge(first_present=first, state=state, second_present=second)
    answered = state == "done" and second is not None
    assert answered == (found in (Agreement.AGREE_POSITIVE, Agreement.AGREE_NEGATIVE, Agreement.DISAGREE))
    if answered:
        assert (found == Agreement.DISAGREE) == (first != second)
    if state in ("waiting", "running"):
        assert found == Agreement.PENDING
    if state in ("failed", "not_analysed"):
        assert found == Agreement.NOT_ANALYSED


def test_finding_nothing_twice_is_never_told_as_proof() -> None:
    text = agreement.in_words(
        Agreement.AGREE_NEGATIVE, first_present=False, model="slow 1", shown="0.02", reason=""
    )
    assert "no proof" in text
    assert not {"normal", "negative", "excluded"} & set(text.split())


@pytest.fixture
def quick(db: None) -> ModelVersion:
    return make_model(name="quick")


@pytest.fixture
def slow(db: None) -> ModelVersion:
    return make_model(name="slow", config={"second_opinion_to": "quick"})


def _opinion(run: TriageRun) -> Any:
    runs = list(agreement.with_second_opinions(TriageRun.objects.filter(study=run.study)))
    return second_opinions(runs).get(run.findings.get().pk)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0.9, 0.97, "agree_positive"),
        (0.1, 0.02, "agree_negative"),
        (0.9, 0.02, "disagree"),
        (0.1, 0.97, "disagree"),
        (0.9, None, "pending"),
    ],
)
def test_what_the_second_model_says_stands_beside_the_first_finding(
    quick: ModelVersion, slow: ModelVersion, first: float, second: float | None, expected: str
) -> None:
    study = make_study()
    run = make_run(study, quick, probability=first)
    make_run(study, slow, probability=second)
    opinion = _opinion(run)
    assert (opinion.agreement, opinion.model, opinion.probability) == (expected, "slow", second)


def test_why_there_is_no_second_opinion_is_told(quick: ModelVersion, slow: ModelVersion) -> None:
    study = make_study()
    run = make_run(study, quick, probability=0.9)
    make_run(study, slow, state="failed", reason="worker died 3 times")
    opinion = _opinion(run)
    assert opinion.agreement == "not_analysed" and "worker died 3 times" in opinion.text


def test_a_shadow_model_gives_no_opinion_that_a_reader_sees(quick: ModelVersion) -> None:
    study = make_study()
    run = make_run(study, quick, probability=0.9)
    shadow = make_model("shadow", name="slow", config={"second_opinion_to": "quick"})
    make_run(study, shadow, probability=0.02)
    assert _opinion(run) is None
    # Gone live since: the run was planned unseen and stays so.
    ModelVersion.objects.filter(pk=shadow.pk).update(state="live")
    assert _opinion(run) is None


def test_a_stale_second_opinion_gives_way_to_the_newer_one(quick: ModelVersion, slow: ModelVersion) -> None:
    study = make_study()
    run = make_run(study, quick, probability=0.9)
    make_run(study, slow, probability=0.97)
    make_run(study, slow, probability=0.02, state="stale")
    assert _opinion(run).agreement == "agree_positive"


def test_an_unfinished_or_failed_second_opinion_leaves_the_state_of_ai_alone(
    quick: ModelVersion, slow: ModelVersion
) -> None:
    study = make_study()
    make_run(study, quick, probability=0.9)
    second = make_run(study, slow)
    assert selectors.ai_state_of(study)[0] == "done"
    TriageRun.objects.filter(pk=second.pk).update(state="failed", reason="broken")
    assert selectors.ai_state_of(study)[0] == "done"


def test_a_second_opinion_alone_is_the_state_of_ai(slow: ModelVersion) -> None:
    study = make_study()
    make_run(study, slow, state="failed", reason="broken")
    assert selectors.ai_state_of(study) == ("failed", "slow: broken")


def test_a_second_opinion_waits_behind_quick_runs_and_is_taken_in_the_end(
    quick: ModelVersion, slow: ModelVersion
) -> None:
    earlier, later = make_study(), make_study()
    now = timezone.now()
    second = make_run(earlier, slow, queued_at=now)
    routine = make_run(later, quick, queued_at=now)
    TriageRun.objects.filter(pk=second.pk).update(created_at=now - timedelta(minutes=5))
    TriageRun.objects.filter(pk=routine.pk).update(created_at=now)
    first = take_most_urgent(named=second.pk)
    assert first is not None and first.run.pk == routine.pk
    newer = make_run(later, quick, queued_at=now)
    TriageRun.objects.filter(pk=newer.pk).update(created_at=now + SECOND_OPINION_AFTER)
    then = take_most_urgent(named=newer.pk)
    assert then is not None and then.run.pk == second.pk, "it is not passed by for ever"
