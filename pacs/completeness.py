"""When is a study complete? A pure rule over what arrived, and the service that applies it.

DICOM has no reliable "that was all". The rule, in this order:

1. nobody is sending it and the count that its objects announce is there -> complete at once;
2. nothing arrived for the modality's quiet time -> complete (a longer time while an association that
   brought some of it is still open, because modalities hold associations during reconstruction);
3. it has been receiving for the maximum time -> complete, whatever else.

An association of a receiver that was killed stays counted as open; point 2 still ends the wait.
Completing too early is harmless: a late instance opens the study again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from foundation import events
from foundation.transitions import LostRace
from pacs.models import Series, Study, StudyState
from pacs.states import STUDY

log = structlog.get_logger(__name__)

# A last instance this far in the future means that the clock was set back, not that it is to come.
CLOCK_TOLERANCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Limits:
    """Times to wait, seconds.

    Attributes:
        quiet: by modality, and "default".
        quiet_open_association: instead, when longer, while an association is open.
        maximum: since the study began (or began again) to receive.
    """

    quiet: Mapping[str, float]
    quiet_open_association: float
    maximum: float


@dataclass(frozen=True)
class Arrival:
    """What arrived of a study.

    Attributes:
        receiving_since: first instance, or the late one that opened the study again.
        last_instance_at: latest instance.
        modalities: DICOM modality codes in the study.
        associations_open: DICOM associations still open that brought some of it.
        instances: how many are here, without those made here (SEG, SR of AI results).
        expected: how many its objects announce, if they do.
    """

    receiving_since: datetime
    last_instance_at: datetime
    modalities: tuple[str, ...]
    associations_open: int
    instances: int
    expected: int | None


@dataclass(frozen=True)
class Verdict:
    """Complete or not; if not, when to look again unless something arrives before."""

    complete: bool
    look_again_at: datetime | None
    reason: str


def judge(arrival: Arrival, limits: Limits, now: datetime) -> Verdict:
    """Apply the rule at the moment `now`."""
    if (
        arrival.associations_open == 0
        and arrival.expected is not None
        and arrival.instances >= arrival.expected > 0
    ):
        return Verdict(True, None, "expected count")
    if arrival.last_instance_at > now + CLOCK_TOLERANCE:
        return Verdict(True, None, "clock set back")
    quiet = max(
        (limits.quiet.get(modality, limits.quiet["default"]) for modality in arrival.modalities),
        default=limits.quiet["default"],
    )
    if arrival.associations_open > 0:
        quiet = max(quiet, limits.quiet_open_association)
    quiet_at = arrival.last_instance_at + timedelta(seconds=quiet)
    forced_at = arrival.receiving_since + timedelta(seconds=limits.maximum)
    if now >= forced_at:
        return Verdict(True, None, "maximum time")
    if now >= quiet_at:
        return Verdict(True, None, "quiet")
    return Verdict(False, min(quiet_at, forced_at), "receiving")


def site_limits() -> Limits:
    """The site's times, from the settings."""
    return Limits(
        quiet=settings.COMPLETION_QUIET_SECONDS,
        quiet_open_association=settings.COMPLETION_QUIET_OPEN_ASSOCIATION_SECONDS,
        maximum=settings.COMPLETION_MAXIMUM_SECONDS,
    )


def arrival_of(study: Study) -> Arrival:
    """What arrived of a study row; one query for the instances made here, when their number matters."""
    derived = 0
    if study.expected_instances is not None:
        made_here = Series.objects.filter(study=study, derived=True)
        derived = made_here.aggregate(n=Sum("number_of_instances"))["n"] or 0
    return Arrival(
        receiving_since=study.receiving_since or study.received_at,
        last_instance_at=study.last_instance_at,
        modalities=tuple(m for m in study.modalities.split("\\") if m),
        associations_open=study.associations_open,
        instances=study.number_of_instances - derived,
        expected=study.expected_instances,
    )


def complete_due_studies(*, study_ids: Iterable[int] | None = None, now: datetime | None = None) -> list[int]:
    """Complete every study for which the rule says so, and set the timers of the others.

    Args:
        study_ids: look at these now, whatever their timers say; all whose timer is due otherwise.
        now: for tests.

    Returns:
        Ids of the studies completed. StudyCompleted is published for each.
    """
    moment = now or timezone.now()
    query = Study.objects.filter(state=StudyState.RECEIVING)
    if study_ids is None:
        query = query.filter(
            Q(completion_due_at__lte=moment)
            | Q(completion_due_at__isnull=True)
            | Q(last_instance_at__gt=moment + CLOCK_TOLERANCE)
        )
    else:
        query = query.filter(pk__in=list(study_ids))
    limits = site_limits()
    completed = []
    for study in query.order_by("completion_due_at", "pk"):
        verdict = judge(arrival_of(study), limits, moment)
        if verdict.complete:
            if _complete(study, moment, verdict.reason):
                completed.append(study.pk)
        elif study.completion_due_at != verdict.look_again_at:
            # Only while nothing arrived since it was read: an arrival sets the timer itself.
            Study.objects.filter(
                pk=study.pk, version=study.version, associations_open=study.associations_open
            ).update(completion_due_at=verdict.look_again_at)
    return completed


def _complete(study: Study, now: datetime, reason: str) -> bool:
    try:
        with transaction.atomic():
            STUDY.apply(
                study,
                "complete",
                expected={"version": study.version},
                completed_at=now,
                completion_due_at=None,
                associations_open=0,
            )
            events.publish(events.StudyCompleted(study_id=study.pk))
    except LostRace:
        return False  # an instance arrived meanwhile, or another process completed it
    log.info("study_completed", study_id=study.pk, reason=reason)
    return True
