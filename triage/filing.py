"""The documents of a result: a Segmentation of what was drawn, SR documents of what was said, key images.

They come after the result, because nobody who waits for an alert waits for them. The worker that wrote the
result makes them at once. One that died in between left a result without documents: the sweep finds it and a
worker looks at the same images once more, with the same model, and files what it draws if it says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from foundation.events import TriageDocumentsFiled, publish
from foundation.problems import Problem
from pacs.services import Outcome as StoreOutcome
from pacs.services import store_derived
from triage import runs
from triage.findings import Said, statement_of
from triage.inference.analysis import Analysis
from triage.models import Finding, RunState, TriageRun
from triage.results.headers import read_headers
from triage.results.key_image import make_key_image
from triage.results.seg import make_seg
from triage.results.sr import Measured, make_srs

log = structlog.get_logger(__name__)

# Longer than any run: nobody is still at it, also on a machine whose processes cannot be seen from here.
PAUSE = timedelta(minutes=10)
LOOKED_BACK = timedelta(days=2)
REASON_LENGTH = 200
# Two runs of one network on one input differ by less, on whatever runtime (ADR 0014).
SAME_PROBABILITY = 0.01
_ANSWERED = (RunState.DONE, RunState.STALE)


class NotStored(Exception):
    """The archive did not take a document; the message says why."""


class SaysOtherwise(Exception):
    """A second look does not say what the result says: what it draws is not what was told."""


def due(limit: int = 20) -> list[int]:
    """Runs whose result has no documents and whose documents nobody is making, the oldest first."""
    now = timezone.now()
    missing = (
        TriageRun.objects.filter(
            state__in=_ANSWERED,
            sr_sop_instance_uid="",
            documents_attempts__range=(1, settings.TRIAGE_MAXIMUM_ATTEMPTS - 1),
            finished_at__gte=now - LOOKED_BACK,
        )
        .only("pk", "lease_holder", "documents_attempted_at")
        .order_by("pk")
    )
    return [run.pk for run in missing[: 5 * limit] if _free(run)][:limit]


def take(*, run_id: int) -> TriageRun | None:
    """Begin to make a run's documents; None when they are there, or somebody else is at it."""
    run = TriageRun.objects.select_related("model", "series", "study__patient").filter(pk=run_id).first()
    if run is None or not _free(run):
        return None
    taken = TriageRun.objects.filter(
        pk=run.pk,
        state__in=_ANSWERED,
        sr_sop_instance_uid="",
        documents_attempts=run.documents_attempts,
        documents_attempts__lt=settings.TRIAGE_MAXIMUM_ATTEMPTS,
    ).update(
        documents_attempts=F("documents_attempts") + 1,
        documents_attempted_at=timezone.now(),
        lease_holder=runs.this_process(),
    )
    return run if taken else None


def file(run: TriageRun, said: Sequence[Said], analysis: Analysis, files: Mapping[str, Path]) -> bool:
    """Make the documents and put them into the archive; False when others are there already.

    Args:
        run: its result is written.
        said: what it says; the rows are saved.
        analysis: the masks' slices.
        files: of the instances that were looked at, by SOP Instance UID.

    Raises:
        NotStored: the archive did not take them; nothing was written.
    """
    began = timezone.now()
    headers = _headers(analysis, files)
    seg, srs = _objects(analysis, said, headers)
    key_images = _key_images(analysis, said, files, headers)
    took = round((timezone.now() - began).total_seconds(), 3)
    with transaction.atomic():
        # First, so that of two who made them one waits here, and loses.
        missing = TriageRun.objects.filter(pk=run.pk, sr_sop_instance_uid="")
        if not missing.update(
            seg_sop_instance_uid=str(seg.SOPInstanceUID) if seg is not None else "",
            seg_series_instance_uid=str(seg.SeriesInstanceUID) if seg is not None else "",
            sr_sop_instance_uid=str(srs[0].SOPInstanceUID),
            timings={**run.timings, "objects": took},
            documents_reason="",
            lease_holder="",
        ):
            return False
        for one in said:
            Finding.objects.filter(pk=one.finding.pk).update(segment_number=one.finding.segment_number)
        _store([*([seg] if seg is not None else []), *srs, *key_images])
        publish(TriageDocumentsFiled(run_id=run.pk))
    log.info("triage_documents_filed", run_id=run.pk)
    return True


