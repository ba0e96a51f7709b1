"""What crosses from reading into queue, archive and quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from tests.worklist.making import make_model, make_run
from tests.worklist.reports.conftest import Case
from triage.models import TriageRun
from worklist import flows
from worklist.alerts import services as alerts
from worklist.quality.models import Review
from worklist.queue import claims, ranking
from worklist.queue.models import WorklistItem
from worklist.reports import services
from worklist.reports.checks import Override
from worklist.reports.editing import Verdict
from worklist.reports.models import Report, ReportVersion

pytestmark = pytest.mark.django_db
TOLD = [
    Override("critical_not_communicated", "Phoned Dr. B, read back"),
    Override("images_not_opened", "seen"),
]


@pytest.fixture
def item(case: Case) -> WorklistItem:
    return ranking.place(study_id=case.study.pk, cause="test")


def accepted(case: Case) -> Report:
    return services.decide(
        report_id=case.report.pk,
        finding_id=case.finding.pk,
        decision=Verdict.ACCEPTED,
        version=1,
        by=case.reader,
    )


def sign(case: Case, by: User | None = None) -> Report:
    report = Report.objects.get(pk=case.report.pk)
    return flows.sign_report(
        report_id=report.pk, version=report.version, overrides=TOLD, by=by or case.reader
    )


def test_only_the_reader_who_holds_the_study_signs(
    case: Case, item: WorklistItem, make_user: Callable[..., User]
) -> None:
    accepted(case)
    with pytest.raises(claims.NotYours, match="do not hold"):
        sign(case)
    other = make_user("radiologist", username="other")
    claims.claim(item_id=item.pk, user=other)
    with pytest.raises(claims.NotYours, match="other is reading"):
        sign(case)
    claims.release(item_id=item.pk, user=other)
    claims.claim(item_id=item.pk, user=case.reader)
    with pytest.raises(claims.NotYours):
        sign(case, other)
    assert sign(case).state == "final"


def test_queue_and_alerts_answer_what_the_checks_ask(case: Case, item: WorklistItem) -> None:
    facts = flows.signing_facts([case.study.pk])[case.study.pk]
    assert not facts.images_opened and not facts.communicated
    claims.record_opened(item_id=item.pk, user=case.reader)
    (alert,) = alerts.raise_for_run(run_id=case.run.pk)
    assert not flows.signing_facts([case.study.pk])[case.study.pk].communicated
    alerts.acknowledge(alert_id=alert.pk, user=case.reader, name="Dr. B", read_back="bleed, left")
    facts = flows.signing_facts([case.study.pk])[case.study.pk]
    assert facts.images_opened and facts.communicated == {"1386000"}


def test_a_signature_leaves_the_list_and_is_compared_with_ai(
    case: Case, item: WorklistItem, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    accepted(case)
    claims.claim(item_id=item.pk, user=case.reader)
    with django_capture_on_commit_callbacks(execute=True):
        sign(case)
    item.refresh_from_db()
    assert item.state == "signed"
    review = Review.objects.get()
    assert (review.ai_result, review.reader_result, review.concordance) == (
        "positive",
        "positive",
        "concordant",
    )
    assert review.impression == "Intracranial hemorrhage, about 31 mL, left."
    assert review.signed_by_name == "Dr. Ada Reader"


def test_a_result_after_the_signature_is_compared_too_and_a_correction_anew(
    case: Case, item: WorklistItem, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    accepted(case)
    claims.claim(item_id=item.pk, user=case.reader)
    with django_capture_on_commit_callbacks(execute=True):
        report = sign(case)
    late = make_run(case.study, make_model(name="late"), probability=0.1)
    with django_capture_on_commit_callbacks(execute=True):
        events.publish(events.TriageRunFinished(run_id=late.pk))
    assert Review.objects.get(run=late).concordance == "discordant"
    assert report.entries.filter(run=late).exists()
    with django_capture_on_commit_callbacks(execute=True):
        services.add_addendum(
            report_id=report.pk, text="No bleed.", conclusions={"1386000": "absent"}, by=case.reader
        )
    now = {review.run_id: review for review in Review.objects.filter(superseded_at__isnull=True)}
    assert {review.report_version for review in now.values()} == {report.version + 1}
    assert now[late.pk].concordance == "concordant" and now[case.run.pk].concordance == "discordant"
    assert now[late.pk].impression.endswith("No bleed.")


def test_news_of_ai_reaches_a_draft(
    case: Case, item: WorklistItem, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    run = make_run(case.study, make_model(name="second"))
    with django_capture_on_commit_callbacks(execute=True):
        events.publish(events.TriagePlanned(study_id=case.study.pk))
    TriageRun.objects.filter(pk=run.pk).delete()
    other = make_run(case.study, make_model(name="third", finding_code="36118008"), probability=0.9)
    with django_capture_on_commit_callbacks(execute=True):
        events.publish(events.TriageRunFinished(run_id=other.pk))
    case.report.refresh_from_db()
    assert len(case.report.sections[3]["suggestions"]) == 2
    assert {c["code"] for c in case.report.conclusions} == {"1386000", "36118008"}


def test_the_sweep_makes_reviews_and_documents_that_no_event_made(
    case: Case, item: WorklistItem, tmp_path: Any, settings: Any
) -> None:
    settings.ARCHIVE_DIR = tmp_path / "archive"
    settings.MINIMUM_FREE_DISK_MB = 1
    accepted(case)
    claims.claim(item_id=item.pk, user=case.reader)
    sign(case)
    assert not Review.objects.exists()
    flows.repair()
    assert Review.objects.count() == 1
    item.refresh_from_db()
    assert item.state == "signed"
    version = ReportVersion.objects.get()
    assert version.sr_sop_instance_uid
    before = timezone.now()
    flows.repair()
    assert Review.objects.count() == 1 and not Review.objects.filter(created_at__gt=before).exists()
