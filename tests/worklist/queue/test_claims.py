"""One winner a study, leases that end, and nobody's claim overwritten."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition
from tests.worklist.making import make_order, make_study
from worklist.live.models import Change
from worklist.queue import claims, offering, ranking
from worklist.queue.models import WorklistItem

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="anna")


@pytest.fixture
def bert(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="bert")


def _item(**fields: object) -> WorklistItem:
    return ranking.place(study_id=make_study(**fields).pk, cause="test")


def _expire(item: WorklistItem) -> None:
    WorklistItem.objects.filter(pk=item.pk).update(claim_expires_at=timezone.now() - timedelta(seconds=1))


def _together(number: int, work: Callable[[int], object]) -> list[object]:
    """Run `work(n)` in threads that start at one instant; returns results or exceptions."""
    barrier, results = threading.Barrier(number), [None] * number  # type: ignore[var-annotated]

    def run(n: int) -> None:
        try:
            barrier.wait()
            results[n] = work(n)
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


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_claim_one_study_at_one_instant_exactly_one_wins(make_user):
    readers = [make_user("radiologist", username=f"reader-{n}") for n in range(50)]
    item = _item()
    results = _together(50, lambda n: claims.claim(item_id=item.pk, user=readers[n]))
    won = [n for n, result in enumerate(results) if isinstance(result, WorklistItem)]
    lost = [result for result in results if isinstance(result, claims.NotYours)]
    assert (len(won), len(lost)) == (1, 49), results
    assert {str(error) for error in lost} == {f"{readers[won[0]]} is reading this study."}
    item.refresh_from_db()
    assert (item.claimed_by, item.version) == (readers[won[0]], 2)


@pytest.mark.django_db(transaction=True)
def test_readers_who_ask_for_the_next_study_at_one_instant_get_different_ones(make_user):
    readers = [make_user("radiologist", username=f"reader-{n}") for n in range(10)]
    for _ in range(8):
        _item()
    results = _together(10, lambda n: offering.claim_next(user=readers[n]).item)
    got = [result.pk for result in results if isinstance(result, WorklistItem)]
    assert len(got) == len(set(got)) == 8
    assert results.count(None) == 2


def test_the_holder_may_claim_again_and_only_the_lease_moves(anna):
    item = claims.claim(item_id=_item().pk, user=anna)
    WorklistItem.objects.update(claim_expires_at=timezone.now() + timedelta(seconds=5))
    again = claims.claim(item_id=item.pk, user=anna)
    assert again.version == item.version
    assert again.claim_expires_at > timezone.now() + timedelta(seconds=60)


def test_an_expired_claim_can_be_taken_over_and_the_old_holder_is_told(anna, bert):
    item = claims.claim(item_id=_item().pk, user=anna)
    with pytest.raises(claims.NotYours, match="anna is reading"):
        claims.claim(item_id=item.pk, user=bert)
    _expire(item)
    assert claims.claim(item_id=item.pk, user=bert).claimed_by == bert
    for act in (claims.heartbeat, claims.release, claims.claim):
        with pytest.raises(claims.NotYours, match="bert is reading"):
            act(item_id=item.pk, user=anna)


def test_a_heartbeat_keeps_a_lease_quietly(anna):
    item = claims.claim(item_id=_item().pk, user=anna)
    _expire(item)
    told = Change.objects.count()
    assert claims.heartbeat(item_id=item.pk, user=anna).claim_expires_at > timezone.now()
    assert claims.release_expired() == 0
    assert Change.objects.count() == told


def test_the_sweep_frees_what_nobody_renewed_and_the_heartbeat_says_so(anna):
    item, other = (claims.claim(item_id=_item().pk, user=anna) for _ in range(2))
    _expire(item)
    assert claims.release_expired() == 1
    item.refresh_from_db()
    other.refresh_from_db()
    assert (item.state, item.claimed_by, item.claimed_at) == ("open", None, None)
    assert other.state == "claimed"
    with pytest.raises(claims.NotYours, match="Your claim on this study ended"):
        claims.heartbeat(item_id=item.pk, user=anna)


def test_giving_back_twice_is_harmless(anna):
    item = claims.claim(item_id=_item().pk, user=anna)
    assert claims.release(item_id=item.pk, user=anna).state == "open"
    assert claims.release(item_id=item.pk, user=anna).state == "open"


def test_the_next_study_is_the_most_urgent_free_one(anna, bert):
    routine = _item()
    stat = make_study()
    make_order(stat)
    first = ranking.place(study_id=stat.pk, cause="test")
    assert offering.claim_next(user=anna).item == first
    assert offering.claim_next(user=bert).item == routine
    assert offering.claim_next(user=bert).item is None
    _expire(first)
    assert offering.claim_next(user=bert).item == first


def test_signing_out_gives_back_what_one_holds(anna, bert):
    mine, theirs = _item(), _item()
    claims.claim(item_id=mine.pk, user=anna)
    claims.claim(item_id=theirs.pk, user=bert)
    request = RequestFactory().get("/")
    request.session, request.user = SessionStore(), anna
    logout(request)
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.state, theirs.state) == ("open", "claimed")


def test_a_signed_study_leaves_the_list_and_cannot_be_claimed(anna):
    item = claims.claim(item_id=_item().pk, user=anna)
    when = timezone.now()
    for _ in range(2):
        claims.mark_signed(study_id=item.study_id, signed_at=when)
    item.refresh_from_db()
    assert (item.state, item.claimed_by, item.signed_at, item.version) == ("signed", None, when, 3)
    assert offering.claim_next(user=anna).item is None
    for act in (claims.claim, claims.release):
        with pytest.raises(IllegalTransition):
            act(item_id=item.pk, user=anna)


def test_only_the_first_opening_is_kept(anna, bert):
    item = _item()
    assert claims.record_opened(item_id=item.pk, user=anna)
    assert not claims.record_opened(item_id=item.pk, user=bert)
    item.refresh_from_db()
    assert item.first_opened_by == anna
