"""How many queries a page of the list takes: the same for three studies and for eight, and no more than this."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.databases import is_postgresql
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.api.rows import places_in_order
from worklist.queue import ranking
from worklist.queue.models import UNREAD

pytestmark = pytest.mark.django_db

BUDGET = {
    "/api/worklist/": 12,
    "/api/worklist/?search=synthetic": 12,
    "/api/worklist/?search=nobody": 5,
    "/api/worklist/?priority_class=stat&list=mine": 12,
    "/api/worklist/summary/": 8,
    "/api/lists/": 5,
    "/api/priority-policies/": 5,
    "/api/pushed-back/": 7,
    "/api/pushed-back/studies/": 8,
}


@pytest.fixture
def asked(reader):
    def count(path: str) -> int:
        reader.get(path)
        with CaptureQueriesContext(connection) as caught:
            reader.get(path)
            return len(caught)

    return count


def _some(number: int) -> None:
    model = make_model()
    for n in range(number):
        study = make_study()
        make_order(study, priority="stat")
        make_run(study, model, probability=0.9 if n % 2 else 0.1)
        ranking.place(study_id=study.pk, cause="test")


def test_every_page_of_the_list_keeps_its_budget_of_queries(asked):
    _some(3)
    few = {path: asked(path) for path in BUDGET}
    _some(5)
    many = {path: asked(path) for path in BUDGET}
    assert few == many, "a query for each row"
    assert {path: n for path, n in many.items() if n > BUDGET[path]} == {}


@pytest.mark.skipif(is_postgresql(), reason="PostgreSQL reads a table of three rows without any index")
@pytest.mark.parametrize("search", ["", "seizure"])
def test_order_count_and_search_are_answered_by_the_index_of_what_is_unread(search):
    places = places_in_order().filter(UNREAD)
    if search:
        places = places.filter(search_text__contains=search)
    assert "USING COVERING INDEX queue_unread_in_order" in places[:100].explain()
    assert "TEMP B-TREE" not in places[:100].explain()
