"""Do what a run asks: read the series, run the model, write the findings, file SEG and SR.

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

from pacs.selectors import instance_paths
from triage import filing, registry, runs
from triage.bundles import BundleRefused
from triage.comparing import compared
from triage.findings import BadAnswer, Said, findings_of, probability_of
from triage.inference.analysis import Analysis, OutsideLimits
from triage.inference.host import process as models
from triage.inference.host.failures import InputUnreadable, ModelFailed
from triage.models import ModelState, ModelVersion, Outcome, TriageRun

log = structlog.get_logger(__name__)


# Below the time after which Celery kills the worker's child (triage/tasks.py).
LONGEST_RUN_SECONDS = 540.0


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
    seconds = min(max(settings.TRIAGE_RUN_SECONDS, patience), LONGEST_RUN_SECONDS)
    return models.Limits(
        seconds=seconds,
        wall_seconds=min(models.WALL_FACTOR * seconds, LONGEST_RUN_SECONDS),
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
    except (OSError, OperationalError, InputUnreadable) as error:
        _settle(lease, runs.put_back, _passing(error))
    except Exception as error:  # noqa: BLE001  (whatever a study makes a library do must end in the row)
        log.error("triage_run_crashed", run_id=lease.run.pk, reason=_unexpected(error))
        _settle(lease, runs.fail, _unexpected(error))


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
    done = runs.finish(
        lease,
        runs.Result(
            outcome=Outcome.POSITIVE if any(one.present for one in said) else Outcome.NEGATIVE,
            probability=probability_of(said),
            weights_sha256=analysis.weights_sha256,
            runtime=analysis.runtime,
            timings={
                # Beside the engine's own steps: loading, if it had to, and what the walls cost.
                "load": round(max(0.0, analysed - began - sum(analysis.timings.values())), 3),
                **analysis.timings,
                "compare": round(time.monotonic() - analysed, 3),
            },
            findings=[one.finding for one in said],
            notes="; ".join(analysis.stack.notes) if analysis.stack is not None else "",
        ),
    )
    if done:
        _file(run, said, analysis, files)


def file_documents(run_id: int) -> None:
    """Make the documents of a result whose worker died before it had made them; nothing when none are missing.

    Never raises for what a study or a bundle does: the run's row tells it.
    """
    run = filing.take(run_id=run_id)
    if run is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = _files_of(run)
            analysis = models.analyse(
                list(files.values()),
                registry.folder_of(run.model),
                registry.pinned(run.model),
                limits=limits_of(run.model),
            )
            _file(run, filing.as_recorded(run, findings_of(run, analysis)), analysis, files)
    except ModelFailed as error:
        filing.give_up(run, str(error), for_good=False)
    except (filing.SaysOtherwise, OutsideLimits, BundleRefused, BadAnswer, InputMissing) as error:
        filing.give_up(run, _first_line(error), for_good=True)
    except (OSError, OperationalError, InputUnreadable) as error:
        filing.give_up(run, _passing(error), for_good=False)


def _file(run: TriageRun, said: Sequence[Said], analysis: Analysis, files: Mapping[str, Path]) -> None:
    """The result stands, whatever becomes of its documents."""
    try:
        filing.file(run, said, analysis, files)
    except (OSError, OperationalError, filing.NotStored) as error:
        filing.give_up(run, _passing(error), for_good=False)
    except Exception as error:  # noqa: BLE001  (whatever a study makes a library do must end in the row)
        filing.give_up(run, _unexpected(error), for_good=True)


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


def _told(error: ModelFailed, attempts: int) -> str:
    return f"{error} ({attempts} attempts)" if error.tries > 1 and attempts >= error.tries else str(error)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _passing(error: Exception) -> str:
    text = str(error) if isinstance(error, filing.NotStored | InputUnreadable) else type(error).__name__
    return f"the archive or the database failed: {text}"


def _unexpected(error: Exception) -> str:
    """What happened and where; the message may quote patient data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {Path(last.filename).name}:{last.lineno}"
