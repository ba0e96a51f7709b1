"""What a model's process does: load one bundle, run it when asked, answer; nothing leaves by another way."""

from __future__ import annotations

import json
import logging
import os
import socket
import tempfile
import traceback
import warnings
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import torch

from triage.bundles import BundleRefused, Fingerprint
from triage.inference import engine
from triage.inference.analysis import Analysis, OutsideLimits
from triage.inference.bundle import BundleError
from triage.inference.host import answers, sandbox
from triage.inference.host.wire import Channel, Ended

_LONGEST_REASON = 400
# What torch's allocators say on a CPU, where running out is no error of its own kind.
_CPU_ALLOCATOR = ("DefaultCPUAllocator", "can't allocate memory", "not enough memory")


class _Stop(Exception):
    """The worker does not want the answer any more."""


# Errors whose message is a reason for people.
_TELLING = (_Stop, OutsideLimits, BundleRefused, BundleError)


def load_libraries() -> None:
    """Import what every bundle needs, before anything is given up."""
    import monai.bundle
    import monai.inferers
    import monai.networks.nets
    import monai.transforms  # noqa: F401


def serve(end: socket.socket, confines: sandbox.Confines) -> None:
    """Give up everything else, then answer requests until the connection ends.

    Args:
        end: connected to the worker.
        confines: what may be kept.
    """
    _point_at(confines.scratch)
    isolation = sandbox.confine(confines)
    channel = Channel(end)
    _log_to(channel)
    try:
        channel.send({"ready": isolation.as_json()})
        engine.use_cores()
        while True:
            request, _ = channel.receive()
            _answer(channel, request)
    except Ended:
        return


def _point_at(scratch: Path) -> None:
    """Temporary files go there, and what libraries print goes nowhere: it may quote a patient's name."""
    os.chdir(scratch)
    os.environ.update(HOME=str(scratch), TMPDIR=str(scratch))
    tempfile.tempdir = str(scratch)
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nowhere, handle)


def _log_to(channel: Channel) -> None:
    """Our own log lines cross as messages; the worker writes them."""

    def cross(logger: Any, level: str, event: MutableMapping[str, Any]) -> Any:
        if level != "debug":
            plain = json.loads(json.dumps(event, default=str))
            channel.send({"log": level, "event": plain})
        raise structlog.DropEvent

    structlog.configure(processors=[cross], cache_logger_on_first_use=False)
    logging.disable(logging.CRITICAL)


def _answer(channel: Channel, request: dict[str, Any]) -> None:
    number = request["id"]
    folder, pinned = Path(request["bundle"]), Fingerprint(**request["pinned"])
    try:
        bundle = engine.bundle_for(folder, pinned)
        if request["do"] == "load":
            bundle.warm()
            channel.send({"id": number, "loaded": True})
            return
        files = [Path(p) for p in request["files"]]
        try:
            analysis = _analyse(channel, number, files, bundle, pinned)
        except Exception as error:
            if not _out_of_gpu_memory(error):
                raise
            structlog.get_logger(__name__).warning("gpu_out_of_memory", then="once more on the CPU")
            with _on_cpu(folder):
                bundle = engine.bundle_for(folder, pinned)
                analysis = _analyse(channel, number, files, bundle, pinned)
        message, arrays = answers.encode(analysis)
        channel.send({"id": number, "analysis": message}, arrays)
    except Ended:
        raise
    except Exception as error:  # noqa: BLE001  (whatever a bundle raises is its answer)
        channel.send({"id": number, **_told(error, request.get("files", ()))})


def _analyse(
    channel: Channel, number: int, files: Sequence[Path], bundle: Any, pinned: Fingerprint
) -> Analysis:
    def between_steps() -> None:
        channel.send({"id": number, "step": True})
        answer, _ = channel.receive()
        if answer != {"id": number, "go": True}:
            raise _Stop

    return engine.analyse(files, bundle, pinned.weights_sha256, between_steps=between_steps)


@contextmanager
def _on_cpu(folder: Path) -> Iterator[None]:
    """Load the bundle anew without the GPU, and forget that one afterwards: the next run tries the GPU again."""
    before = os.environ.get("FIRSTREAD_DEVICE")
    engine.forget(folder)
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    os.environ["FIRSTREAD_DEVICE"] = "cpu"
    try:
        yield
    finally:
        engine.forget(folder)
        if before is None:
            del os.environ["FIRSTREAD_DEVICE"]
        else:
            os.environ["FIRSTREAD_DEVICE"] = before


def _told(error: Exception, files: Sequence[str]) -> dict[str, str]:
    """The error as a kind and a text without the message of a library, which may quote patient data."""
    known = next((e for e in _causes(error) if isinstance(e, _TELLING)), error)
    if isinstance(known, _Stop):
        return {"failed": "stopped", "reason": ""}
    if isinstance(known, OutsideLimits):
        return {"failed": "outside_limits", "reason": str(known)[:_LONGEST_REASON]}
    if isinstance(known, BundleRefused | BundleError):
        return {"failed": "bundle", "reason": (str(known).splitlines() or [type(known).__name__])[0]}
    root = _causes(error)[-1]
    frames = traceback.extract_tb(root.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
    if _out_of_gpu_memory(error):
        return {"failed": "memory", "reason": "the model ran out of memory on the GPU, and again on the CPU"}
    if any(isinstance(e, MemoryError) or any(t in str(e) for t in _CPU_ALLOCATOR) for e in _causes(error)):
        return {"failed": "memory", "reason": ""}
    if isinstance(root, OSError) and (root.filename in files or any(f.name == "read_stack" for f in frames)):
        return {"failed": "input", "reason": type(root).__name__}
    if isinstance(root, PermissionError):
        return {"failed": "forbidden", "reason": where}
    return {"failed": "crash", "reason": f"{type(root).__name__} in {where}"}


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, the first cause last: MONAI wraps what a transform raises."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return chain


def _out_of_gpu_memory(error: BaseException) -> bool:
    return any(isinstance(cause, torch.OutOfMemoryError) for cause in _causes(error))
