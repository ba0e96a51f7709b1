"""`/api/lists/`: saved for oneself, shared on purpose, changed only by their owner."""

from __future__ import annotations

import pytest

from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches

pytestmark = pytest.mark.django_db
PATH = "/api/lists/"


def _names(caller) -> list[str]:
    return [row["name"] for row in caller.get(PATH)["results"]]


def test_a_view_is_saved_renamed_shared_and_deleted_by_its_owner(reader, other):
    saved = reader.post(PATH, {"name": "ER heads", "filters": {"location_class": "er"}}, status=201)
    assert_matches(saved, "SavedList")
    assert (saved["mine"], saved["shared"], saved["owner"]["username"]) == (True, False, "anna")
    assert _names(other) == []
    path = f"{PATH}{saved['id']}/"
    reader.patch(path, {"name": "ER", "shared": True})
    other.post(PATH, {"name": "ER"}, status=201)
    seen = other.get(PATH)["results"]
    assert [(row["name"], row["mine"]) for row in seen] == [("ER", True), ("ER", False)]
    assert seen[1]["filters"] == {"location_class": "er"}
    other.patch(path, {"name": "mine now"}, status=403)
    assert other.client.delete(path, **other.headers).status_code == 403
    assert reader.client.delete(path, **reader.headers).status_code == 204
    assert _names(reader) == []


def test_a_list_that_is_not_shared_does_not_exist_for_others(reader, other):
    saved = reader.post(PATH, {"name": "quiet"}, status=201)
    other.patch(f"{PATH}{saved['id']}/", {"name": "x"}, status=404)


def test_a_name_is_used_once_and_the_second_is_told_so(reader):
    reader.post(PATH, {"name": "A"}, status=201)
    assert "already" in reader.post(PATH, {"name": "A"}, status=409)["detail"]
    second = reader.post(PATH, {"name": "B"}, status=201)
    reader.patch(f"{PATH}{second['id']}/", {"name": "A"}, status=409)
    assert _names(reader) == ["A", "B"]


def test_a_search_text_may_name_a_patient_and_is_not_shared(reader):
    filters = {"search": "SYNTHETIC^A1"}
    saved = reader.post(PATH, {"name": "A", "filters": filters}, status=201)
    assert "shared" in reader.patch(f"{PATH}{saved['id']}/", {"shared": True}, status=400)["errors"]
    reader.post(PATH, {"name": "B", "filters": filters, "shared": True}, status=400)
    reader.patch(f"{PATH}{saved['id']}/", {"shared": True, "filters": {}})


def test_lists_take_the_same_few_queries_however_many(reader, django_assert_max_num_queries):
    for n in range(6):
        reader.post(PATH, {"name": f"list {n}"}, status=201)
    with django_assert_max_num_queries(5):
        assert len(_names(reader)) == 6


@pytest.mark.parametrize("role", ["er_staff", "pacs_administrator", "service"])
def test_lists_are_for_readers(make_user, role):
    Caller(make_user(role)).get(PATH, status=403)
