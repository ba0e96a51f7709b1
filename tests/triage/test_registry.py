"""Bundles are registered once, pinned, moved between states on record."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.accounts.models import User
from foundation.accounts.services import revoke_role
from foundation.audit.models import AuditEvent
from foundation.transitions import IllegalTransition, LostRace
from pacs.models import Study
from tests.triage.conftest import ball_series
from tests.triage.making import make_bright_bundle
from tests.worklist.making import make_model, make_run, make_study
from triage import planning, registry, runs
from triage.bundles import BundleRefused
from triage.models import ModelDecision, ModelState, ModelVersion, RoutingRule, RunState

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """A PACS administrator."""
    return make_user("pacs_administrator", username="ann")


@pytest.fixture
def ben(make_user: Callable[..., User]) -> User:
    """Another."""
    return make_user("pacs_administrator", username="ben")


@pytest.fixture
def shadow(bundles: Path) -> ModelVersion:
    """A model that runs as shadow."""
    return registry.register_bundle(path=make_bright_bundle(bundles), state="shadow")


def say(*arguments: str) -> str:
    out = StringIO()
    call_command("models", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_the_same_bundle_twice_is_one_row_with_its_rule_on_record(bundles: Path) -> None:
    path = make_bright_bundle(bundles)
    model = registry.register_bundle(path=path, state="live")
    assert registry.register_bundle(path=path, state="shadow") == model
    assert (model.state, model.finding_code, model.rank_threshold) == ("live", "1386000", 0.5)
    assert RoutingRule.objects.get().conditions["modality"] == "CT"
    assert AuditEvent.objects.filter(detail__what="model", action="C").count() == 1


def test_other_files_under_a_registered_version_are_refused(bundles: Path) -> None:
    registry.register_bundle(path=make_bright_bundle(bundles))
    with pytest.raises(BundleRefused, match="raise the version"):
        registry.register_bundle(path=make_bright_bundle(bundles, above_hu=1000))
    assert registry.register_bundle(path=make_bright_bundle(bundles, above_hu=1000, version="2.0")).pk


def test_bundles_elsewhere_bad_rules_and_bad_states_are_refused(
    bundles: Path, tmp_path: Path, ann: User
) -> None:
    with pytest.raises(BundleRefused, match="must lie in"):
        registry.register_bundle(path=make_bright_bundle(tmp_path / "elsewhere"))
    with pytest.raises(BundleRefused, match="no condition"):
        registry.register_bundle(path=make_bright_bundle(bundles, routing={"modalty": "CT"}))
    with pytest.raises(BundleRefused, match="cannot be registered as retired"):
        registry.register_bundle(path=make_bright_bundle(bundles), state="retired")
    with pytest.raises(BundleRefused, match="starts as a draft"):
        registry.register_bundle(path=make_bright_bundle(bundles), state="live", by=ann)


def test_a_state_changes_on_record_and_only_to_states_that_exist(bright: ModelVersion, ann: User) -> None:
    registry.set_state(model=bright, state="shadow", by=ann, reason="Too many false flags")
    registry.set_state(model=bright, state="shadow", by=ann, reason="Again")
    assert bright.state == ModelState.SHADOW
    decision = bright.decisions.get(action="moved")
    assert (decision.by, decision.from_state, decision.to_state) == (ann, "live", "shadow")
    assert decision.reason == "Too many false flags"
    (event,) = AuditEvent.objects.filter(action="U", detail__state="shadow")
    assert (event.username, event.detail["reason"]) == ("ann", "Too many false flags")
    with pytest.raises(ValueError, match="not draft"):
        registry.set_state(model=bright, state="draft", by=ann, reason="x")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_move_without_a_plain_reason_does_not_happen(bright: ModelVersion, ann: User, reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        registry.set_state(model=bright, state="shadow", by=ann, reason=reason)
    bright.refresh_from_db()
    assert bright.state == "live" and not bright.decisions.filter(action="moved").exists()


def test_only_administrators_decide(bright: ModelVersion, make_user: Callable[..., User], ann: User) -> None:
    for user in (make_user("radiologist"), make_user("qa_reviewer", "service")):
        with pytest.raises(registry.NotPermitted, match="PACS administrator"):
            registry.set_state(model=bright, state="retired", by=user, reason="x")
        with pytest.raises(registry.NotPermitted, match="PACS administrator"):
            registry.approve(model=bright, by=user, reason="x")
    ann.is_active = False
    with pytest.raises(registry.NotPermitted):
        registry.set_state(model=bright, state="retired", by=ann, reason="x")


def test_live_needs_two_people(shadow: ModelVersion, ann: User, ben: User) -> None:
    def go_live(by: User) -> None:
        registry.set_state(model=shadow, state="live", by=by, reason="Good in shadow")

    with pytest.raises(registry.NotApproved, match="another PACS administrator"):
        go_live(ann)
    registry.approve(model=shadow, by=ann, reason="As good as the readers on 212 cases")
    with pytest.raises(registry.NotApproved):
        go_live(ann)
    with pytest.raises(ValueError, match="ann has approved"):
        registry.approve(model=shadow, by=ann, reason="Again")
    go_live(ben)
    assert shadow.state == "live"
    assert [(d.action, d.by and d.by.username) for d in shadow.decisions.all()] == [
        ("registered", None),
        ("approved", "ann"),
        ("moved", "ben"),
    ]
    with pytest.raises(ValueError, match="is live: only a model that runs as shadow"):
        registry.approve(model=shadow, by=ben, reason="x")


def test_an_approval_ends_with_the_next_move_and_with_the_approvers_role(
    shadow: ModelVersion, ann: User, ben: User
) -> None:
    registry.approve(model=shadow, by=ann, reason="Good")
    registry.set_state(model=shadow, state="retired", by=ben, reason="Scanner replaced")
    registry.set_state(model=shadow, state="shadow", by=ben, reason="Old scanner is back")
    with pytest.raises(registry.NotApproved):
        registry.set_state(model=shadow, state="live", by=ben, reason="x")
    registry.approve(model=shadow, by=ann, reason="Still good")
    revoke_role(user=ann, role="pacs_administrator")
    with pytest.raises(registry.NotApproved):
        registry.set_state(model=shadow, state="live", by=ben, reason="x")


def test_a_move_that_somebody_else_made_first_is_lost_even_if_the_state_looks_the_same(
    shadow: ModelVersion, ann: User, ben: User
) -> None:
    seen = ModelVersion.objects.get(pk=shadow.pk)
    registry.set_state(model=shadow, state="retired", by=ann, reason="x")
    registry.set_state(model=shadow, state="shadow", by=ann, reason="y")
    with pytest.raises(LostRace):
        registry.set_state(model=seen, state="retired", by=ben, reason="z")


@pytest.mark.parametrize(
    ("state", "target"), [("draft", "live"), ("retired", "live"), ("live", "draft"), ("shadow", "draft")]
)
def test_there_is_no_short_way(shadow: ModelVersion, ann: User, ben: User, state: str, target: str) -> None:
    registry.approve(model=shadow, by=ben, reason="Good")
    ModelVersion.objects.update(state=state)
    shadow.refresh_from_db()
    with pytest.raises((IllegalTransition, ValueError)):
        registry.set_state(model=shadow, state=target, by=ann, reason="x")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["approve", "shadow", "live", "retired"]), st.sampled_from(["ann", "ben", "cy"])
    ),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_people_do_a_model_is_live_only_by_two_of_them(
    make_user: Callable[..., User], steps: list[tuple[str, str]]
) -> None:
    people = {
        name: User.objects.filter(username=name).first() or make_user("pacs_administrator", username=name)
        for name in ("ann", "ben", "cy")
    }
    model = make_model("draft")
    for action, name in steps:
        try:
            if action == "approve":
                registry.approve(model=model, by=people[name], reason="r")
            else:
                registry.set_state(model=model, state=action, by=people[name], reason="r")
        except (registry.NotApproved, IllegalTransition, ValueError):
            pass
        model.refresh_from_db()
    approved: set[int | None] = set()
    state = "draft"
    for decision in model.decisions.all():
        if decision.action == "approved":
            assert state == "shadow" and decision.by_id not in approved
            approved.add(decision.by_id)
            continue
        assert decision.from_state == state
        if decision.to_state == "live":
            assert state == "shadow" and approved - {decision.by_id}
        state, approved = decision.to_state, set()
    assert state == model.state


def test_decisions_say_why_and_the_database_lets_nobody_change_them(bright: ModelVersion) -> None:
    decision = bright.decisions.get()
    for spoil in (
        lambda: ModelDecision.objects.create(model=bright, action="moved", to_state="retired", reason=""),
        lambda: ModelDecision.objects.filter(pk=decision.pk).update(reason="another"),
        lambda: decision.delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            spoil()
    assert ModelDecision.objects.get() == decision


def test_the_shipped_bundle_is_live_once_and_an_administrators_choice_stands(ann: User) -> None:
    assert "live" in say("ensure-shipped")
    model = ModelVersion.objects.get(state="live")
    number = ModelVersion.objects.count()
    decision = model.decisions.get()
    assert decision.by is None and "without a second person" in decision.reason
    registry.set_state(model=model, state="retired", by=ann, reason="Another model here")
    say("ensure-shipped")
    model.refresh_from_db()
    assert model.state == ModelState.RETIRED and ModelVersion.objects.count() == number


def test_a_new_version_of_the_shipped_bundle_takes_the_place_of_the_old(
    bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "SHIPPED", "bright")
    make_bright_bundle(bundles)
    old = registry.ensure_shipped()
    make_bright_bundle(bundles, version="1.1", above_hu=2500)
    new = registry.ensure_shipped()
    old.refresh_from_db()
    assert (old.state, new.state, new.version) == ("retired", "live", "1.1")
    assert "shipped with this release" in old.decisions.get(action="moved").reason
    make_bright_bundle(bundles, version="1.1", above_hu=2400)
    assert "not usable" in say("ensure-shipped")


@pytest.mark.parametrize(
    ("before", "by_people", "after"),
    [
        ("live", False, "live"),
        ("live", True, "shadow"),
        ("shadow", True, "shadow"),
        ("retired", True, "draft"),
    ],
)
def test_the_next_release_gives_its_model_no_more_than_people_gave_the_one_before(
    before: str,
    by_people: bool,
    after: str,
    bundles: Path,
    ann: User,
    ben: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "SHIPPED", "bright")
    make_bright_bundle(bundles)
    old = registry.ensure_shipped()
    if by_people:
        registry.set_state(model=old, state="shadow", by=ann, reason="Look first")
        if before == "live":
            registry.approve(model=old, by=ann, reason="Good")
            registry.set_state(model=old, state="live", by=ben, reason="Agreed")
        elif before == "retired":
            registry.set_state(model=old, state="retired", by=ann, reason="Not here")
    make_bright_bundle(bundles, version="1.1", above_hu=2500)
    new = registry.ensure_shipped()
    old.refresh_from_db()
    assert (old.state, new.state) == ("retired", after)
    assert registry.ensure_shipped() == new and new.decisions.count() == 1


def test_a_study_that_waits_for_the_version_before_is_read_by_the_new_one(
    bundles: Path, stored: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "SHIPPED", "bright")
    make_bright_bundle(bundles)
    old = registry.ensure_shipped()
    study = stored(ball_series())
    planning.plan_runs(study_id=study.pk)
    (waiting,) = study.triage_runs.all()
    assert (waiting.model, waiting.state) == (old, "waiting")
    make_bright_bundle(bundles, version="1.1", above_hu=2500)
    new = registry.ensure_shipped()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("stale", "bright 1.1 took its place")
    assert [(run.model, run.state) for run in study.triage_runs.exclude(pk=waiting.pk)] == [(new, "waiting")]


def test_the_command_adds_shows_approves_moves_and_explains(
    bundles: Path, tmp_path: Path, ann: User, ben: User
) -> None:
    path = make_bright_bundle(tmp_path / "elsewhere")
    mark = say("fingerprint", str(path)).strip()
    assert "draft" in say(
        "add", str(path), "--sha256", mark, "--as", "ann", "--reason", "Asked for by the ER"
    )
    assert "shadow" in say("set-state", "bright", "1.0", "shadow", "--as", "ann", "--reason", "Try it")
    with pytest.raises(CommandError, match="another PACS administrator"):
        say("set-state", "bright", "1.0", "live", "--as", "ann", "--reason", "Now")
    say("approve", "bright", "1.0", "--as", "ann", "--reason", "Good on 200 cases")
    assert "live" in say("set-state", "bright", "1.0", "live", "--as", "ben", "--reason", "Agreed")
    assert say("list").startswith("bright 1.0  live")
    shown = say("show", "bright", "1.0")
    for words in ("Good on 200 cases", "shadow -> live: Agreed", "Asked for by the ER", "ranks from 0.5"):
        assert words in shown
    for arguments, words in (
        (("set-state", "nothing", "1", "live", "--as", "ann", "--reason", "x"), "No model nothing"),
        (("approve", "bright", "1.0", "--as", "nobody", "--reason", "x"), "No user nobody"),
        (("set-state", "bright", "1.0", "draft", "--as", "ann", "--reason", "x"), "invalid choice"),
        (("set-state", "bright", "1.0", "retired", "--as", "ann"), "--reason"),
        (("add", str(path)), "--sha256"),
    ):
        with pytest.raises(CommandError, match=words):
            say(*arguments)


@pytest.fixture
def admin_client(client: Client, db: None) -> Client:
    """Signed in to the admin site."""
    user = User.objects.create_superuser("root-of-tests", "r@example.org", "correct horse battery")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_admin_site_shows_everything_and_moves_no_model(
    admin_client: Client, bright: ModelVersion
) -> None:
    run = make_run(make_study(), bright, probability=0.9)
    for page in ("modelversion", "routingrule", "triagerun", "triageplan", "finding"):
        assert admin_client.get(f"/admin/triage/{page}/").status_code == 200
    assert admin_client.get(f"/admin/triage/triagerun/{run.pk}/change/").status_code == 200
    assert admin_client.get(f"/admin/triage/modelversion/{bright.pk}/change/").status_code == 200
    assert admin_client.get("/admin/triage/finding/add/").status_code == 403
    for action in ("make_shadow", "make_live", "make_retired"):
        admin_client.post("/admin/triage/modelversion/", {"action": action, "_selected_action": [bright.pk]})
    bright.refresh_from_db()
    assert bright.state == ModelState.LIVE


def test_the_admin_site_refuses_bad_conditions_and_asks_failed_runs_again(
    admin_client: Client, bright: ModelVersion
) -> None:
    rule = bright.rules.get()
    answer = admin_client.post(
        f"/admin/triage/routingrule/{rule.pk}/change/",
        {"model": bright.pk, "name": "x", "conditions": '{"modalty": "CT"}', "active": "on"},
    )
    assert answer.status_code == 200 and "modalty is no condition" in answer.content.decode()
    run = make_run(make_study(), bright)
    lease = runs.take(run_id=run.pk)
    assert lease is not None
    runs.fail(lease, "broken")
    admin_client.post("/admin/triage/triagerun/", {"action": "ask_again", "_selected_action": [run.pk]})
    run.refresh_from_db()
    assert run.state == RunState.WAITING
