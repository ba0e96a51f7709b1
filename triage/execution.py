"""Do what a run asks: read the series, run the model, file SEG and SR, write the findings.

Knows no torch: a bundle runs in a process of its own (triage/inference/host).
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
from django.conf import settings
from django.db import OperationalError
from pydicom.dataset import Dataset

from pacs.selectors import instance_paths
from pacs.services import Outcome as StoreOutcome
from pacs.services import store_derived
from triage import registry, runs
from triage.bundles import BundleRefused
from triage.comparing import compared
from triage.findings import BadAnswer, Said, findings_of, probability_of
from triage.inference.analysis import Analysis, OutsideLimits
from triage.inference.host import process as models
from triage.inference.host.failures import InputUnreadable, ModelFailed
from triage.models import ModelState, ModelVersion, Outcome, TriageRun
from triage.results.headers import read_headers
from triage.results.seg import make_seg
from triage.results.sr import Measured, make_srs

log = structlog.get_logger(__name__)


# Below the time after which Celery kills the worker's child (triage/tasks.py).
LONGEST_RUN_SECONDS = 540.0


class NotStored(Exception):
    """The archive did not take a result object; the message says why."""


class InputMissing(Exception):
    """Instances that the run was planned for are not in the archive."""


def preload() -> None:
    """Start the processes of the models in use, so that the first study does not wait for them."""
    for model in ModelVersion.objects.filter(state__in=(ModelState.LIVE, ModelState.SHADOW)):
        models.load(registry.folder_of(model), registry.pinned(model), limits=limits_of(model))


def limits_of(model: ModelVersion) -> models.Limits:
    """What a run of this model may use; who expects to be slow gets five times what it expects."""
    expected = model.config.get("expected_seconds", 0)
    patience = 5.0 * float(expected) if isinstance(expected, int | float) else 0.0
    return models.Limits(
        seconds=min(max(settings.TRIAGE_RUN_SECONDS, patience), LONGEST_RUN_SECONDS),
        memory_mb=settings.TRIAGE_MODEL_MEMORY_MB,
        readable=(Path(settings.ARCHIVE_DIR),),
        isolated=settings.TRIAGE_ISOLATION_REQUIRED,
    )


def perform(lease: runs.Lease) -> None:
    """Carry out a taken run to a final state, or put it back when something passing went wrong.

    Never raises for what a study or a bundle does: the run's row tells it. Retried are failures of disk,
    database and archive, and a model that died or did not answer.
    """
    try:
        with warnings.catch_warnings():
            # Warnings of pydicom and highdicom quote the values they complain of: names among them.
            warnings.simplefilter("ignore")
            _perform(lease)
    except runs.LeaseLost:
        log.warning("triage_lease_lost", run_id=lease.run.pk)
    except OutsideLimits as error:
        _settle(lease, runs.not_analysed, str(error))
    except ModelFailed as error:
        log.warning("model_failed", run_id=lease.run.pk, model=str(lease.run.model), reason=str(error))
        again = lease.run.attempts < error.tries
        _settle(lease, runs.put_back if again else runs.fail, _told(error, lease.run.attempts))
    except (BundleRefused, BadAnswer) as error:
        _settle(lease, runs.fail, _first_line(error))
    except InputMissing as error:
        _settle(lease, runs.fail, str(error))
    except (OSError, OperationalError, NotStored, InputUnreadable) as error:
        text = str(error) if isinstance(error, NotStored | InputUnreadable) else type(error).__name__
        _settle(lease, runs.put_back, f"the archive or the database failed: {text}")
    except Exception as error:  # noqa: BLE001  (whatever a study makes a library do must end in the row)
        # The message may quote patient data; where it happened does not.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        log.error("triage_run_crashed", run_id=lease.run.pk, error=type(error).__name__, where=where)
        _settle(lease, runs.fail, f"unexpected {type(error).__name__} in {where}")


def _settle(lease: runs.Lease, move: Callable[[runs.Lease, str], None], reason: str) -> None:
    try:
        move(lease, reason)
    except runs.LeaseLost:
        log.warning("triage_lease_lost", run_id=lease.run.pk)


def _perform(lease: runs.Lease) -> None:
    run = lease.run
    began = time.monotonic()
    files = _files_of(run)
    analysis = models.analyse(
        list(files.values()),
        registry.folder_of(run.model),
        registry.pinned(run.model),
        limits=limits_of(run.model),
        between_steps=lambda: runs.renew(lease),
    )
    analysed = time.monotonic()
    if not {source.sop_instance_uid for source in analysis.sources} <= files.keys():
        raise BadAnswer("the model answered about instances that it was not given")
    said = compared(run, findings_of(run, analysis), analysis.sources, list(files.values()))
    with_priors = time.monotonic()
    seg, srs = _objects(analysis, said, files)
    positive = any(one.present for one in said)
    runs.finish(
        lease,
        runs.Result(
            outcome=Outcome.POSITIVE if positive else Outcome.NEGATIVE,
            probability=probability_of(said),
            weights_sha256=analysis.weights_sha256,
            runtime=analysis.runtime,
            timings={
                # Beside the engine's own steps: loading, if it had to, and what the walls cost.
                "load": round(max(0.0, analysed - began - sum(analysis.timings.values())), 3),
                **analysis.timings,
                "compare": round(with_priors - analysed, 3),
                "objects": round(time.monotonic() - with_priors, 3),
            },
            findings=[one.finding for one in said],
            seg_sop_instance_uid=str(seg.SOPInstanceUID) if seg is not None else "",
            seg_series_instance_uid=str(seg.SeriesInstanceUID) if seg is not None else "",
            sr_sop_instance_uid=str(srs[0].SOPInstanceUID),
            notes="; ".join(analysis.stack.notes) if analysis.stack is not None else "",
        ),
        store=lambda: _store([seg, *srs] if seg is not None else srs),
    )


def _objects(
    analysis: Analysis, said: Sequence[Said], files: Mapping[str, Path]
) -> tuple[Dataset | None, list[Dataset]]:
    """The Segmentation of what was drawn, if anything was, and the SR documents."""
    used = dict.fromkeys(source.sop_instance_uid for source in analysis.sources)
    headers = read_headers([files[uid] for uid in used])
    drawn = [(one.statement, one.mask) for one in said if one.mask is not None]
    seg = make_seg(drawn, analysis.sources, headers) if drawn else None
    for number, one in enumerate((one for one in said if one.mask is not None), start=1):
        one.finding.segment_number = number
    measured = [
        Measured(one.statement, one.finding.segment_number, one.finding.key_sop_instance_uid) for one in said
    ]
    return seg, make_srs(measured, headers, seg)


def _files_of(run: TriageRun) -> dict[str, Path]:
    """Files of exactly the instances that the run was planned for, by SOP Instance UID."""
    if run.series is None:
        raise InputMissing("the run names no series")
    wanted = set(run.input_instance_uids)
    files = {
        instance.sop_instance_uid: path
        for instance, path in instance_paths(run.series)
        if instance.sop_instance_uid in wanted
    }
    if missing := len(wanted) - len(files):
        raise InputMissing(f"{missing} of {len(wanted)} instances are not in the archive any more")
    return files


def _store(objects: list[Dataset]) -> None:
    for result in store_derived(objects, "triage"):
        if result.outcome not in (StoreOutcome.STORED, StoreOutcome.DUPLICATE):
            raise NotStored(f"result object {result.outcome}: {result.reason}")


def _told(error: ModelFailed, attempts: int) -> str:
    return f"{error} ({attempts} attempts)" if error.tries > 1 and attempts >= error.tries else str(error)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
