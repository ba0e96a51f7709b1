"""Groups and shifts are planned by administrators, refused in words, audited and told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from foundation.audit.models import AuditEvent
from tests.worklist.making import make_order, make_study
from worklist import flows
from worklist.live.models import Change
from worklist.queue import ranking
from worklist.rota import groups, services
from worklist.rota.models import ReadingGroup, Shift
from worklist.rota.selectors import next_on_duty, on_duty

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def admin(make_user):
    return make_user("pacs_administrator", username="admin")


@pytest.fixture
def anna(make_user):
    return make_user("radiologist", username="anna", display_name="Dr. Anna")


@pytest.fixture
def bert(make_user):
    return make_user("radiologist", username="bert", display_name="Dr. Bert")


@pytest.fixture
def start():
    return timezone.now().replace(minute=0, second=0, microsecond=0) + 2 * HOUR


def plan(user, start, hours=8, **changed):
    values = {"duty": "reading", "by": None, "ends_at": start + hours * HOUR} | changed
    return services.plan_shift(user=user, starts_at=start, **values)


def test_a_planned_shift_is_on_the_calendar_audited_and_told(admin, anna, start):
    shift = plan(anna, start, by=admin)
    assert on_duty(at=start, duty="reading") == [shift]
    event = AuditEvent.objects.latest("pk")
    assert (event.username, event.action, event.detail["what"]) == ("admin", "C", "shift planned")
    assert list(Change.objects.values_list("topic", "key")) == [("rota", f"shift:{shift.pk}")]


def test_the_same_person_and_duty_twice_at_a_time_is_refused_with_whose_shift_stands_there(anna, start):
    group = ReadingGroup.objects.create(name="Neuro")
    plan(anna, start, group=group)
    with pytest.raises(ValidationError, match=r"Dr\. Anna reads for Neuro from .* already\. Cancel that"):
        plan(anna, start + 7 * HOUR)
    plan(anna, start + 8 * HOUR)
    plan(anna, start, duty="on_call")
    assert Shift.objects.count() == 3


def test_a_cancelled_shift_leaves_room_and_its_row_and_cancelling_twice_keeps_the_first(admin, anna, start):
    shift = plan(anna, start)
    services.cancel_shift(shift_id=shift.pk, reason="ill", by=admin)
    first = Shift.objects.get().cancelled_at
    services.cancel_shift(shift_id=shift.pk, reason="again", by=None)
    assert Shift.objects.get().cancelled_at == first
    assert AuditEvent.objects.latest("pk").detail["reason"] == "ill"
    plan(anna, start)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"hours": 0}, "end after it starts"),
        ({"hours": 24 * 8}, "a week at most"),
        ({"hours": -100, "start": -200}, "end after"),
        ({"start": -20}, "over already"),
        ({"department": "ER"}, "Departments are for on-call"),
    ],
)
def test_a_shift_that_cannot_be_is_refused_in_words(anna, start, changed, words):
    begin = start + changed.pop("start", 0) * HOUR
    with pytest.raises(ValidationError, match=words):
        plan(anna, begin, **changed)


def test_only_radiologists_read_and_er_staff_may_be_on_call(make_user, start):
    nurse = make_user("er_staff", username="nurse")
    with pytest.raises(ValidationError, match="needs the role Radiologist"):
        plan(nurse, start)
    plan(nurse, start, duty="on_call", department="ER")


def test_a_shift_given_before_it_begins_changes_its_person_and_the_calendar_shows_no_hole(
    admin, anna, bert, start
):
    shift = plan(anna, start)
    with pytest.raises(ValidationError, match="Say why"):
        services.give_shift(shift_id=shift.pk, to=bert, reason=" ", by=admin)
    given = services.give_shift(shift_id=shift.pk, to=bert, reason="swap", by=admin)
    assert on_duty(at=start, duty="reading") == [given]
    assert services.give_shift(shift_id=given.pk, to=bert, reason="swap", by=admin) == given
    assert (given.note, given.created_by) == ("From Dr. Anna: swap", admin)


def test_a_running_shift_is_cut_at_the_moment_it_is_given(anna, bert):
    now = timezone.now()
    shift = plan(anna, now - HOUR)
    given = services.give_shift(shift_id=shift.pk, to=bert, reason="ill", by=None)
    shift.refresh_from_db()
    assert shift.ends_at == given.starts_at >= now
    assert given.ends_at == now + 7 * HOUR
    assert [one.user for one in on_duty(at=timezone.now(), duty="reading")] == [bert]


def test_a_shift_is_not_given_to_somebody_who_is_busy_then_and_stays_where_it_was(anna, bert, start):
    shift = plan(anna, start)
    plan(bert, start + HOUR)
    with pytest.raises(ValidationError, match=r"Dr\. Bert reads"):
        services.give_shift(shift_id=shift.pk, to=bert, reason="swap", by=None)
    assert on_duty(at=start, duty="reading") == [shift]


def test_the_next_on_duty_is_who_reads_now_besides_the_one_who_goes_or_who_begins_next(anna, bert, start):
    group = groups.add_group(values={"name": "Neuro"}, by=None)
    for user in (anna, bert):
        groups.add_member(group_id=group.pk, user=user, by=None)
    plan(anna, start)
    later = plan(bert, start + 20 * HOUR)
    assert next_on_duty(groups=[group.pk], at=start).user == anna
    assert next_on_duty(groups=[group.pk], at=start, besides=anna) == later
    assert next_on_duty(groups=[group.pk], at=start + 40 * HOUR) is None


def test_a_group_takes_in_the_unread_studies_of_its_rule_at_once_and_lets_go_of_them_when_closed():
    items = {}
    for modality in ("CT", "MR"):
        study = make_study(modalities=modality)
        make_order(study)
        items[modality] = ranking.place(study_id=study.pk, cause="test")
    group = flows.add_group(values={"name": "Neuro", "modalities": ["ct "]}, by=None)
    assert list(group.items.all()) == [items["CT"]]
    items["CT"].refresh_from_db()
    assert items["CT"].version == 2
    assert Change.objects.filter(topic="worklist", key=str(items["CT"].pk), version=2).exists()
    flows.change_group(group_id=group.pk, values={"modalities": ["MR"]}, by=None)
    assert list(group.items.all()) == [items["MR"]]
    late = make_study(modalities="MR")
    ranking.place(study_id=late.pk, cause="test")
    assert group.items.count() == 2
    flows.change_group(group_id=group.pk, values={"active": False}, by=None)
    assert group.items.count() == 0


def test_an_order_moves_a_study_between_groups_and_raises_its_version():
    group = flows.add_group(values={"name": "ER reading", "location_classes": ["er"]}, by=None)
    study = make_study()
    item = ranking.place(study_id=study.pk, cause="test")
    assert not group.items.exists()
    make_order(study, location_class="er")
    again = ranking.place(study_id=study.pk, cause="order received")
    assert list(group.items.all()) == [item]
    assert again.version > item.version
    assert ranking.place(study_id=study.pk, cause="again").version == again.version


def test_names_of_groups_are_taken_whatever_their_case_and_only_radiologists_are_members(make_user):
    group = groups.add_group(values={"name": "Neuro"}, by=None)
    with pytest.raises(ValidationError, match="There is a group neuro already"):
        groups.add_group(values={"name": " neuro"}, by=None)
    with pytest.raises(ValidationError, match="no radiologist"):
        groups.add_member(group_id=group.pk, user=make_user("er_staff"), by=None)
    reader = make_user("radiologist")
    for _ in range(2):
        groups.add_member(group_id=group.pk, user=reader, by=None)
    assert group.memberships.count() == 1
    assert groups.remove_member(group_id=group.pk, user=reader, by=None)
    assert not groups.remove_member(group_id=group.pk, user=reader, by=None)
