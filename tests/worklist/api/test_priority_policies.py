"""`/api/priority-policies/`: administrators draft, look ahead and decide; readers read."""

from __future__ import annotations

import copy

import pytest

from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_study
from worklist.queue import policies, ranking
from worklist.queue.priority import DEFAULT_POLICY

pytestmark = pytest.mark.django_db
PATH = "/api/priority-policies/"


@pytest.fixture
def chief(make_user) -> Caller:
    return Caller(make_user("pacs_administrator", username="chief"))


@pytest.fixture
def document() -> dict:
    policies.ensure_shipped()
    return copy.deepcopy(policies.document_of(DEFAULT_POLICY))


def test_a_draft_is_looked_at_and_put_in_force_with_a_reason(chief, document):
    item = ranking.place(study_id=make_study().pk, cause="arrived")
    document["minutes_without_order"] = 100
    draft = chief.post(PATH, {"document": document}, status=201)
    assert_matches(draft, "PriorityPolicy")
    assert draft["version"].endswith("-2") and draft["state"] == "draft"
    looked = chief.post(f"{PATH}{draft['id']}/preview/")
    assert_matches(looked, "PriorityPolicyPreview")
    assert (looked["open"], looked["sooner"], looked["up"]) == (1, 1, 0)
    chief.post(f"{PATH}{draft['id']}/activate/", {}, status=400)
    active = chief.post(f"{PATH}{draft['id']}/activate/", {"reason": "shorter"})
    assert (active["state"], active["reason"], active["activated_by"]["username"]) == (
        "active",
        "shorter",
        "chief",
    )
    assert AuditEvent.objects.filter(detail__what="priority policy activated").count() == 1
    assert [row["state"] for row in chief.get(PATH)["results"]] == ["active", "retired"]
    chief.post(f"{PATH}{draft['id']}/activate/", {"reason": "twice"}, status=409)
    chief.patch(f"{PATH}{draft['id']}/", {"document": document}, status=409)
    item.refresh_from_db()
    assert item.policy_version == DEFAULT_POLICY.version, "workers follow later"


def test_a_wrong_document_is_answered_field_by_field(chief, document):
    document["maximum_wait_minutes"]["asap"] = 1
    problem = chief.post(PATH, {"document": document}, status=422)
    assert problem["troubles"][0]["field"] == "maximum_wait_minutes.asap"


@pytest.mark.parametrize("role", ["radiologist", "qa_reviewer"])
def test_readers_read_and_change_nothing(make_user, document, role):
    reader = Caller(make_user(role))
    (row,) = reader.get(PATH)["results"]
    assert reader.get(f"{PATH}{row['id']}/")["version"] == DEFAULT_POLICY.version
    reader.post(PATH, {"document": document}, status=403)
    for act in ("activate", "preview"):
        reader.post(f"{PATH}{row['id']}/{act}/", {"reason": "x"}, status=403)
