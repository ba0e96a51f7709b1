"""The log of changes: what was missed is found, and the log stays short."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from worklist.live import selectors, services
from worklist.live.messages import Topic
from worklist.live.models import Change, Heartbeat, Presence

pytestmark = pytest.mark.django_db


def _announce(*keys: str) -> list[int]:
    for key in keys:
        services.announce(Topic.WORKLIST, key, 1)
    return list(Change.objects.order_by("pk").values_list("pk", flat=True))


def _age(by: timedelta, **which: object) -> None:
    Change.objects.filter(**which).update(at=timezone.now() - by)


def test_a_client_gets_each_changed_row_once_at_its_latest_version():
    first = _announce("a")[0]
    _age(timedelta(minutes=5))
    services.announce(Topic.WORKLIST, "b", 2)
    services.announce(Topic.WORKLIST, "b", 3)
    services.announce(Topic.ALERTS, "b", 1)
    missed = selectors.changes_since(first)
    assert [(c.topic, c.key, c.version) for c in missed] == [("worklist", "b", 3), ("alerts", "b", 1)]
    assert missed[-1].seq == selectors.latest_seq()


def test_a_change_that_commits_after_one_with_a_higher_number_is_still_told():
    """Numbers are given when a transaction writes, not when it commits."""
    slow, quick = _announce("slow", "quick")
    assert [c.seq for c in selectors.changes_since(quick)] == [slow]
    _age(timedelta(minutes=5))
    _age(timedelta(minutes=4), pk=quick)
    assert selectors.changes_since(quick) == []


def test_what_cannot_be_told_any_more_asks_for_a_fresh_page():
    numbers = _announce("a", "b", "c", "d")
    Change.objects.filter(pk__in=numbers[:2]).delete()
    assert selectors.changes_since(numbers[0]) is None, "forgotten"
    assert [c.key for c in selectors.changes_since(numbers[1])] == ["c", "d"], "the first not forgotten"
    assert selectors.changes_since(numbers[-1] + 1) is None, "from another database"


def test_too_many_changes_ask_for_a_fresh_page():
    first = _announce("a")[0]
    Change.objects.bulk_create(
        Change(topic="worklist", key=str(n)) for n in range(selectors.LONGEST_ANSWER + 1)
    )
    assert selectors.changes_since(first) is None


def test_a_change_that_is_rolled_back_is_never_told(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as sent:
        try:
            with transaction.atomic():
                services.announce(Topic.WORKLIST, "a", 1)
                raise LookupError
        except LookupError:
            pass
    assert (sent, Change.objects.count()) == ([], 0)


def test_pruning_forgets_old_changes_but_never_the_latest_number():
    _announce("a", "b", "c")
    _age(timedelta(days=2))
    latest = selectors.latest_seq()
    assert services.prune() == 2
    assert selectors.latest_seq() == latest
    assert services.prune() == 0


def test_somebody_whose_connection_died_silently_is_not_counted_as_present(make_user):
    user, other = make_user("er_staff"), make_user("er_staff")
    services.arrive("one", user.pk)
    services.arrive("two", other.pk)
    Presence.objects.filter(connection="two").update(seen_at=timezone.now() - timedelta(minutes=10))
    assert selectors.connected_user_ids() == {user.pk}
    services.prune()
    assert Presence.objects.count() == 1
    services.leave("one")
    assert selectors.connected_user_ids() == set()


def test_a_background_process_that_beats_twice_has_one_row():
    services.beat("beat")
    services.beat("beat")
    assert Heartbeat.objects.get().component == "beat"
