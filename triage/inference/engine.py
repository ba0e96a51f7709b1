"""One model on one series: files -> slices -> regular volume -> bundle -> values and a mask on the slices.

Knows no database: paths and plain values in, plain values out.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from triage.bundles import BundleChanged, Fingerprint, fingerprint, require_same
from triage.inference.analysis import Analysis, OutsideLimits, Target
from triage.inference.answers import ask_about_volume
from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.flat import analyse_projections
from triage.inference.guard import check_input, check_stack
from triage.inference.midline import midline_measurements
from triage.inference.slices import read_stack
from triage.inference.volume import SliceStack, VolumeError, to_regular

__all__ = ["Analysis", "OutsideLimits", "Target", "analyse", "bundle_for", "check_slices", "use_cores"]

# A lesion may hide in a wider gap; a bundle may set its own `max_gap_mm`.
WIDEST_GAP_MM = 12.5


@dataclass(frozen=True)
class _Cached:
    stamp: tuple[tuple[str, int, int], ...]
    found: Fingerprint
    bundle: LoadedBundle


_cache: dict[Path, _Cached] = {}
_lock = threading.Lock()


def use_cores() -> None:
    """Let torch use FIRSTREAD_TORCH_THREADS threads, or all cores: one process infers at a time."""
    torch.set_num_threads(int(os.environ.get("FIRSTREAD_TORCH_THREADS", "0")) or os.cpu_count() or 1)


def bundle_for(path: Path, pinned: Fingerprint) -> LoadedBundle:
    """The bundle in memory, loaded once per process.

    Its files are hashed before they are loaded, and again whenever their size or time changed.

    Raises:
        BundleChanged: the files are not the registered ones.
        BundleError: they cannot be loaded.
    """
    with _lock:
        stamp = _stamp(path)
        cached = _cache.get(path)
        if cached is None or cached.stamp != stamp:
            found = fingerprint(path)
            require_same(found, pinned)
            loaded = load_bundle(path)
            if _stamp(path) != stamp:
                # Between the hash and the load: nobody can say which files these are.
                raise BundleChanged("the bundle's files changed while they were loaded: restore them")
            cached = _cache[path] = _Cached(stamp, found, loaded)
        require_same(cached.found, pinned)
        return cached.bundle


def forget(path: Path) -> None:
    """Drop a bundle from memory; the next `bundle_for` loads it anew."""
    with _lock:
        _cache.pop(path, None)


def analyse(
    files: Sequence[Path],
    bundle: LoadedBundle,
    weights_sha256: str,
    *,
    between_steps: Callable[[], None] = lambda: None,
) -> Analysis:
    """Run a bundle on the files of one series.

    Args:
        files: instances of one series, in any order.
        bundle: from `bundle_for`.
        weights_sha256: of the bundle's weights, to be told with the result.
        between_steps: called after every step; may raise to give up.

    Raises:
        OutsideLimits: the series cannot or must not be analysed; the message says why.
    """
    timings: dict[str, float] = {}
    if bundle.dimensions == 2:
        return analyse_projections(
            files, bundle, weights_sha256, lambda step: _timed(step, timings, between_steps), timings
        )
    limits: Mapping[str, Any] = bundle.config.get("input_limits", {})
    try:
        with _timed("read", timings, between_steps):
            stack = read_stack(files)
            check_slices(stack, limits)
        with _timed("resample", timings, between_steps):
            regular = to_regular(stack, bundle.spacing_mm)
        with _timed("guard", timings, between_steps):
            reasons = check_stack(stack, limits)
            reasons += check_input(regular.array, regular.spacing_mm, limits)
    except VolumeError as error:
        raise OutsideLimits(str(error)) from error
    if reasons:
        raise OutsideLimits(f"outside what this model was made for: {'; '.join(reasons)}")
    with _timed("predict", timings, between_steps):
        tell = ask_about_volume(bundle, regular, stack)
    with _timed("extract", timings, between_steps):
        found = tell()
    with _timed("measure", timings, between_steps):
        # What is measured of the head is told with what was marked in it, and costs time only then.
        marked = any(target.mask is not None and target.mask.any() for target in found)
        measurements = midline_measurements(regular) if marked else {}
    return Analysis(
        targets=found,
        sources=stack.sources,
        stack=stack,
        weights_sha256=weights_sha256,
        runtime=bundle.runtime,
        timings=timings,
        measurements=measurements,
    )


def check_slices(stack: SliceStack, limits: Mapping[str, Any]) -> None:
    """Limits that only the slices themselves can tell; raises OutsideLimits with the reason."""
    count, least = len(stack.pixels), int(limits.get("min_slices", 2))
    if count < least:
        raise OutsideLimits(f"{count} slices at different positions, fewer than {least}")
    widest, most = float(stack.gaps_mm.max()), float(limits.get("max_gap_mm", WIDEST_GAP_MM))
    if widest > most:
        raise OutsideLimits(f"slices are missing: a gap of {widest:.1f} mm, more than {most:g} mm")
    if "coverage_mm" in limits:
        low, high = (float(v) for v in limits["coverage_mm"])
        if not low <= stack.coverage_mm <= high:
            raise OutsideLimits(f"the slices cover {stack.coverage_mm:.0f} mm, not {low:g} to {high:g} mm")


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)


@contextmanager
def _timed(step: str, timings: dict[str, float], between_steps: Callable[[], None]) -> Iterator[None]:
    began = time.monotonic()
    yield
    timings[step] = round(time.monotonic() - began, 3)
    between_steps()
