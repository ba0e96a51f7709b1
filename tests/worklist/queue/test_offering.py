"""Whom a study is offered to: credentials by group, workload, conflicts of interest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.accounts.models import User
from tests.worklist.making import make_order, make_study
from worklist.queue import assigning, claims, holding, offering, ranking
from worklist.queue.conflicts import same_person
from worklist.queue.models import HoldReason, WorklistItem
from worklist.rota.models import Membership, ReadingGroup


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="anna", display_name="Dr. Anna Müller")


@pytest.fixture
def bert(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="bert", display_name="Dr. Bert Stone")


def _item(order: dict | None = None, **fields: object) -> WorklistItem:
    study = make_study(**fields)
    if order is not None:
        make_order(study, **{"priority": "routine", **order})
    return ranking.place(study_id=study.pk, cause="test")


def _group(name: str, item: WorklistItem, *readers: User) -> ReadingGroup:
    group = ReadingGroup.objects.create(name=name, modalities=["US"])
    for reader in readers:
        Membership.objects.create(group=group, user=reader)
    item.groups.set([group])
    return group


@pytest.mark.parametrize(
    ("name", "reader", "same"),
    [
        ("Müller^Anna", "Dr. Anna Müller", True),
        ("MULLER^ANNA^^DR.", "Dr. Anna Müller", True),
        ("Müller^A", "Anna Müller", True),
        ("Müller^Anna", "A. Müller", True),
        ("Anna Müller", "Müller, Anna", True),
        ("Yamada^Tarou=山田^太郎", "山田 太郎", True),
        ("Müller^Bert", "Dr. Anna Müller", False),
        ("Müller", "Dr. Anna Müller", False),
        ("Stone^Anna", "Dr. Anna Müller", False),
        ("Dr^Prof", "Prof. Dr. Anna Müller", False),
        ("SYNTHETIC^A01", "Synthetic Administrator", False),
        ("^^^", "Anna Müller", False),
        ("", "", False),
    ],
)
def test_a_person_name_and_a_readers_name_are_compared_as_people_would(name, reader, same):
    assert same_person(name, reader) is same


@pytest.mark.django_db
def test_a_groups_studies_are_offered_to_its_readers_first_and_to_others_once_shared(anna, bert):
    neuro = _item()
    group = _group("Neuro", neuro, anna)
    other = _item()
    first = offering.claim_next(user=bert)
    assert first.item == other
    assert first.why.endswith("Skipped before it: 1 of groups that you do not read for.")
    assert offering.claim_next(user=bert).item is None
    mine = offering.claim_next(user=anna)
    assert (mine.item, "the first that is free of your group Neuro." in mine.why) == (neuro, True)
    claims.release(item_id=neuro.pk, user=anna)
    WorklistItem.objects.filter(pk=neuro.pk).update(shared_at=timezone.now())
    shared = offering.claim_next(user=bert)
    assert (shared.item, "shared by Neuro" in shared.why) == (neuro, True)
    claims.release(item_id=neuro.pk, user=bert)
    WorklistItem.objects.filter(pk=neuro.pk).update(shared_at=None)
    group.active = False
    group.save()
    assert offering.claim_next(user=bert).item == neuro


@pytest.mark.django_db
def test_a_group_without_readers_and_an_assignment_open_the_study_to_others(anna, bert):
    nobodys = _item()
    _group("Chest", nobodys)
    assert offering.claim_next(user=bert).item == nobodys
    neuro = _item()
    _group("Neuro", neuro, anna)
    assert offering.claim_next(user=bert).item is None
    assigning.assign(item_id=neuro.pk, to=bert, by=anna)
    assert offering.claim_next(user=bert).item == neuro


@pytest.mark.django_db
def test_whoever_asked_for_a_study_or_is_the_patient_is_not_handed_it(anna, bert):
    _item(referring_physician_name="Müller^Anna")
    ordered = _item({"requesting_physician": "MÜLLER^ANNA^^DR"})
    patient = _item()
    patient.study.patient.patient_name = "Müller^Anna"
    patient.study.patient.save()
    free = _item()
    offer = offering.claim_next(user=anna)
    assert offer.item == free
    assert offer.why.endswith("Skipped before it: 3 that you asked for or that may be your own.")
    assert offering.claim_next(user=bert).item == ordered
    assert claims.claim(item_id=patient.pk, user=anna).claimed_by == anna, "a reader may still decide to"


@pytest.mark.django_db
def test_each_skipped_study_is_counted_for_one_reason(anna, bert):
    held = _item(referring_physician_name="Müller^Anna")
    holding.hold(item_id=held.pk, reason=HoldReason.PRIORS, by=bert)
    _group("Neuro", held, bert)
    nothing = offering.claim_next(user=anna)
    assert nothing.why == "No study is free for you. Waiting, but not offered: 1 on hold."


@pytest.mark.django_db
def test_who_holds_as_many_studies_as_one_may_is_offered_none(anna, settings):
    settings.READER_CLAIM_LIMIT = 2
    for _ in range(3):
        _item()
    first, _second = offering.claim_next(user=anna), offering.claim_next(user=anna)
    full = offering.claim_next(user=anna)
    assert (full.item, full.why[:18]) == (None, "You hold 2 studies")
    WorklistItem.objects.filter(pk=first.item.pk).update(
        claim_expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert offering.claim_next(user=anna).item is not None, "a claim that ran out does not count"
