"""Orders find their studies, before the images or after them, and never another patient's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIRequestFactory

from foundation import events
from pacs.models import Order, Study
from pacs.orders.api import OrdersView
from pacs.orders.matching import OrderKey, StudyKey, belongs, best
from pacs.orders.services import receive_order
from tests.pacs.conftest import make_dataset

TEXT = st.sampled_from(["", "1", "2"])
ORDERS = st.builds(OrderKey, TEXT, TEXT, st.sampled_from(["1", "2"]), TEXT)
STUDIES = st.builds(StudyKey, st.sampled_from(["1", "2"]), TEXT, TEXT, TEXT)


@given(ORDERS, STUDIES)
def test_an_order_is_never_given_to_another_patient(order: OrderKey, study: StudyKey) -> None:
    if belongs(order, study) and study.patient_id:
        assert order.patient_id == study.patient_id


@given(ORDERS, STUDIES)
def test_an_order_that_names_a_study_means_that_one_only(order: OrderKey, study: StudyKey) -> None:
    if order.study_instance_uid and belongs(order, study):
        assert order.study_instance_uid == study.study_instance_uid


@given(st.lists(ORDERS, max_size=6), STUDIES)
def test_the_best_order_belongs_and_one_by_uid_goes_first(orders: list[OrderKey], study: StudyKey) -> None:
    found = best(list(enumerate(orders)), study)
    fitting = [pk for pk, order in enumerate(orders) if belongs(order, study)]
    assert (found is None) == (not fitting)
    if found is not None:
        assert found in fitting
        by_uid = [pk for pk in fitting if orders[pk].study_instance_uid]
        assert not by_uid or found in by_uid


def _order(**values: Any) -> Order:
    return receive_order(**{"accession_number": "A1", "patient_id": "P1", "priority": "stat", **values})[0]


@pytest.mark.django_db
def test_an_order_before_the_images_waits_for_them(store: Callable) -> None:
    order = _order()
    assert order.study is None
    store(make_dataset())
    order.refresh_from_db()
    assert order.study == Study.objects.get()


@pytest.mark.django_db
def test_an_order_after_the_images_finds_them_by_uid_or_accession(store: Callable) -> None:
    dataset = make_dataset()
    store(dataset, make_dataset(AccessionNumber="A2"))
    by_accession = _order(accession_number="A2")
    by_uid = _order(accession_number="X", study_instance_uid=dataset.StudyInstanceUID)
    assert by_accession.study.accession_number == "A2"
    assert by_uid.study.study_instance_uid == dataset.StudyInstanceUID


@pytest.mark.django_db
def test_the_same_accession_for_another_patient_is_not_matched(store: Callable) -> None:
    store(make_dataset())
    assert _order(patient_id="P2").study is None


@pytest.mark.django_db
def test_the_same_order_again_updates_it_and_tells(
    store: Callable, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable
) -> None:
    heard: list[events.Event] = []
    monkeypatch.setattr(events, "_deliver", heard.append)
    with django_capture_on_commit_callbacks(execute=True):
        first = _order(priority="routine")
        store(make_dataset())
        second = _order(priority="stat")
    assert first.pk == second.pk
    assert (second.priority, second.study) == ("stat", Study.objects.get())
    assert [e for e in heard if isinstance(e, events.OrderReceived)] == [
        events.OrderReceived(first.pk, None),
        events.OrderReceived(first.pk, second.study_id),
        events.OrderReceived(first.pk, second.study_id),
    ]


BODY = {
    "accession_number": "A1",
    "patient_id": "P1",
    "priority": "stat",
    "location_class": "er",
    "department": "ER 1",
    "requesting_physician": "SYNTHETIC^Requester",
    "ordered_at": "2026-01-02T03:04:05Z",
}


@pytest.mark.django_db
def test_the_api_takes_an_order_and_updates_it(token_headers: Callable[..., dict[str, str]]) -> None:
    view, factory, service = OrdersView.as_view(), APIRequestFactory(), token_headers("service")
    created = view(factory.post("/api/orders/", BODY, format="json", **service))
    assert (created.status_code, created.data["priority"]) == (201, "stat")
    assert created.data["matched_study_instance_uid"] is None
    again = view(factory.post("/api/orders/", {**BODY, "priority": "asap"}, format="json", **service))
    assert (again.status_code, again.data["priority"]) == (200, "asap")
    assert again.data["requesting_physician"] == "SYNTHETIC^Requester"
    wrong = view(factory.post("/api/orders/", {**BODY, "priority": "now"}, format="json", **service))
    assert wrong.status_code == 400
    listed = view(factory.get("/api/orders/?priority=asap", **service))
    assert listed.data["count"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "may_read", "may_write"),
    [
        ("pacs_administrator", True, True),
        ("radiologist", True, False),
        ("er_staff", False, False),
        ("qa_reviewer", False, False),
    ],
)
def test_roles_read_and_write_orders_as_they_should(
    token_headers: Callable[..., dict[str, str]], role: str, may_read: bool, may_write: bool
) -> None:
    view, factory, headers = OrdersView.as_view(), APIRequestFactory(), token_headers(role)
    assert (view(factory.get("/api/orders/", **headers)).status_code == 200) is may_read
    posted = view(factory.post("/api/orders/", BODY, format="json", **headers))
    assert (posted.status_code == 201) is may_write
