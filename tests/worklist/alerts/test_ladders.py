"""The policy as data: always a next step, never a silent end, whatever a site writes into it."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.alerts import ladders
from worklist.alerts.ladders import Ladders, WrongPolicy

roles = st.frozensets(st.sampled_from(["er_staff", "radiologist", "qa_reviewer"]))
departments = st.sampled_from(["", "ER", "Children's ER"])
words = st.lists(st.sampled_from(["ER", "Children's ER", "1386000", "er", "icu"]), max_size=2)

who = st.one_of(
    st.sampled_from(["department", "er", "readers"]).map(lambda group: {"group": group}),
    st.integers(1, 9).map(lambda position: {"group": "on_call", "position": position}),
)
rung = st.fixed_dictionaries(
    {
        "who": st.lists(who, min_size=1, max_size=3),
        "channels": st.lists(st.sampled_from(sorted(ladders.Channel)), min_size=1, max_size=5),
        "seconds": st.integers(15, 300),
    }
)
LAST = {"who": [{"group": "er"}, {"group": "readers"}], "channels": ["page"], "seconds": 300}


@st.composite
def policies(draw) -> Ladders:
    """Any policy that the house accepts."""
    rules = [
        {
            "name": f"rule {number}",
            "finding_codes": draw(words),
            "departments": draw(words),
            "locations": draw(st.lists(st.sampled_from(ladders.LOCATIONS), max_size=2)),
            "rungs": [*draw(st.lists(rung, max_size=5)), LAST],
        }
        for number in range(draw(st.integers(1, 3)))
    ]
    rules[-1] |= {"finding_codes": [], "departments": [], "locations": []}
    return ladders.parse({"rules": rules})


@given(policies(), departments, st.sampled_from(["1386000", "x"]), st.sampled_from(["", *ladders.LOCATIONS]))
def test_every_alert_has_a_rule_and_climbs_to_a_last_rung_that_tells_everybody(
    policy, department, code, place
):
    rule = policy.rule_for(finding_code=code, department=department, location=place)
    rungs = [0]
    for _ in range(rule.last + 2):
        rungs.append(rule.after(rungs[-1], department))
    assert rungs == sorted(rungs)
    assert rungs[-1] == rungs[-2] == rule.last, "it ends on the last rung and stays there"
    everybody = rule.rung(rungs[-1]).groups(department)
    for role in ("er_staff", "radiologist"):
        assert any(group.includes(frozenset({role}), "anywhere") for group in everybody)
    assert "page" in rule.rung(rungs[-1]).channels
    assert all(rule.rung(number).seconds > 0 for number in rungs), "and there is always a next time"


@given(policies(), st.integers(0, 20), departments)
def test_there_is_a_next_rung_from_every_rung_and_only_the_last_is_its_own(policy, number, department):
    for rule in policy.rules:
        following = rule.after(number, department)
        assert 0 <= following <= rule.last
        assert following > number or following == rule.last


@given(policies(), departments)
def test_a_rung_of_people_on_call_is_never_left_out(policy, department):
    for rule in policy.rules:
        visited, number = {0}, 0
        while number < rule.last:
            number = rule.after(number, department)
            visited.add(number)
        assert {n for n, rung in enumerate(rule.rungs) if rung.positions()} <= visited


@given(st.integers(0, 10), departments, roles, departments)
def test_of_the_shipped_policy_each_rung_tells_everybody_whom_the_rung_before_told(
    number, department, who, theirs
):
    rule = ladders.parse(ladders.shipped(300)).rules[0]

    def told(number: int) -> bool:
        return any(group.includes(who, theirs) for group in rule.rung(number).groups(department))

    assert not told(number) or told(rule.after(number, department))


def test_the_shipped_policy_is_the_departments_ladder_of_three():
    rule = ladders.parse(ladders.shipped(300)).rules[0]
    assert [rung.in_words("ER") for rung in rule.rungs] == [
        "ER staff of ER",
        "all ER staff",
        "all ER staff and all radiologists",
    ]
    assert {(rung.channels, rung.seconds) for rung in rule.rungs} == {(("page",), 300)}
    assert rule.after(0, "") == 2, "without a department the first rung is the whole ER"
    assert rule.after(0, "ER") == 1


def _policy(**changes: object) -> dict:
    made = copy.deepcopy(ladders.shipped(300))
    made["rules"][0] |= changes
    return made


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({}, "no list “rules”"),
        ({"rules": []}, "at least one rule"),
        ([], "no list “rules”"),
        (_policy(departments=["ER"]), "must take every alert"),
        (_policy(rungs=[]), "1 to 12 rungs"),
        (_policy(rungs=[{**LAST, "who": [{"group": "er"}]}]), "no alert ends in silence"),
        (_policy(rungs=[{**LAST, "channels": ["email"]}]), "no alert ends in silence"),
        (_policy(rungs=[{**LAST, "seconds": 1}]), "15 to 3600 seconds"),
        (_policy(rungs=[{**LAST, "seconds": "soon"}]), "after how many seconds"),
        (_policy(rungs=[{**LAST, "channels": ["pigeon"]}]), "no channel pigeon"),
        (
            _policy(rungs=[{**LAST, "who": [{"group": "on_call", "position": 0}]}, LAST]),
            "position from 1 to 9",
        ),
        (_policy(rungs=[{**LAST, "who": [{"group": "everybody"}]}]), "nobody else can be told"),
        (_policy(rungs=[{**LAST, "seconds": 3600}, LAST, LAST]), "after an hour at the latest"),
        (_policy(locations=["moon"]), "no location moon"),
        (_policy(name=""), "no name"),
        ({"rules": [_policy()["rules"][0]] * 2}, "Two rules are named"),
    ],
)
def test_what_could_end_in_silence_is_no_policy_and_the_fault_is_said(document, fault):
    with pytest.raises(WrongPolicy, match=fault):
        ladders.parse(document)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(["rules", "rungs", "who", "channels", "seconds", "name", "group"]),
                x,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_json_comes_in_is_a_policy_or_refused_in_words(document):
    try:
        ladders.parse(document)
    except WrongPolicy as error:
        assert error.faults and all(isinstance(fault, str) for fault in error.faults)
