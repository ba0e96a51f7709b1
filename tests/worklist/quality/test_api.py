"""`/api/quality/`: reviews for QA alone, figures without patients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import override_settings

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model
from tests.worklist.quality.test_reviews import compare

pytestmark = pytest.mark.django_db
ROLES = ("radiologist", "er_staff", "qa_reviewer", "pacs_administrator", "service")


@pytest.fixture
def reader(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", display_name="Dr. Ada Reader")


@pytest.fixture
def qa(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("qa_reviewer", username="qa"))


@override_settings(QA_RANDOM_SAMPLE=0.0)
def test_the_list_shows_what_is_sampled_unless_asked_for_all(reader: User, qa: Caller) -> None:
    model = make_model()
    for probability, conclusion in [(0.9, "present"), (0.9, "present"), (0.9, "absent")]:
        compare(reader, model, probability, conclusion)
    shown = qa.get("/api/quality/reviews/")
    assert [r["sampled"] for r in shown["results"]] == ["discordant", "random"]
    for review in shown["results"]:
        assert_matches(review, "Review")
    assert qa.get("/api/quality/reviews/", sampled="all")["count"] == 3
    assert qa.get("/api/quality/reviews/", sampled="discordant", concordance="discordant")["count"] == 1
    assert qa.get("/api/quality/reviews/", state="agreed")["count"] == 0
    assert qa.get("/api/quality/reviews/", 400, state="nonsense")["status"] == 400
    assert AuditEvent.objects.filter(action="R", detail__what__startswith="reviews").exists()


def test_agree_disagree_adjudicate(reader: User, qa: Caller) -> None:
    model = make_model()
    first, second = compare(reader, model, 0.9, "present"), compare(reader, model, 0.9, "absent")
    agreed = qa.post(f"/api/quality/reviews/{first.pk}/agree/", {"comment": "yes"})
    assert_matches(agreed, "Review")
    assert (agreed["state"], agreed["verdict"], agreed["reviewer"]["username"]) == (
        "agreed",
        "positive",
        "qa",
    )
    assert qa.post(f"/api/quality/reviews/{first.pk}/agree/", {}, 409)["status"] == 409
    path = f"/api/quality/reviews/{second.pk}/"
    assert qa.post(path + "disagree/", {"comment": "rim"})["state"] == "disagreed"
    qa.post(path + "adjudicate/", {"verdict": "maybe"}, 400)
    assert qa.post(path + "adjudicate/", {"verdict": "positive", "comment": "rim"})["verdict"] == "positive"
    (summary,) = qa.get("/api/quality/summary/")
    assert_matches(summary, "QualitySummary")
    assert (summary["n"], summary["tp"], summary["small_sample"]) == (2, 2, True)
    assert summary["ppv"]["value"] == 1.0 and summary["specificity"] is None


def test_reviews_are_for_reviewers_and_figures_also_for_administrators(
    reader: User, make_user: Callable[..., User]
) -> None:
    review = compare(reader, make_model(), 0.9, "present")
    allowed = {
        "/api/quality/reviews/": {"qa_reviewer"},
        f"/api/quality/reviews/{review.pk}/": {"qa_reviewer"},
        "/api/quality/summary/": {"qa_reviewer", "pacs_administrator"},
    }
    for role in ROLES:
        person = Caller(make_user(role))
        for path, roles in allowed.items():
            person.get(path, 200 if role in roles else 403)
        if role != "qa_reviewer":
            for verb in ("agree", "disagree", "adjudicate"):
                person.post(f"/api/quality/reviews/{review.pk}/{verb}/", {"verdict": "positive"}, 403)


def test_nobody_reviews_their_own_report(make_user: Callable[..., User]) -> None:
    both = make_user("radiologist", "qa_reviewer")
    review = compare(both, make_model(), 0.9, "present")
    refused = Caller(both).post(f"/api/quality/reviews/{review.pk}/agree/", {}, 403)
    assert "own report" in refused["detail"]
