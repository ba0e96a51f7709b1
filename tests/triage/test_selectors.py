"""AI's state in one word: silence is never "negative"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.models import RunState
from triage.selectors import RunFacts, ai_status


def status(
    *runs: tuple[str, str], receiving: bool = False, planned: bool = True, why: str = ""
) -> tuple[str, str]:
    facts = [RunFacts("m", state, reason) for state, reason in runs]
    return ai_status(receiving=receiving, planned=planned, plan_reason=why, runs=facts)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("waiting", "")], "waiting"),
        ([("running", "")], "running"),
        ([("done", "")], "done"),
        ([("failed", "worker died 3 times")], "failed"),
        ([("not_analysed", "4 slices")], "not_analysed"),
        ([("done", ""), ("running", "")], "running"),
        ([("done", ""), ("failed", "x")], "failed"),
        ([("done", ""), ("not_analysed", "x")], "not_analysed"),
        ([("failed", "x"), ("waiting", "")], "waiting"),
    ],
)
def test_the_table(runs: list[tuple[str, str]], expected: str) -> None:
    assert status(*runs)[0] == expected


def test_without_runs_it_is_waiting_until_a_plan_says_that_none_comes() -> None:
    assert status(receiving=True, planned=False)[0] == "waiting"
    assert status(planned=False)[0] == "waiting"
    assert status(why="no model is in use") == ("not_applicable", "no model is in use")


def test_a_failure_names_the_model_and_the_reason() -> None:
    assert status(("failed", "worker died 3 times")) == ("failed", "m: worker died 3 times")


STATES = st.sampled_from([s.value for s in RunState if s != RunState.STALE])


@given(st.lists(st.tuples(STATES, st.just("why")), max_size=4), st.booleans(), st.booleans())
def test_done_is_said_only_when_every_run_is_done(
    runs: list[tuple[str, str]], receiving: bool, planned: bool
) -> None:
    word, reason = status(*runs, receiving=receiving, planned=planned)
    assert (word == "done") == (bool(runs) and all(state == "done" for state, _ in runs))
    if word in {"failed", "not_analysed", "not_applicable"}:
        assert reason
