"""A group comes first to its studies, and no study is ever hidden for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.accounts.models import User
from tests.worklist.api.caller import Caller
from tests.worklist.making import make_order, make_study
from worklist import flows
from worklist.live.models import Change
from worklist.queue import claims, ranking, sharing
from worklist.queue.models import WorklistItem
from worklist.rota import groups
from worklist.rota.models import ReadingGroup, Shift

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def anna(make_user):
    return make_user("radiologist", username="anna")


@pytest.fixture
def bert(make_user):
    return make_user("radiologist", username="bert")


def make_item(modality="CT", due_in=timedelta(hours=5)):
    study = make_study(modalities=modality)
    make_order(study, priority="routine", location_class="inpatient")
    item = ranking.place(study_id=study.pk, cause="test")
    due = timezone.now() + due_in
    WorklistItem.objects.filter(pk=item.pk).update(due_at=due, due_without_ai_at=due)
    return item


def make_group(name, *readers, **rule):
    group = flows.add_group(values={"name": name, **rule}, by=None)
    for reader in readers:
        groups.add_member(group_id=group.pk, user=reader, by=None)
    return group


def mine(user):
    return set(WorklistItem.objects.filter(sharing.for_reader(user)))


def shift(user, group, start, hours=8):
    return Shift.objects.create(
        duty="reading", user=user, group=group, starts_at=start, ends_at=start + hours * HOUR
    )


def test_my_list_has_my_groups_studies_and_those_of_nobody(anna, bert):
    make_group("Neuro", anna, modalities=["CT"])
    make_group("Empty", modalities=["MR"])
    ct, mr, cr = make_item("CT"), make_item("MR"), make_item("CR")
    assert mine(anna) == {ct, mr, cr}
    assert mine(bert) == {mr, cr}, "a group without readers keeps nothing from anybody"


def test_what_is_assigned_held_shared_or_overdue_is_on_the_list_whatever_its_group(anna, bert):
    make_group("Neuro", anna, modalities=["CT"])
    assigned, held, shared, late, other = (make_item() for _ in range(5))
    WorklistItem.objects.filter(pk=assigned.pk).update(assigned_to=bert)
    claims.claim(item_id=held.pk, user=bert)
    WorklistItem.objects.filter(pk=shared.pk).update(shared_at=timezone.now())
    past = timezone.now() - HOUR
    WorklistItem.objects.filter(pk=late.pk).update(due_at=past, assigned_to=anna)
    assert mine(bert) == {assigned, held, shared, late}
    assert mine(anna) == {held, shared, late, other}


def test_studies_of_an_uncovered_group_are_shared_before_they_are_due_once_and_told(anna):
    now = timezone.now()
    group = make_group("Neuro", anna, modalities=["CT"], share_before_minutes=60)
    soon, later = make_item(due_in=50 * timedelta(minutes=1)), make_item(due_in=2 * HOUR)
    assert sharing.share_uncovered() == 0, "without a calendar the members cover it"
    stands = shift(anna, group, now - HOUR)
    assert sharing.share_uncovered() == 0
    stands.delete()
    shift(anna, group, now + 20 * HOUR)
    assert sharing.share_uncovered() == 1
    assert sharing.share_uncovered() == 0
    soon.refresh_from_db()
    assert soon.shared_at is not None
    assert soon.events.get().after["words"] == "opened to all readers: nobody of Neuro is on duty"
    assert Change.objects.filter(topic="worklist", key=str(soon.pk), version=soon.version).exists()
    later.refresh_from_db()
    assert later.shared_at is None


def test_a_study_of_two_groups_is_not_shared_while_one_of_them_is_on_duty(anna, bert):
    now = timezone.now()
    make_group("Neuro", anna, modalities=["CT"])
    other = make_group("ER", bert, modalities=["CT"])
    item = make_item(due_in=timedelta(minutes=10))
    shift(bert, other, now - HOUR)
    shift(anna, ReadingGroup.objects.get(name="Neuro"), now + 20 * HOUR)
    assert sharing.share_uncovered() == 0
    Shift.objects.filter(user=bert).update(ends_at=now)
    assert sharing.share_uncovered() == 1
    assert WorklistItem.objects.get(pk=item.pk).shared_at is not None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.lists(
        st.tuples(st.sampled_from(["CT", "MR"]), st.sampled_from(["anna", "bert", ""])), max_size=3
    ),
    assigned=st.sampled_from(["anna", "bert", ""]),
    due=st.integers(-60, 600),
    shifts=st.lists(st.tuples(st.integers(0, 2), st.integers(-20, 20)), max_size=3),
    closed=st.booleans(),
)
def test_no_study_is_invisible_in_the_whole_list_nor_on_everybodys_own_past_its_deadline(
    anna, bert, rules, assigned, due, shifts, closed
):
    ReadingGroup.objects.all().delete()
    WorklistItem.objects.all().delete()
    people = {"anna": anna, "bert": bert}
    made = [
        make_group(f"G{number}", *([people[reader]] if reader else []), modalities=[modality])
        for number, (modality, reader) in enumerate(rules)
    ]
    for which, hours in shifts:
        if which < len(made):
            shift(anna, made[which], timezone.now() + hours * HOUR)
    if closed and made:
        flows.change_group(group_id=made[0].pk, values={"active": False}, by=None)
    item = make_item(due_in=due * timedelta(minutes=1))
    WorklistItem.objects.filter(pk=item.pk).update(assigned_to=people.get(assigned))
    sharing.share_uncovered()
    active = User.objects.filter(username__in=people)
    assert WorklistItem.objects.filter(state="open").count() == 1
    assert any(item in mine(user) for user in active), "somebody has it on their own list"
    if due <= 0:
        assert all(item in mine(user) for user in active)


def test_the_api_lists_a_group_mine_and_all(anna, bert):
    group = make_group("Neuro", anna, modalities=["CT"])
    ct, mr = make_item("CT"), make_item("MR")
    caller = Caller(bert)

    def listed(**query):
        return {int(one["id"]) for one in caller.get("/api/worklist/", **query)["results"]}

    assert listed() == listed(list="all") == {ct.pk, mr.pk}
    assert listed(list="mine") == {mr.pk}
    assert listed(group=group.pk) == {ct.pk}
    WorklistItem.objects.filter(pk=ct.pk).update(shared_at=timezone.now())
    shown = {int(one["id"]): one for one in caller.get("/api/worklist/")["results"]}
    assert (shown[ct.pk]["groups"], shown[ct.pk]["shared"]) == (
        [{"id": str(group.pk), "name": "Neuro"}],
        True,
    )
    assert (shown[mr.pk]["groups"], shown[mr.pk]["shared"]) == ([], False)
    caller.get("/api/worklist/", status=400, list="other")
