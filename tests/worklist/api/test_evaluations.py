"""Who judges models may read how good they are; the page can run nothing and reach nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.making import make_model
from triage.evaluation import shelf
from triage.models import ModelVersion

pytestmark = pytest.mark.django_db
PAGES = ("evaluation/", "evaluation/report/")


@pytest.fixture
def model(tmp_path: Path, settings: Any) -> ModelVersion:
    """A model that was evaluated."""
    settings.DATA_DIR = tmp_path
    model = make_model()
    folder = shelf.folder_for(shelf.slug(model.name, model.version), "set")
    folder.mkdir(parents=True)
    hashes = {"weights_sha256": model.weights_sha256, "configs_sha256": model.configs_sha256}
    document = {"made_at": "2026-01-05", "model": hashes, "cases": [{"study": "a name"}], "prevalence": 0.1}
    (folder / shelf.DOCUMENT).write_text(json.dumps(document))
    (folder / shelf.PAGE).write_text("<!doctype html><p>figures")
    return model


def test_reviewers_and_administrators_read_the_figures_and_nobody_else(
    model: ModelVersion, make_user: Callable[..., User]
) -> None:
    for role in ("qa_reviewer", "pacs_administrator"):
        found = Caller(make_user(role)).get(f"/api/models/{model.pk}/evaluation/")
        assert found["prevalence"] == 0.1 and "cases" not in found
    for role in ("radiologist", "er_staff", "service"):
        for page in PAGES:
            Caller(make_user(role)).get(f"/api/models/{model.pk}/{page}", status=403)


def test_the_page_is_shown_in_a_sandbox_and_its_reading_is_recorded(
    model: ModelVersion, make_user: Callable[..., User]
) -> None:
    caller = Caller(make_user("qa_reviewer"))
    answer = caller.client.get(f"/api/models/{model.pk}/evaluation/report/", **caller.headers)
    assert answer.status_code == 200 and answer.content == b"<!doctype html><p>figures"
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    assert AuditEvent.objects.filter(detail__what="evaluation report of a model").exists()


def test_a_model_that_nobody_measured_says_how_to(
    model: ModelVersion, make_user: Callable[..., User]
) -> None:
    changed = make_model(weights_sha256="1" * 64, name=model.name, version="2.0")
    for page in PAGES:
        answer = Caller(make_user("qa_reviewer")).get(f"/api/models/{changed.pk}/{page}", status=404)
        assert f"manage.py evaluate {model.name} DIR" in answer["detail"]
