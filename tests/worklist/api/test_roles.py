"""Who may call what: the whole matrix, one row an address."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.worklist.api.caller import Caller
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import services as alerts
from worklist.queue import ranking

pytestmark = pytest.mark.django_db

ROLES = ("radiologist", "er_staff", "qa_reviewer", "pacs_administrator", "service")
READS_LIST = {"radiologist", "qa_reviewer", "service"}
READER = {"radiologist"}
ER = {"radiologist", "er_staff"}
SEES_MODELS = {"qa_reviewer", "pacs_administrator"}
MATRIX = [
    ("get", "/api/me/", set(ROLES)),
    ("get", "/api/worklist/", READS_LIST),
    ("get", "/api/worklist/summary/", READS_LIST),
    ("get", "/api/worklist/{uid}/", READS_LIST),
    ("get", "/api/worklist/{uid}/history/", READS_LIST),
    ("get", "/api/worklist/{uid}/priors/", READS_LIST),
    ("post", "/api/worklist/{uid}/claim/", READER),
    ("post", "/api/worklist/{uid}/heartbeat/", READER),
    ("post", "/api/worklist/{uid}/opened/", READER),
    ("post", "/api/worklist/{uid}/release/", READER),
    ("post", "/api/worklist/next/", READER),
    ("get", "/api/worklist/{uid}/events/", READS_LIST),
    ("post", "/api/worklist/{uid}/assign/", READER),
    ("post", "/api/worklist/{uid}/unassign/", READER),
    ("post", "/api/worklist/{uid}/decline/", READER),
    ("post", "/api/worklist/{uid}/hold/", READER),
    ("post", "/api/worklist/{uid}/unhold/", READER),
    ("post", "/api/worklist/{uid}/raise/", READER),
    ("post", "/api/worklist/{uid}/take-over/", READER),
    ("post", "/api/worklist/{uid}/flags/", READER),
    ("delete", "/api/worklist/{uid}/flags/", READER),
    ("post", "/api/worklist/{uid}/undo/", READER),
    ("get", "/api/readers/", READER),
    ("get", "/api/triage-runs/", {"radiologist", "qa_reviewer", "pacs_administrator", "service"}),
    ("get", "/api/triage-plans/", {"radiologist", "qa_reviewer", "pacs_administrator"}),
    ("get", "/api/models/", SEES_MODELS),
    ("get", "/api/models/{model}/", SEES_MODELS),
    ("get", "/api/models/compare/?a={model}&b={model}", SEES_MODELS),
    ("post", "/api/models/", {"pacs_administrator"}),
    ("post", "/api/models/{model}/approve/", {"pacs_administrator"}),
    ("post", "/api/models/{model}/set-state/", {"pacs_administrator"}),
    ("get", "/api/alerts/", ER | {"service"}),
    ("get", "/api/alerts/{alert}/", ER | {"service"}),
    ("post", "/api/alerts/{alert}/not-my-patient/", ER),
    ("post", "/api/alerts/{alert}/acknowledge/", ER),
    ("get", "/api/er/patients/", ER),
    ("get", "/api/simulations/", {"radiologist", "qa_reviewer", "pacs_administrator"}),
    ("post", "/api/simulations/", {"radiologist", "qa_reviewer", "pacs_administrator"}),
    ("get", "/api/simulations/defaults/", {"radiologist", "qa_reviewer", "pacs_administrator"}),
]
BODIES = {"acknowledge": {"name": "N", "read_back": "bleed"}, "not-my-patient": {"reason": "moved"}}


@pytest.fixture
def paths() -> dict[str, object]:
    study = make_study()
    make_order(study)
    run = make_run(study, make_model(), probability=0.93)
    ranking.place(study_id=study.pk, cause="test")
    return {
        "uid": study.study_instance_uid,
        "alert": alerts.raise_for_run(run_id=run.pk)[0].pk,
        "model": run.model_id,
    }


@pytest.mark.parametrize("role", ["", *ROLES])
def test_each_role_may_call_its_addresses_and_no_other(make_user, paths, role):
    caller = Caller(make_user(role) if role else make_user())
    wrong = []
    for method, path, allowed in MATRIX:
        body = next((body for name, body in BODIES.items() if name in path), {})
        response = getattr(caller.client, method)(
            path.format(**paths), body, content_type="application/json", **caller.headers
        )
        may = role in allowed or path == "/api/me/"
        if (response.status_code == 403) == may or response.status_code >= 500:
            wrong.append((role, method, path, response.status_code))
    assert wrong == []


def test_whoever_is_not_signed_in_may_call_nothing(paths):
    for method, path, _ in MATRIX:
        response = getattr(Client(), method)(path.format(**paths))
        assert response.status_code == 401, path
        assert response["Content-Type"] == "application/problem+json"


def test_a_browser_needs_the_csrf_token_to_change_something(make_user, paths):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user("radiologist"), backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get("/api/worklist/").status_code == 200
    assert browser.post(f"/api/worklist/{paths['uid']}/claim/").status_code == 403
