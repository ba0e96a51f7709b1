"""What one reader leaves, the next finds; nothing waits for somebody who does not come."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist import flows
from worklist.alerts import services as alerts
from worklist.live.models import Change
from worklist.queue import assigning, claims, handovers, holding, offering, ranking
from worklist.queue.handovers import HandoverRefused
from worklist.queue.models import Handover, HoldReason, WorklistItem
from worklist.reports import services as reports
from worklist.reports.models import Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(make_user):
    return make_user("radiologist", username="anna", display_name="Dr. Anna")


@pytest.fixture
def bert(make_user):
    return make_user("radiologist", username="bert", display_name="Dr. Bert")


@pytest.fixture
def cleo(make_user):
    return make_user("radiologist", username="cleo", display_name="Dr. Cleo")


def make_item(due_in=timedelta(hours=5)):
    study = make_study()
    make_order(study, priority="routine", location_class="inpatient")
    item = ranking.place(study_id=study.pk, cause="test")
    due = timezone.now() + due_in
    WorklistItem.objects.filter(pk=item.pk).update(due_at=due, due_without_ai_at=due)
    return item


def fresh(item):
    return WorklistItem.objects.select_related("claimed_by", "assigned_to").get(pk=item.pk)


def hand_over(by, *items, note="night", **more):
    return flows.hand_over(by=by, item_ids=[item.pk for item in items], note=note, **more)[0]


def together(number, act):
    """What each of `number` threads that start at one instant got or raised."""
    results, start = [None] * number, threading.Barrier(number)

    def run(n):
        try:
            start.wait()
            results[n] = act(n)
        except Exception as error:  # noqa: BLE001  (the test judges it)
            results[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_open_work_is_what_one_holds_is_assigned_put_on_hold_drafts_or_signed_with_an_open_alert(anna, bert):
    claimed, assigned, held, drafted, signed, drafted_by_both, free = (make_item() for _ in range(7))
    claims.claim(item_id=claimed.pk, user=anna)
    assigning.assign(item_id=assigned.pk, to=anna, by=bert)
    holding.hold(item_id=held.pk, reason=HoldReason.PRIORS, by=anna)
    for item in (drafted, drafted_by_both):
        reports.open_draft(study=item.study, by=anna)
    claims.claim(item_id=drafted_by_both.pk, user=bert)
    run = make_run(signed.study, make_model(), probability=0.93)
    alerts.raise_for_run(run_id=run.pk)
    Report.objects.create(
        study=signed.study, state="final", signed_by=anna, signed_at=timezone.now(), updated_by=anna
    )
    claims.mark_signed(study_id=signed.study_id, signed_at=timezone.now())
    assert set(flows.open_work_of(anna)) == {claimed, assigned, held, drafted, signed}
    assert set(flows.open_work_of(bert)) == {drafted_by_both}
    assert free not in flows.open_work_of(anna)
    hand_over(anna, *flows.open_work_of(anna))
    assert set(flows.open_work_of(anna)) == set(), "what waits to be taken is not handed over twice"


def test_what_is_handed_over_is_free_at_once_and_the_takers_when_it_is_taken(anna, bert, cleo):
    claimed, assigned = make_item(), make_item()
    claims.claim(item_id=claimed.pk, user=anna)
    assigning.assign(item_id=assigned.pk, to=anna, by=anna)
    handover = hand_over(anna, claimed, assigned, to=bert)
    assert [(fresh(one).state, fresh(one).assigned_to) for one in (claimed, assigned)] == [("open", None)] * 2
    taken = handovers.take(handover_id=handover.pk, by=cleo)
    assert (set(taken.assigned), taken.left) == ({claimed, assigned}, [])
    assert [fresh(one).assigned_to for one in (claimed, assigned)] == [cleo, cleo]
    assert "assigned to you by Dr. Anna" in offering.claim_next(user=cleo).why
    words = [event.after["words"] for event in assigned.events.order_by("pk")]
    assert words[-2:] == ["handed it over to Dr. Bert", "took it over from Dr. Anna"]
    assert Change.objects.filter(topic="rota", key=f"handover:{handover.pk}", version=2).exists()


def test_the_same_again_is_one_handover_and_taking_twice_changes_nothing(anna, bert, cleo):
    item = make_item()
    claims.claim(item_id=item.pk, user=anna)
    first = hand_over(anna, item)
    assert hand_over(anna, item) == first
    assert Handover.objects.count() == 1
    handovers.take(handover_id=first.pk, by=bert)
    version = fresh(item).version
    assert handovers.take(handover_id=first.pk, by=bert).assigned == []
    with pytest.raises(HandoverRefused, match=r"Dr\. Bert took this over already"):
        handovers.take(handover_id=first.pk, by=cleo)
    assert fresh(item).version == version
    assert fresh(item).assigned_to == bert


def test_what_is_somebody_elses_cannot_be_handed_over_and_nothing_of_the_rest_is(anna, bert):
    mine, others = make_item(), make_item()
    claims.claim(item_id=mine.pk, user=anna)
    claims.claim(item_id=others.pk, user=bert)
    with pytest.raises(HandoverRefused, match="not yours"):
        hand_over(anna, mine, others)
    assert (Handover.objects.count(), fresh(mine).claimed_by) == (0, anna)


def test_what_others_read_were_assigned_or_signed_meanwhile_stays_theirs(anna, bert, cleo):
    read, assigned, signed, left = (make_item() for _ in range(4))
    for item in (read, assigned, signed, left):
        claims.claim(item_id=item.pk, user=anna)
    handover = hand_over(anna, read, assigned, signed, left)
    claims.claim(item_id=read.pk, user=bert)
    assigning.assign(item_id=assigned.pk, to=bert, by=bert)
    claims.mark_signed(study_id=signed.study_id, signed_at=timezone.now())
    taken = handovers.take(handover_id=handover.pk, by=cleo)
    assert taken.assigned == [left]
    assert [why for _, why in taken.left] == [
        "Dr. Bert is reading it",
        "assigned to Dr. Bert meanwhile",
        "signed",
    ]
    assert (fresh(read).claimed_by, fresh(assigned).assigned_to) == (bert, bert)


def test_its_maker_takes_it_back(anna):
    item = make_item()
    claims.claim(item_id=item.pk, user=anna)
    handover = hand_over(anna, item)
    handovers.take(handover_id=handover.pk, by=anna)
    assert fresh(item).assigned_to == anna
    assert item.events.latest("pk").after["words"] == "took it back"


def test_a_hold_stays_on_the_study(anna, bert):
    item = make_item()
    holding.hold(item_id=item.pk, reason=HoldReason.PRIORS, by=anna)
    handovers.take(handover_id=hand_over(anna, item).pk, by=bert)
    assert (fresh(item).held_reason, fresh(item).assigned_to) == ("priors", bert)


def test_a_note_alone_is_handed_over_and_nothing_is_refused(anna, bert, make_user):
    assert hand_over(anna, note="CT 2 is down until 8").items.count() == 0
    with pytest.raises(ValidationError, match="nothing to hand over"):
        hand_over(anna, note=" ")
    for to in (anna, make_user("er_staff")):
        with pytest.raises(ValidationError, match="another radiologist"):
            hand_over(anna, note="n", to=to)


@pytest.mark.django_db(transaction=True)
def test_of_five_who_take_it_and_five_clicks_that_make_it_at_one_instant_one_counts(make_user):
    giver, item = make_user("radiologist"), make_item()
    takers = [make_user("radiologist", username=f"taker-{n}") for n in range(5)]
    claims.claim(item_id=item.pk, user=giver)
    made = together(5, lambda _: hand_over(giver, item).pk)
    assert len(set(made)) == 1, made
    results = together(5, lambda n: handovers.take(handover_id=made[0], by=takers[n]).assigned)
    won = [n for n, result in enumerate(results) if result == [item]]
    assert len(won) == 1, results
    assert sum(isinstance(result, HandoverRefused) for result in results) == 4, results
    assert fresh(item).assigned_to == takers[won[0]]
