"""Ask the comparing process. Whatever happens to it, the answer is at worst "not compared"."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import structlog

from triage.inference.comparison.request import NOT_COMPARED, Answer, Request, decode_answers, encode

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS: Final = 30.0
THREADS: Final = 2
_PROJECT = Path(__file__).resolve().parents[3]


def compare(request: Request, *, timeout_s: float = TIMEOUT_SECONDS) -> list[Answer]:
    """One answer for each pair of the request, in its order."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
        "PYTHONPATH": str(_PROJECT),
        "OMP_NUM_THREADS": str(THREADS),
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(THREADS),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "triage.inference.comparison.child"],
            input=encode(request),
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            cwd=_PROJECT,
            check=True,
        )
        answers = decode_answers(done.stdout)
        if len(answers) == len(request.pairs):
            return answers
        reason = "the comparing process gave no answer"
    except subprocess.TimeoutExpired:
        reason = f"comparing took longer than {timeout_s:g} s"
    except subprocess.CalledProcessError as error:
        reason = "the comparing process failed"
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        log.error("comparison_failed", returncode=error.returncode, said=said[-1][:120] if said else "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "the comparing process gave no answer"
        log.error("comparison_failed", error=type(error).__name__)
    return [Answer(NOT_COMPARED, None, reason) for _ in request.pairs]
