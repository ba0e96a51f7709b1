"""Reviews in the database: made once, superseded, judged by people, counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import override_settings
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from foundation.transitions import IllegalTransition
from pacs.models import Study
from tests.worklist.making import make_model, make_run, make_study
from triage.models import ModelVersion, TriageRun
from worklist.quality import selectors, services
from worklist.quality.models import Review
from worklist.quality.services import Signed

pytestmark = pytest.mark.django_db
HEMORRHAGE = "1386000"


@pytest.fixture
def reader(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", display_name="Dr. Ada Reader")


@pytest.fixture
def reviewer(make_user: Callable[..., User]) -> User:
    return make_user("qa_reviewer")


def signed(study: Study, reader: User, conclusion: str = "present", **fields: Any) -> Signed:
    defaults: dict[str, Any] = {
        "report_id": study.pk,
        "version": 2,
        "impression": "Bleed.",
        "signed_by_id": reader.pk,
        "signed_by_name": "Dr. Ada Reader",
        "signed_at": timezone.now(),
        "conclusions": {HEMORRHAGE: conclusion},
        "decisions": {},
    }
    return Signed(**(defaults | fields))


def compare(reader: User, model: ModelVersion, probability: float, conclusion: str, **fields: Any) -> Review:
    study = make_study()
    make_run(study, model, probability=probability)
    (review,) = services.compare(study_id=study.pk, signed=signed(study, reader, conclusion, **fields))
    return review


def test_every_current_result_of_live_and_shadow_models_is_compared_once(reader: User) -> None:
    study = make_study()
    live, shadow, off = make_model(), make_model("shadow"), make_model("draft")
    for model in (live, shadow, off):
        make_run(study, model, probability=0.9)
    make_run(study, live, state="failed", reason="crashed")
    make_run(study, live, state="stale")
    make_run(study, live)
    first = services.compare(study_id=study.pk, signed=signed(study, reader))
    assert sorted((r.run.model_id, r.ai_result, r.concordance) for r in first) == sorted(
        [
            (live.pk, "positive", "concordant"),
            (shadow.pk, "positive", "concordant"),
            (live.pk, "failed", "not_comparable"),
        ]
    )
    assert services.compare(study_id=study.pk, signed=signed(study, reader)) == []


@override_settings(QA_RANDOM_SAMPLE=0.0)
def test_all_discordant_and_the_first_concordant_of_each_model_are_sampled(reader: User) -> None:
    model, other = make_model(), make_model()
    reviews = [compare(reader, m, p, "present") for m, p in [(model, 0.9), (model, 0.9), (other, 0.9)]]
    assert [r.sampled for r in reviews] == ["random", "", "random"]
    assert compare(reader, model, 0.1, "present").sampled == "discordant"


def test_a_later_version_answers_and_keeps_what_qa_said_of_the_same_result(
    reader: User, reviewer: User
) -> None:
    study, model = make_study(), make_model()
    make_run(study, model, probability=0.9)
    (first,) = services.compare(study_id=study.pk, signed=signed(study, reader))
    services.agree(review_id=first.pk, by=reviewer, comment="yes")
    (same,) = services.compare(study_id=study.pk, signed=signed(study, reader, version=3))
    assert (same.state, same.verdict, same.reviewer) == ("agreed", "positive", reviewer)
    (changed,) = services.compare(study_id=study.pk, signed=signed(study, reader, "absent", version=4))
    assert (changed.state, changed.verdict, changed.sampled) == ("pending", "", "discordant")
    assert list(selectors.current_reviews()) == [changed]


def test_an_older_version_that_is_compared_last_does_not_come_back(reader: User) -> None:
    study = make_study()
    make_run(study, make_model(), probability=0.9)
    (new,) = services.compare(study_id=study.pk, signed=signed(study, reader, version=5))
    services.compare(study_id=study.pk, signed=signed(study, reader, version=2))
    assert list(selectors.current_reviews()) == [new]


def test_a_newer_run_answers_for_one_that_newer_images_replaced(reader: User) -> None:
    study, model = make_study(), make_model()
    old = make_run(study, model, probability=0.9)
    services.compare(study_id=study.pk, signed=signed(study, reader))
    TriageRun.objects.filter(pk=old.pk).update(state="stale")
    make_run(study, model, probability=0.1)
    (new,) = services.compare(study_id=study.pk, signed=signed(study, reader))
    assert list(selectors.current_reviews()) == [new] and new.concordance == "discordant"


def test_disagreement_waits_for_adjudication_and_each_step_is_audited(reader: User, reviewer: User) -> None:
    review = compare(reader, make_model(), 0.9, "absent")
    services.disagree(review_id=review.pk, by=reviewer, comment="There is a rim")
    with pytest.raises(IllegalTransition):
        services.agree(review_id=review.pk, by=reviewer)
    done = services.adjudicate(review_id=review.pk, verdict="positive", by=reviewer, comment="rim")
    assert (done.state, done.verdict) == ("adjudicated", "positive")
    with pytest.raises(IllegalTransition):
        services.adjudicate(review_id=review.pk, verdict="negative", by=reviewer)
    events = AuditEvent.objects.filter(study_instance_uid=review.study.study_instance_uid).order_by("pk")
    said = [event.detail["what"] for event in events]
    assert said == ["review disagreed", "review adjudicated"]


def test_nobody_reviews_their_own_report_and_a_silent_report_cannot_be_agreed_with(
    reader: User, reviewer: User
) -> None:
    review = compare(reader, make_model(), 0.9, "present")
    with pytest.raises(PermissionDenied):
        services.agree(review_id=review.pk, by=reader)
    silent = compare(reader, make_model(), 0.9, "")
    assert silent.reader_result == "not_stated"
    with pytest.raises(ValidationError, match="Adjudicate"):
        services.agree(review_id=silent.pk, by=reviewer)
    with pytest.raises(ValidationError, match="verdict"):
        services.adjudicate(review_id=silent.pk, verdict="maybe", by=reviewer)


def test_the_tables_take_qas_word_over_the_readers_and_leave_out_what_is_uncertain(
    reader: User, reviewer: User
) -> None:
    model, idle = make_model(), make_model()
    for probability, conclusion in [
        (0.9, "present"),
        (0.9, "present"),
        (0.9, "absent"),
        (0.1, "absent"),
        (0.1, "present"),
        (0.9, "indeterminate"),
        (0.1, ""),
    ]:
        compare(reader, model, probability, conclusion)
    overruled = compare(reader, model, 0.9, "absent")
    services.adjudicate(review_id=overruled.pk, verdict="positive", by=reviewer)
    undecided = compare(reader, model, 0.9, "present")
    services.adjudicate(review_id=undecided.pk, verdict="indeterminate", by=reviewer)
    ((found, table),) = selectors.summary()
    assert found == model and (table.tp, table.fp, table.tn, table.fn) == (3, 1, 1, 1)
    ppv = selectors.local_ppv([model.pk, idle.pk])
    assert list(ppv) == [model.pk]
    assert (ppv[model.pk].flags, ppv[model.pk].true_flags, ppv[model.pk].share.value) == (4, 3, 0.75)
    assert selectors.local_ppv([]) == {}
