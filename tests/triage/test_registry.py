"""Bundles are registered once, pinned, moved between states on record."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from tests.triage.making import make_bright_bundle
from tests.worklist.making import make_run, make_study
from triage import registry, runs
from triage.bundles import BundleRefused
from triage.models import ModelState, ModelVersion, RoutingRule, RunState

pytestmark = pytest.mark.django_db


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


def test_bundles_elsewhere_bad_rules_and_bad_states_are_refused(bundles: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="must lie in"):
        registry.register_bundle(path=make_bright_bundle(tmp_path / "elsewhere"))
    with pytest.raises(BundleRefused, match="no condition"):
        registry.register_bundle(path=make_bright_bundle(bundles, routing={"modalty": "CT"}))
    with pytest.raises(BundleRefused, match="cannot be registered as retired"):
        registry.register_bundle(path=make_bright_bundle(bundles), state="retired")


def test_a_state_changes_on_record_and_only_to_states_that_exist(bright: ModelVersion) -> None:
    registry.set_state(model=bright, state="shadow")
    registry.set_state(model=bright, state="shadow")
    assert bright.state == ModelState.SHADOW
    assert AuditEvent.objects.filter(action="U", detail__state="shadow").count() == 1
    with pytest.raises(ValueError, match="not draft"):
        registry.set_state(model=bright, state="draft")


def test_the_shipped_bundle_is_live_once_and_an_administrators_choice_stands() -> None:
    assert "live" in say("ensure-shipped")
    model = ModelVersion.objects.get()
    registry.set_state(model=model, state="retired")
    say("ensure-shipped")
    model.refresh_from_db()
    assert model.state == ModelState.RETIRED and ModelVersion.objects.count() == 1


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
    make_bright_bundle(bundles, version="1.1", above_hu=2400)
    assert "not usable" in say("ensure-shipped")


def test_the_command_lists_adds_moves_and_explains(bundles: Path) -> None:
    path = make_bright_bundle(bundles)
    assert "shadow" in say("add", str(path))
    assert "live" in say("set-state", "bright", "1.0", "live")
    assert say("list").startswith("bright 1.0  live")
    with pytest.raises(CommandError, match="No model nothing"):
        say("set-state", "nothing", "1", "live")
    (path / "run.py").write_text("")
    with pytest.raises(CommandError, match=r"run\.py is code"):
        say("add", str(path))


@pytest.fixture
def admin_client(client: Client, db: None) -> Client:
    """Signed in to the admin site."""
    user = User.objects.create_superuser("root-of-tests", "r@example.org", "correct horse battery")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_admin_site_shows_everything_and_moves_models_on_record(
    admin_client: Client, bright: ModelVersion
) -> None:
    run = make_run(make_study(), bright, probability=0.9)
    for page in ("modelversion", "routingrule", "triagerun", "triageplan", "finding"):
        assert admin_client.get(f"/admin/triage/{page}/").status_code == 200
    assert admin_client.get(f"/admin/triage/triagerun/{run.pk}/change/").status_code == 200
    assert admin_client.get(f"/admin/triage/modelversion/{bright.pk}/change/").status_code == 200
    assert admin_client.get("/admin/triage/finding/add/").status_code == 403
    admin_client.post(
        "/admin/triage/modelversion/", {"action": "make_shadow", "_selected_action": [bright.pk]}
    )
    bright.refresh_from_db()
    assert bright.state == ModelState.SHADOW
    event = AuditEvent.objects.get(action="U", detail__state="shadow")
    assert event.username == "root-of-tests"


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
