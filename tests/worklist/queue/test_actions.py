"""What readers do with an item: each act guarded, kept as an event, told, and undone only while it stands."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from foundation.accounts.models import User
from tests.worklist.making import make_model, make_order, make_run, make_study
from tests.worklist.queue.test_priority import orders, policies, some_findings, times
from worklist.live.models import Change
from worklist.queue import (
    assigning,
    claims,
    declining,
    flagging,
    holding,
    offering,
    raising,
    ranking,
    takeover,
    undoing,
)
from worklist.queue.acts import Refused
from worklist.queue.models import HoldReason, ItemEvent, ItemFlag, WorklistItem
from worklist.queue.priority import PRIORITIES, OrderUrgency, Raised, higher, rank

db = pytest.mark.django_db
PRIORS, TEACHING = HoldReason.PRIORS, ItemFlag.Kind.TEACHING
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="anna")


@pytest.fixture
def bert(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="bert")


@pytest.fixture
def carl(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="carl")


def _item(order: dict | None = None, **fields: object) -> WorklistItem:
    study = make_study(**fields)
    if order is not None:
        make_order(study, **order)
    return ranking.place(study_id=study.pk, cause="test")


def _kinds(item: WorklistItem) -> list[str]:
    return list(item.events.order_by("pk").values_list("kind", flat=True))


# Raising: the rule


raises = st.builds(Raised, to=st.sampled_from(PRIORITIES[:2]), at=times)


@given(policies(), times, orders, some_findings, raises)
def test_raising_never_makes_a_study_due_later_and_says_so(policy, arrived, order, found, raised):
    without = rank(arrived_at=arrived, order=order, findings=found, policy=policy)
    answer = rank(arrived_at=arrived, order=order, findings=found, policy=policy, raised=raised)
    assert answer.due <= without.due
    assert answer.due <= answer.due_without_ai <= without.due_without_ai
    (reason,) = [r for r in answer.reasons if r["code"] == "raised"]
    nearer = answer.due_without_ai < without.due_without_ai
    assert (reason["minutes"] is not None) == nearer
    assert reason["minutes"] is None or reason["minutes"] < 0


@given(policies(), times, orders, raises)
def test_a_study_raised_at_a_moment_is_due_after_it_or_as_its_order_says(policy, arrived, order, raised):
    """So nothing that is raised gets ahead of what was due before."""
    base = rank(arrived_at=arrived, order=order, policy=policy).due
    due = rank(arrived_at=arrived, order=order, policy=policy, raised=raised).due
    assert due == base or due > raised.at


@given(policies(), times, orders.filter(bool), st.sampled_from(PRIORITIES[:2]))
def test_raised_at_arrival_a_study_ranks_as_the_higher_of_order_and_reader(policy, arrived, order, to):
    answer = rank(arrived_at=arrived, order=order, policy=policy, raised=Raised(to, arrived))
    ordered = rank(
        arrived_at=arrived, order=OrderUrgency(higher(order.priority, to), order.location), policy=policy
    )
    assert answer.due == ordered.due


def test_the_reason_names_who_raised_it_and_why():
    raised = Raised("stat", NOON + 60 * MINUTE, by="Dr. B", reason="seizure")
    answer = rank(arrived_at=NOON, order=OrderUrgency("routine", "inpatient"), raised=raised)
    text = "Raised to STAT by Dr. B (seizure), due within 45 min of that (6 h 15 min sooner)"
    assert (answer.reasons[1]["text"], answer.reasons[1]["minutes"]) == (text, -375)
    late = rank(arrived_at=NOON, order=OrderUrgency("stat", "er"), raised=raised)
    assert late.reasons[1]["text"] == "Raised to STAT by Dr. B (seizure); the deadline stays"


@db
def test_raising_moves_the_item_and_the_sweep_leaves_it_there(anna, bert):
    item = _item({"priority": "routine", "location_class": "er"})
    done = raising.raise_priority(item_id=item.pk, to="asap", reason="worse", by=anna)
    assert (done.item.priority_class, done.item.raised_by) == ("asap", anna)
    assert done.item.due_at == done.item.raised_at + 60 * MINUTE
    assert done.item.reasons[1]["code"] == "raised"
    assert (done.item.version, done.item.history.order_by("pk").last().cause) == (2, "raised by anna")
    WorklistItem.objects.update(ranked_at=timezone.now() + MINUTE)
    assert ranking.place_lost() == 0, "an order below the reader's word is no news"
    for to in ("asap", "routine"):
        with pytest.raises(Refused, match=r"is ASAP already\. anna raised it so"):
            raising.raise_priority(item_id=item.pk, to=to, reason="x", by=bert)
    assert raising.raise_priority(item_id=item.pk, to="stat", reason="x", by=bert).item.raised_to == "stat"
    with pytest.raises(Refused, match="bert changed this since: raised it to STAT"):
        undoing.undo(item_id=item.pk, event_id=done.event.pk, by=anna)


@db
def test_a_raise_taken_back_puts_the_study_where_its_order_puts_it(anna):
    item = _item({"priority": "routine"})
    done = raising.raise_priority(item_id=item.pk, to="stat", reason="worse", by=anna)
    back = undoing.undo(item_id=item.pk, event_id=done.event.pk, by=anna).item
    assert (back.due_at, back.priority_class, back.raised_to) == (item.due_at, "routine", "")
    assert _kinds(item) == ["raised", "undone"]


# Assigning


@db
def test_an_assignment_names_both_and_can_be_given_on_only_by_who_saw_it(anna, bert, carl):
    item = _item()
    done = assigning.assign(item_id=item.pk, to=bert, by=anna)
    assert (done.item.assigned_to, done.item.assigned_by, done.item.version) == (bert, anna, 2)
    assert Change.objects.filter(key=str(item.pk), version=2).exists()
    assert assigning.assign(item_id=item.pk, to=bert, by=carl).event is None
    with pytest.raises(Refused, match="anna assigned this study to bert meanwhile") as refused:
        assigning.assign(item_id=item.pk, to=carl, by=carl)
    assert refused.value.by == anna
    given_on = assigning.assign(item_id=item.pk, to=carl, by=bert, instead_of=bert)
    assert given_on.item.assigned_to == carl
    with pytest.raises(Refused, match="bert changed this since: assigned it to carl"):
        undoing.undo(item_id=item.pk, event_id=done.event.pk, by=anna)
    assert undoing.undo(item_id=item.pk, event_id=given_on.event.pk, by=bert).item.assigned_to == bert
    assert assigning.unassign(item_id=item.pk, by=bert).item.assigned_to is None
    assert assigning.unassign(item_id=item.pk, by=bert).event is None


@db
def test_a_study_that_a_third_person_reads_is_not_assigned(anna, bert, carl):
    item = claims.claim(item_id=_item().pk, user=carl)
    with pytest.raises(Refused, match="carl is reading this study"):
        assigning.assign(item_id=item.pk, to=bert, by=anna)
    assert assigning.assign(item_id=item.pk, to=bert, by=carl).item.claimed_by == carl


@pytest.mark.django_db(transaction=True)
def test_of_many_who_assign_hold_or_take_over_at_one_instant_exactly_one_wins(make_user):
    readers = [make_user("radiologist", username=f"reader-{n}") for n in range(6)]
    assigned, held, taken = _item(), _item(), _item()
    holder = make_user("radiologist", username="holder")
    claims.claim(item_id=taken.pk, user=holder)

    def act(n: int) -> int:
        won = 0
        for one in (
            lambda: assigning.assign(item_id=assigned.pk, to=readers[n], by=readers[n]),
            lambda: holding.hold(item_id=held.pk, reason=PRIORS, by=readers[n]),
            lambda: takeover.take_over(item_id=taken.pk, by=readers[n], holder=holder, reason="x"),
        ):
            with contextlib.suppress(Refused):
                won += one().event is not None
        return won

    barrier, won = threading.Barrier(6), [0] * 6

    def run(n: int) -> None:
        try:
            barrier.wait()
            won[n] = act(n)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 3
    assert _kinds(assigned) == ["assigned"] and _kinds(held) == ["held"]
    assert _kinds(taken) == ["claimed", "taken_over"]


# Holding


@db
@pytest.mark.parametrize("asked", [None, timedelta(days=9)])
def test_a_hold_never_outlives_the_deadline_also_when_that_comes_nearer(anna, asked):
    study = make_study()
    item = ranking.place(study_id=study.pk, cause="test")
    until = timezone.now() + asked if asked else None
    assert holding.hold(item_id=item.pk, reason=PRIORS, by=anna, until=until).item.held_until == item.due_at
    make_run(study, make_model(), probability=0.95)
    nearer = ranking.place(study_id=study.pk, cause="AI result")
    assert nearer.due_at < item.due_at
    assert nearer.held_until == nearer.due_at


@db
def test_a_hold_ends_by_hand_by_time_and_by_whoever_begins_to_read(anna, bert):
    item = claims.claim(item_id=_item().pk, user=anna)
    done = holding.hold(item_id=item.pk, reason=PRIORS, by=anna, note="from the other hospital")
    assert (done.item.state, done.item.claimed_by, done.item.held_by) == ("open", None, anna)
    assert holding.hold(item_id=item.pk, reason=PRIORS, by=anna, note="from the other hospital").event is None
    with pytest.raises(Refused, match="anna holds this study already: waiting for priors"):
        holding.hold(item_id=item.pk, reason=HoldReason.IMAGES, by=bert)
    assert holding.unhold(item_id=item.pk, by=bert).item.held_reason == ""
    assert holding.unhold(item_id=item.pk, by=bert).event is None

    holding.hold(item_id=item.pk, reason=PRIORS, by=anna)
    assert holding.end_over() == 0
    WorklistItem.objects.update(held_until=timezone.now() - MINUTE)
    assert (holding.end_over(), holding.end_over()) == (1, 0)

    holding.hold(item_id=item.pk, reason=PRIORS, by=anna)
    read = claims.claim(item_id=item.pk, user=bert)
    assert (read.held_reason, read.state) == ("", "claimed")
    events = item.events.filter(kind="unheld").order_by("pk")
    assert [str(e.by) for e in events] == ["bert", "None", "bert"]


@db
def test_what_is_overdue_read_by_another_or_asked_for_the_past_is_not_held(anna, bert):
    overdue = _item(received_at=timezone.now() - timedelta(days=2))
    with pytest.raises(Refused, match="overdue"):
        holding.hold(item_id=overdue.pk, reason=PRIORS, by=anna)
    taken = claims.claim(item_id=_item().pk, user=bert)
    with pytest.raises(Refused, match="bert is reading"):
        holding.hold(item_id=taken.pk, reason=PRIORS, by=anna)
    with pytest.raises(Refused, match="ends in the future"):
        holding.hold(item_id=_item().pk, reason=PRIORS, by=anna, until=timezone.now() - MINUTE)


@db
def test_an_undone_hold_is_gone_and_an_ended_hold_comes_back(anna):
    item = _item()
    held = holding.hold(item_id=item.pk, reason=PRIORS, by=anna)
    assert undoing.undo(item_id=item.pk, event_id=held.event.pk, by=anna).item.held_reason == ""
    assert undoing.undo(item_id=item.pk, event_id=held.event.pk, by=anna).event is None, "twice is harmless"
    holding.hold(item_id=item.pk, reason=PRIORS, by=anna)
    ended = holding.unhold(item_id=item.pk, by=anna)
    back = undoing.undo(item_id=item.pk, event_id=ended.event.pk, by=anna).item
    assert (back.held_reason, back.held_until) == ("priors", item.due_at)


# Taking over, declining, marks


@db
def test_a_take_over_needs_the_holder_one_saw_and_leaves_their_draft(anna, bert, carl):
    item = claims.claim(item_id=_item().pk, user=anna)
    done = takeover.take_over(item_id=item.pk, by=bert, holder=anna, reason="seizure in the ER")
    assert (done.item.claimed_by, done.event.reason) == (bert, "seizure in the ER")
    with pytest.raises(Refused, match="bert is reading this study by now, no longer anna"):
        takeover.take_over(item_id=item.pk, by=carl, holder=anna, reason="x")
    with pytest.raises(claims.NotYours, match="bert is reading"):
        claims.heartbeat(item_id=item.pk, user=anna)
    with pytest.raises(Refused, match="cannot be undone"):
        undoing.undo(item_id=item.pk, event_id=done.event.pk, by=bert)
    claims.release(item_id=item.pk, user=bert)
    assert takeover.take_over(item_id=item.pk, by=carl, holder=bert, reason="x").item.claimed_by == carl


@db
def test_declining_gives_back_claim_and_assignment_and_undo_restores_the_assignment(anna, bert):
    item = _item()
    assigning.assign(item_id=item.pk, to=anna, by=bert)
    claims.claim(item_id=item.pk, user=anna)
    done = declining.decline(item_id=item.pk, by=anna, reason="I know the patient")
    assert (done.item.state, done.item.assigned_to) == ("open", None)
    assert declining.decline(item_id=item.pk, by=anna, reason="again").event is None
    back = undoing.undo(item_id=item.pk, event_id=done.event.pk, by=anna).item
    assert (back.assigned_to, back.assigned_by, back.state) == (anna, bert, "open")
    assert not list(declining.declined_items(anna, timezone.now()))


@db
def test_a_mark_is_set_once_taken_away_and_both_are_undone_also_after_signing(anna, bert):
    item = _item()
    claims.mark_signed(study_id=item.study_id, signed_at=timezone.now())
    marked = flagging.flag(item_id=item.pk, kind=TEACHING, by=anna, note="rare")
    assert flagging.flag(item_id=item.pk, kind=TEACHING, by=bert).event is None
    gone = flagging.unflag(item_id=item.pk, kind=TEACHING, by=bert)
    with pytest.raises(Refused):
        undoing.undo(item_id=item.pk, event_id=marked.event.pk, by=anna)
    undoing.undo(item_id=item.pk, event_id=gone.event.pk, by=bert)
    assert [(f.by, f.note) for f in item.flags.all()] == [(anna, "rare")]
    undoing.undo(item_id=item.pk, event_id=marked.event.pk, by=anna)
    assert not item.flags.exists()


@db
def test_nobody_undoes_what_another_did_and_a_signed_study_is_left_alone(anna, bert):
    item = _item()
    done = assigning.assign(item_id=item.pk, to=bert, by=anna)
    with pytest.raises(Refused, match="Only who did it"):
        undoing.undo(item_id=item.pk, event_id=done.event.pk, by=bert)
    claims.mark_signed(study_id=item.study_id, signed_at=timezone.now())
    with pytest.raises(Refused, match="signed"):
        undoing.undo(item_id=item.pk, event_id=done.event.pk, by=anna)
    for act in (
        lambda: assigning.assign(item_id=item.pk, to=anna, by=anna),
        lambda: holding.hold(item_id=item.pk, reason=PRIORS, by=anna),
        lambda: raising.raise_priority(item_id=item.pk, to="stat", reason="x", by=anna),
        lambda: declining.decline(item_id=item.pk, by=anna, reason="x"),
    ):
        with pytest.raises(Refused, match="signed"):
            act()


@db
def test_claims_leave_events_however_they_end(anna, bert):
    item = _item()
    claims.claim(item_id=item.pk, user=anna)
    claims.release(item_id=item.pk, user=anna)
    claims.claim(item_id=item.pk, user=bert)
    WorklistItem.objects.update(claim_expires_at=timezone.now() - MINUTE)
    claims.release_expired()
    claims.claim(item_id=item.pk, user=anna)
    claims.release_all_of(user=anna)
    found = [(e.kind, str(e.by), e.after["words"]) for e in item.events.order_by("pk")]
    assert found == [
        ("claimed", "anna", "claimed it"),
        ("released", "anna", "gave it back"),
        ("claimed", "bert", "claimed it"),
        ("expired", "None", "bert gave no sign of life"),
        ("claimed", "anna", "claimed it"),
        ("released", "anna", "signed out"),
    ]


# What is offered next


@db
def test_next_takes_mine_before_the_rest_but_never_before_what_is_urgent(anna, bert):
    free, mine = _item(), _item()
    urgent = _item({})
    WorklistItem.objects.filter(pk=urgent.pk).update(due_at=timezone.now() + 10 * MINUTE)
    assigning.assign(item_id=mine.pk, to=anna, by=bert)
    first, second, third = (offering.claim_next(user=anna) for _ in range(3))
    assert [first.item, second.item, third.item] == [urgent, mine, free]
    assert first.why == "STAT, due in 10 min, the first that is free."
    assert "assigned to you by bert" in second.why
    assert offering.claim_next(user=anna).item is None


@db
def test_next_passes_over_held_declined_and_others_and_says_so(anna, bert):
    held, declined, others = _item(), _item(), _item()
    holding.hold(item_id=held.pk, reason=PRIORS, by=bert)
    declining.decline(item_id=declined.pk, by=anna, reason="mine is another part")
    assigning.assign(item_id=others.pk, to=bert, by=bert)
    nothing = offering.claim_next(user=anna)
    told = "1 on hold, 1 that you declined, 1 assigned to others"
    assert nothing.why == f"No study is free for you. Waiting, but not offered: {told}."
    last = _item()
    assert offering.claim_next(user=anna).why.endswith(f"Skipped before it: {told}.")
    claims.release(item_id=last.pk, user=anna)
    assert offering.claim_next(user=bert).item == others


@db
def test_nothing_is_passed_over_for_good(anna, bert):
    past = {"due_at": timezone.now() - MINUTE}
    held, others = _item(), _item()
    holding.hold(item_id=held.pk, reason=PRIORS, by=bert)
    WorklistItem.objects.filter(pk=held.pk).update(**past)
    assert offering.claim_next(user=anna).item == held
    assigning.assign(item_id=others.pk, to=bert, by=bert)
    WorklistItem.objects.filter(pk=others.pk).update(**past)
    offer = offering.claim_next(user=anna)
    assert (offer.item, "assigned to bert who has not begun" in offer.why) == (others, True)
    again = _item()
    declining.decline(item_id=again.pk, by=anna, reason="x")
    ItemEvent.objects.update(at=timezone.now() - timedelta(hours=3))
    assert offering.claim_next(user=anna).item == again
