"""Writing reviews: each AI result of a signed study against the signature, and what QA says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max, Q
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from triage.models import FINAL_RUN_STATES, Finding, ModelState, RunState, TriageRun
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.quality import concordance as rules
from worklist.quality.models import Review, ReviewState
from worklist.quality.states import REVIEW

MEASURED = (ModelState.LIVE, ModelState.SHADOW)


@dataclass(frozen=True)
class Signed:
    """What was signed, in plain values, because this room does not know reports.

    Attributes:
        conclusions: present, absent, indeterminate or "" by finding code.
        decisions: accepted, uncertain or rejected by finding id.
        signed_at: of this version, aware.
    """

    report_id: int
    version: int
    impression: str
    signed_by_id: int
    signed_by_name: str
    signed_at: datetime
    conclusions: Mapping[str, str]
    decisions: Mapping[int, str]


def compare(*, study_id: int, signed: Signed) -> list[Review]:
    """Compare every current result of live and shadow models with the signature; returns new reviews.

    Idempotent. Reviews of earlier versions of the report, and of runs that newer input replaced, give
    way; what QA said stays said as long as the reader's result is the same.
    """
    runs = (
        TriageRun.objects.filter(study_id=study_id, model_state__in=MEASURED, state__in=FINAL_RUN_STATES)
        .select_related("model")
        .prefetch_related("findings")
    )
    made = []
    with transaction.atomic():
        for run in runs:
            review, created = _review(run, signed)
            if created:
                made.append(review)
        _supersede(study_id, signed.report_id)
        for review in made:
            announce(Topic.QUALITY, review.pk, review.version)
    return made


def agree(*, review_id: int, by: User, comment: str = "", request: HttpRequest | None = None) -> Review:
    """The reviewer sees it as the report does.

    Raises:
        ValidationError: the report says nothing of the finding.
        PermissionDenied: it is the reviewer's own report.
        IllegalTransition, LostRace: it is not pending any more.
    """
    review = _loaded(review_id, by)
    verdict = rules.verdict_of_agreement(review.reader_result)
    if not verdict:
        raise ValidationError("The report does not say whether the finding is there. Adjudicate instead.")
    return _say(review, "agree", verdict, by=by, comment=comment, request=request)


def disagree(*, review_id: int, by: User, comment: str = "", request: HttpRequest | None = None) -> Review:
    """The reviewer does not see it as the report does; the report counts until it is adjudicated.

    Raises:
        As for agree.
    """
    return _say(_loaded(review_id, by), "disagree", "", by=by, comment=comment, request=request)


def adjudicate(
    *, review_id: int, verdict: str, by: User, comment: str = "", request: HttpRequest | None = None
) -> Review:
    """Say what holds true: positive, negative or indeterminate.

    Raises:
        ValidationError: another verdict.
        PermissionDenied, IllegalTransition, LostRace: as for agree.
    """
    if verdict not in (rules.POSITIVE, rules.NEGATIVE, rules.INDETERMINATE):
        raise ValidationError("A verdict is positive, negative or indeterminate.")
    return _say(_loaded(review_id, by), "adjudicate", verdict, by=by, comment=comment, request=request)


def _review(run: TriageRun, signed: Signed) -> tuple[Review, bool]:
    result = run.outcome if run.state == RunState.DONE else run.state
    reader, agreement = rules.together(_compared(run, result, signed))
    earlier = (
        Review.objects.filter(run=run, report_id=signed.report_id, report_version__lt=signed.version)
        .order_by("-report_version")
        .first()
    )
    values = {
        "study_id": run.study_id,
        "ai_result": result,
        "ai_probability": run.probability,
        "reader_result": reader,
        "concordance": agreement,
        "sampled": _sampled(run, signed, agreement, earlier),
        "impression": signed.impression,
        "signed_by_id": signed.signed_by_id,
        "signed_by_name": signed.signed_by_name,
        "signed_at": signed.signed_at,
    }
    if earlier is not None and earlier.reader_result == reader and earlier.state != ReviewState.PENDING:
        values |= {
            name: getattr(earlier, name)
            for name in ("state", "reviewer_id", "reviewed_at", "verdict", "comment")
        }
    return Review.objects.get_or_create(
        run=run, report_id=signed.report_id, report_version=signed.version, defaults=values
    )


def _compared(run: TriageRun, result: str, signed: Signed) -> list[tuple[str, str]]:
    """By each code that the run answers for: what the reader says, and whether AI says the same."""
    by_code: dict[str, list[Finding]] = {}
    for finding in run.findings.all():
        by_code.setdefault(finding.code, []).append(finding)
    compared = []
    for code, findings in (by_code or {run.model.finding_code: []}).items():
        said = [signed.decisions[finding.pk] for finding in findings if finding.pk in signed.decisions]
        reader = rules.reader_result(signed.conclusions.get(code, ""), said)
        if findings and result in (rules.POSITIVE, rules.NEGATIVE):
            present = any(finding.presence == Finding.Presence.PRESENT for finding in findings)
            answer = rules.POSITIVE if present else rules.NEGATIVE
        else:
            answer = result
        compared.append((reader, rules.concordance(answer, reader, said)))
    return compared


def _sampled(run: TriageRun, signed: Signed, agreement: str, earlier: Review | None) -> str:
    """A later version of a report that was sampled stays sampled: its reader is looked at already."""
    if earlier is not None and earlier.sampled and agreement != rules.DISCORDANT:
        return rules.SAMPLED_RANDOM
    shown = Review.objects.filter(
        run__model_id=run.model_id, concordance=rules.CONCORDANT, sampled=rules.SAMPLED_RANDOM
    )
    return rules.sample(
        agreement,
        key=f"{run.pk}/{signed.report_id}",
        rate=settings.QA_RANDOM_SAMPLE,
        first=not shown.exists(),
    )


def _supersede(study_id: int, report_id: int) -> None:
    """Only the latest version of the report and the current runs answer, whichever was compared last."""
    reviews = Review.objects.filter(study_id=study_id, report_id=report_id)
    latest = reviews.aggregate(latest=Max("report_version"))["latest"] or 0
    old = Q(report_version__lt=latest) | Q(run__state=RunState.STALE)
    for review in reviews.filter(old, superseded_at__isnull=True):
        Review.objects.filter(pk=review.pk).update(superseded_at=timezone.now())
        announce(Topic.QUALITY, review.pk, review.version)


def _loaded(review_id: int, by: User) -> Review:
    review = Review.objects.select_related("study__patient").get(pk=review_id)
    if review.signed_by_id == by.pk:
        raise PermissionDenied("Nobody reviews their own report. Leave it to another reviewer.")
    return review


def _say(
    review: Review, event: str, verdict: str, *, by: User, comment: str, request: HttpRequest | None
) -> Review:
    with transaction.atomic():
        REVIEW.apply(
            review,
            event,
            guard=Q(superseded_at__isnull=True),
            reviewer=by,
            reviewed_at=timezone.now(),
            verdict=verdict,
            comment=comment.replace("\x00", "").strip(),
        )
        audit.record(
            audit.Kind.PATIENT_RECORD,
            action="U",
            user=by,
            request=request,
            study_instance_uid=review.study.study_instance_uid,
            patient_id=review.study.patient.patient_id,
            detail={"what": f"review {review.state}", "review": review.pk, "verdict": verdict},
        )
        announce(Topic.QUALITY, review.pk, review.version)
    return review