def give_up(run: TriageRun, reason: str, *, for_good: bool) -> None:
    """Say why a result has no documents; unless `for_good` the sweep tries again while attempts are left."""
    attempts = {"documents_attempts": settings.TRIAGE_MAXIMUM_ATTEMPTS} if for_good else {}
    TriageRun.objects.filter(pk=run.pk, sr_sop_instance_uid="").update(
        documents_reason=reason[:REASON_LENGTH], lease_holder="", **attempts
    )
    log.error("triage_documents_missing", run_id=run.pk, for_good=for_good)


def as_recorded(run: TriageRun, again: Sequence[Said]) -> list[Said]:
    """What a second look drew, under the findings that were told.

    Args:
        run: its result is written.
        again: what the same model says of the same images now.

    Raises:
        SaysOtherwise: it does not say the same.
    """
    told = list(run.findings.order_by("pk"))
    same = len(told) == len(again) and all(
        (then.name, then.code, then.presence) == (now.finding.name, now.finding.code, now.finding.presence)
        and abs(then.probability - now.finding.probability) <= SAME_PROBABILITY
        for then, now in zip(told, again, strict=True)
    )
    if not same:
        raise SaysOtherwise("a second look at the images does not say the same as the result")
    return [
        replace(now, finding=then, statement=statement_of(run.model, then))
        for then, now in zip(told, again, strict=True)
    ]


def _free(run: TriageRun) -> bool:
    begun = run.documents_attempted_at
    return begun is None or begun <= timezone.now() - PAUSE or not runs.holder_lives(run.lease_holder or "")


def _headers(analysis: Analysis, files: Mapping[str, Path]) -> list[Dataset]:
    used = dict.fromkeys(source.sop_instance_uid for source in analysis.sources)
    return read_headers([files[uid] for uid in used])


def _objects(
    analysis: Analysis, said: Sequence[Said], headers: Sequence[Dataset]
) -> tuple[Dataset | None, list[Dataset]]:
    """The Segmentation of what was drawn, if anything was, and the SR documents."""
    drawn = [(one.statement, one.mask) for one in said if one.mask is not None]
    seg = make_seg(drawn, analysis.sources, headers) if drawn else None
    for number, one in enumerate((one for one in said if one.mask is not None), start=1):
        one.finding.segment_number = number
    measured = [
        Measured(one.statement, one.finding.segment_number, one.finding.key_sop_instance_uid) for one in said
    ]
    return seg, make_srs(measured, headers, seg)


def _key_images(
    analysis: Analysis, said: Sequence[Said], files: Mapping[str, Path], headers: Sequence[Dataset]
) -> list[Dataset]:
    """One picture for each finding that is present; an image that nobody can decode makes none."""
    by_uid = {str(header.SOPInstanceUID): header for header in headers}
    series_instance_uid = generate_uid()
    made: list[Dataset] = []
    for one in said:
        if one.key is None:
            continue
        source = analysis.sources[one.key]
        try:
            made.append(
                make_key_image(
                    one.statement,
                    files[source.sop_instance_uid],
                    by_uid[source.sop_instance_uid],
                    frame=source.frame,
                    mask=None if one.mask is None else one.mask[one.key],
                    series_instance_uid=series_instance_uid,
                    number=len(made) + 1,
                )
            )
        except Problem as problem:
            log.warning("key_image_missing", finding=one.finding.code, reason=problem.title)
    return made


def _store(objects: list[Dataset]) -> None:
    for result in store_derived(objects, "triage"):
        if result.outcome not in (StoreOutcome.STORED, StoreOutcome.DUPLICATE):
            raise NotStored(f"result object {result.outcome}: {result.reason}")
