"""Where each version goes: by filter and switch at first, and always after whatever went before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.accounts.models import User
from tests.worklist.reports.outgoing.conftest import Sign, add_hl7, plan
from worklist.reports import services
from worklist.reports.models import Report, ReportDelivery, ReportDispatch
from worklist.reports.outgoing import deciding, destinations, planning
from worklist.reports.outgoing.models import Destination

NAMES = st.sets(st.sampled_from(["CT", "MR", "CR"]))


def addend(report: Report, by: User) -> None:
    services.add_addendum(report_id=report.pk, text="Fracture.", by=by)


@given(
    asked=NAMES,
    there=NAMES,
    places=st.sets(st.sampled_from(["er", "icu"])),
    place=st.sampled_from(["er", "icu", ""]),
)
def test_a_filter_lets_through_what_it_names_and_an_empty_one_everything(
    asked: set[str], there: set[str], places: set[str], place: str
) -> None:
    let = planning.wants(
        modalities=asked, location_classes=places, study_modalities=there, location_class=place
    )
    assert let == ((not asked or bool(asked & there)) and (not places or place in places))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "goes"),
    [
        ({}, True),
        ({"modalities": ["CT", "MR"]}, True),
        ({"modalities": ["MR"]}, False),
        ({"location_classes": ["er"]}, True),
        ({"location_classes": ["icu"]}, False),
        ({"active": False}, False),
    ],
)
def test_a_signed_report_goes_where_it_is_asked_for(sign: Sign, values: dict[str, Any], goes: bool) -> None:
    add_hl7(1, **values)
    assert len(plan(sign())) == goes


@pytest.mark.django_db
def test_what_was_signed_before_a_destination_existed_stays_here(sign: Sign) -> None:
    report = sign()
    add_hl7(1)
    assert plan(report) == []
    assert ReportDispatch.objects.count() == 1


@pytest.mark.django_db
def test_an_amendment_follows_the_first_version_although_filter_and_switch_say_no(
    sign: Sign, reader: User
) -> None:
    destination = add_hl7(1)
    report = sign()
    plan(report)
    destinations.change(
        destination_id=destination.pk, values={"modalities": ["MR"], "active": False}, by=None
    )
    addend(report, reader)
    assert [one.version.version for one in plan(report)] == [3, 4]


@pytest.mark.django_db
def test_an_amendment_does_not_follow_what_was_discarded(
    sign: Sign, reader: User, administrator: User
) -> None:
    destination = add_hl7(1)
    report = sign()
    (delivery,) = plan(report)
    ReportDelivery.objects.update(state="dead")
    delivery.refresh_from_db()
    deciding.discard(delivery=delivery, reason="Sent by hand", by=administrator)
    Destination.objects.filter(pk=destination.pk).update(modalities=["MR"])
    addend(report, reader)
    assert len(plan(report)) == 1


@pytest.mark.django_db
def test_the_sweep_plans_what_no_event_planned_once_and_in_order(sign: Sign, reader: User) -> None:
    add_hl7(1)
    report = sign()
    addend(report, reader)
    sign()
    assert planning.plan_missing() == 3
    assert planning.plan_missing() == 0
    versions = ReportDelivery.objects.filter(version__report=report).order_by("pk")
    assert list(versions.values_list("version__version", flat=True)) == [3, 4]


@pytest.mark.django_db
def test_switched_on_again_it_gets_what_is_signed_from_then_on(sign: Sign) -> None:
    destination = add_hl7(1, active=False)
    missed = sign()
    destinations.change(destination_id=destination.pk, values={"active": True}, by=None)
    assert plan(missed) == []
    assert len(plan(sign())) == 1
