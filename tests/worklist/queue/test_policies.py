"""A policy is data: validated in words, one in force, and the open list follows it."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from foundation.transitions import IllegalTransition, LostRace
from tests.worklist.making import make_model, make_order, make_run, make_study
from tests.worklist.queue.test_claims import _together
from tests.worklist.queue.test_priority import policies as any_policy
from worklist.queue import policies, ranking, tasks
from worklist.queue.models import Overtaking, PriorityPolicy, RankChange, WorklistItem
from worklist.queue.policy_preview import preview
from worklist.queue.priority import DEFAULT_POLICY, rank

DOCUMENT = policies.document_of(DEFAULT_POLICY)
ROUTINE = {"priority": "routine", "location_class": "outpatient"}


def _with(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    *way, last = path.split(".")
    place = document
    for name in way:
        place = place[name]
    place[last] = value
    return document


@settings(max_examples=40)
@given(any_policy())
def test_every_policy_survives_being_written_as_json_and_read_again(policy):
    written = json.loads(json.dumps(policies.document_of(policy)))
    assert policies.troubles_of(written) == []
    assert policies.policy_of(policy.version, written) == policy


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("target_minutes.stat.er", 0, "target_minutes.stat.er", "Give minutes from 1"),
        ("target_minutes.stat.er", float("nan"), "target_minutes.stat.er", "Give minutes"),
        ("target_minutes.stat.er", True, "target_minutes.stat.er", "Give minutes"),
        ("target_minutes.asap.er", 500, "target_minutes.routine.er", "must not be due before asap"),
        ("target_minutes.stat", {"er": 1}, "target_minutes.stat", "every location"),
        ("target_minutes", None, "target_minutes", "Targets are needed"),
        ("maximum_wait_minutes.asap", 5, "maximum_wait_minutes.asap", "fewer minutes than stat"),
        ("maximum_wait_minutes", {"stat": 1}, "maximum_wait_minutes", "needs minutes for stat"),
        ("finding_minutes", {"critical": 60, "urgent": 10}, "finding_minutes.urgent", "fewer minutes"),
        ("finding_minutes", {"dreadful": 60}, "finding_minutes", "needs minutes for critical"),
        ("minutes_without_order", "soon", "minutes_without_order", "Give minutes"),
        ("ages", [{"from_years": 5, "below_years": 2, "minutes": 9}], "ages.0.below_years", "must grow"),
        ("ages", [{"from": 5}], "ages.0", "needs from_years"),
        ("ages", 7, "ages", "are a list"),
        ("surprise", 1, "surprise", "no part of a policy"),
    ],
)
def test_a_document_that_is_no_policy_is_refused_with_field_and_words(path, value, field, words):
    troubles = policies.troubles_of(_with(path, value))
    assert any(one["field"] == field and words in one["message"] for one in troubles), troubles
    with pytest.raises(policies.NotValid):
        policies.policy_of("x", _with(path, value))


@pytest.mark.django_db
class TestInForce:
    @pytest.fixture
    def chief(self, make_user: Any) -> Any:
        return make_user("pacs_administrator", username="chief")

    def _draft(self, chief: Any, version: str = "2026-2", **changes: Any) -> PriorityPolicy:
        return policies.draft(version=version, document=DOCUMENT | changes, reason="", by=chief)

    def test_the_shipped_policy_is_in_force_from_the_start_and_ensured_once(self):
        policies.ensure_shipped()
        policies.ensure_shipped()
        row = PriorityPolicy.objects.get()
        assert (row.version, row.state) == (DEFAULT_POLICY.version, "active")
        assert policies.active() == DEFAULT_POLICY

    def test_without_any_version_the_shipped_one_ranks(self):
        PriorityPolicy.objects.all().delete()
        assert policies.active() is DEFAULT_POLICY

    def test_an_active_policy_ranks_what_comes_and_the_open_list_follows_it(self, chief):
        study = make_study()
        make_order(study, **ROUTINE)
        item = ranking.place(study_id=study.pk, cause="arrived")
        behind = make_study()
        make_order(behind, **ROUTINE)
        make_run(behind, make_model(), probability=0.9)
        ranking.place(study_id=behind.pk, cause="arrived")
        Overtaking.objects.all().delete()
        targets = DOCUMENT["target_minutes"] | {
            "routine": DOCUMENT["target_minutes"]["routine"] | {"outpatient": 700}
        }
        policies.activate(policy_id=self._draft(chief, target_minutes=targets).pk, reason="try", by=chief)
        assert policies.active().version == "2026-2"
        new = make_study()
        make_order(new, **ROUTINE)
        placed = ranking.place(study_id=new.pk, cause="arrived")
        assert placed.due_at - placed.arrived_at == timedelta(minutes=700)
        tasks.follow_policy()
        item.refresh_from_db()
        assert (item.due_at - item.arrived_at, item.policy_version) == (timedelta(minutes=700), "2026-2")
        last = RankChange.objects.filter(item=item).latest("pk")
        assert (last.cause, last.policy_version) == ("policy 2026-2", "2026-2")
        assert Overtaking.objects.count() == 0, "a policy is no promotion"
        assert ranking.follow_policy() == 0
        assert WorklistItem.objects.exclude(policy_version="2026-2").count() == 0

    def test_a_policy_follows_in_batches(self, chief):
        for _ in range(3):
            ranking.place(study_id=make_study().pk, cause="arrived")
        policies.activate(policy_id=self._draft(chief).pk, reason="try", by=chief)
        assert [ranking.follow_policy(limit=2) for _ in range(3)] == [2, 1, 0]

    def test_what_was_active_never_changes_again(self, chief):
        old = PriorityPolicy.objects.get()
        draft = self._draft(chief)
        policies.activate(policy_id=draft.pk, reason="better", by=chief)
        old.refresh_from_db()
        draft.refresh_from_db()
        assert (old.state, draft.state, draft.reason) == ("retired", "active", "better")
        for row in (old, draft):
            with pytest.raises(IllegalTransition):
                policies.activate(policy_id=row.pk, reason="again", by=chief)
            with pytest.raises(LostRace):
                policies.change_draft(policy_id=row.pk, document=DOCUMENT)
            with pytest.raises(LostRace):
                policies.discard_draft(policy_id=row.pk)

    def test_a_version_is_given_once(self, chief):
        self._draft(chief)
        with pytest.raises(policies.NotValid, match="exists already"):
            self._draft(chief)

    def test_the_preview_says_who_moves_and_writes_nothing(self, chief, django_assert_max_num_queries):
        model = make_model()
        for _ in range(4):
            study = make_study()
            make_order(study, **ROUTINE)
            ranking.place(study_id=study.pk, cause="arrived")
        flagged = make_study()
        make_order(flagged, **ROUTINE)
        make_run(flagged, model, probability=0.9)
        ranking.place(study_id=flagged.pk, cause="arrived")
        before = list(WorklistItem.objects.order_by("pk").values())
        with django_assert_max_num_queries(7):
            same = preview(DEFAULT_POLICY)
        assert (same.open, same.up, same.down, same.sooner, same.later) == (5, 0, 0, 0, 0)
        blind = preview(policies.policy_of("x", DOCUMENT | {"finding_minutes": {}}))
        assert (blind.open, blind.up, blind.down, blind.later) == (5, 4, 1, 1)
        longest = blind.examples[0]
        assert (longest.item.study_id, longest.place_now, longest.place_then) == (flagged.pk, 1, 5)
        assert list(WorklistItem.objects.order_by("pk").values()) == before

    def test_a_child_moves_up_where_the_policy_names_its_age(self):
        study = make_study(patient_age="003M")
        make_order(study, **ROUTINE)
        policy = policies.policy_of(
            "young", DOCUMENT | {"ages": [{"from_years": 0, "below_years": 1, "minutes": 90}]}
        )
        item = ranking.place(study_id=study.pk, cause="arrived", policy=policy)
        assert item.due_at - item.arrived_at == timedelta(minutes=90)
        assert item.reasons[1]["text"].startswith("Patient of 0 to below 1 years, due within 1 h 30 min")
        grown = rank(arrived_at=item.arrived_at, order=None, age_years=1.0, policy=policy)
        assert grown.due == grown.due_without_ai


@pytest.mark.django_db(transaction=True)
def test_of_two_drafts_activated_at_one_instant_one_is_in_force_in_the_end(make_user):
    chief = make_user("pacs_administrator", username="chief")
    policies.ensure_shipped()
    drafts = [policies.draft(version=f"race-{n}", document=DOCUMENT, reason="", by=chief) for n in range(4)]
    results = _together(4, lambda n: policies.activate(policy_id=drafts[n].pk, reason="race", by=chief))
    assert all(isinstance(result, PriorityPolicy) for result in results), results
    assert PriorityPolicy.objects.filter(state="active").count() == 1
    assert PriorityPolicy.objects.filter(state="retired").count() == 4
