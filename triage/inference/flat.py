"""Ask a 2D bundle about projection images: each view by itself, the most telling one speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triage.inference.analysis import Analysis, OutsideLimits, Target
from triage.inference.answers import best_boxes, calibrated, classified, method_of
from triage.inference.bundle import BundleError, LoadedBundle
from triage.inference.extract import study_probability
from triage.inference.projections import Projection, native_mask, read_projections, resampled
from triage.inference.volume import VolumeError
from triage.targets import TargetFinding, targets

Timed = Callable[[str], AbstractContextManager[None]]


def analyse_projections(
    files: Sequence[Path],
    bundle: LoadedBundle,
    weights_sha256: str,
    timed: Timed,
    timings: Mapping[str, float],
) -> Analysis:
    """Run a 2D bundle on the images of one series whose view it wants (`routing.view_any`).

    Args:
        files: instances of one series, in any order.
        timed: a context for each step, by name.
        timings: seconds by step, filled by `timed`.

    Raises:
        OutsideLimits: no image can or must be analysed; the message says why.
        BundleError: the answer does not fit the bundle's kind.
    """
    routing = bundle.config.get("routing", {})
    try:
        with timed("read"):
            images = read_projections(files, routing.get("view_any"))
            check_projections(images, bundle.config.get("input_limits", {}))
        with timed("resample"):
            inputs = [resampled(image, bundle.config.get("spacing_mm")) for image in images]
    except VolumeError as error:
        raise OutsideLimits(str(error)) from error
    with timed("predict"):
        found = _ask(bundle, images, inputs)
    return Analysis(
        targets=tuple(found),
        sources=tuple(image.source for image in images),
        stack=None,
        weights_sha256=weights_sha256,
        runtime=bundle.runtime,
        timings=timings,
    )


def check_projections(images: Sequence[Projection], limits: Mapping[str, Any]) -> None:
    """`field_mm` [low, high]: of the height and width of each image; raises VolumeError with the reason."""
    if "field_mm" not in limits:
        return
    low, high = (float(v) for v in limits["field_mm"])
    for image in images:
        if image.field_mm is None:
            raise VolumeError("the image does not tell its pixel spacing")
        for side in image.field_mm:
            if not low <= side <= high:
                raise VolumeError(f"an image {side:.0f} mm wide or high, outside {low:g} to {high:g} mm")


def _ask(
    bundle: LoadedBundle, images: Sequence[Projection], inputs: Sequence[NDArray[np.float32]]
) -> list[Target]:
    keys = list(range(len(images)))
    note = f", highest of {len(images)} views" if len(images) > 1 else ""
    if bundle.kind == "classification":
        answers = [bundle.ask(image).reshape(-1).numpy() for image in inputs]
        return list(classified(bundle, answers, keys, note))
    if bundle.kind == "detection":
        return _boxed(bundle, images, inputs)
    by_view = [
        _drawn(bundle, finding, number, image, bundle.cropped(bundle.ask(given), given.shape[1:]), images)
        for number, (image, given) in enumerate(zip(images, inputs, strict=True))
        for finding in targets(bundle.config)
    ]
    return [
        max((target for target in by_view if target.name == finding.name), key=lambda t: t.probability)
        for finding in targets(bundle.config)
    ]


def _boxed(
    bundle: LoadedBundle, images: Sequence[Projection], inputs: Sequence[NDArray[np.float32]]
) -> list[Target]:
    """A target for each box above its threshold, the best view's first; absent findings once."""
    spacing = bundle.config.get("spacing_mm")
    found: dict[str, list[Target]] = {finding.name: [] for finding in targets(bundle.config)}
    highest: dict[str, float] = dict.fromkeys(found, 0.0)
    for key, (image, given) in enumerate(zip(images, inputs, strict=True)):
        boxes = bundle.boxes(given)
        step = spacing or image.spacing_mm
        for finding, chosen in best_boxes(bundle, boxes):
            mine = boxes.scores[boxes.labels == finding.output]
            if len(mine):
                highest[finding.name] = max(highest[finding.name], calibrated(float(mine.max()), finding))
            for number, probability in chosen:
                size = boxes.corners[number][2:] - boxes.corners[number][:2]
                found[finding.name].append(
                    Target(
                        name=finding.name,
                        probability=probability,
                        method=method_of(finding),
                        subtype=finding.subtype,
                        largest_diameter_mm=float(np.hypot(*(size * step))) if step else None,
                        key=key,
                    )
                )
    return [
        target
        for finding in targets(bundle.config)
        for target in (
            sorted(found[finding.name], key=lambda t: -t.probability)
            or [Target(finding.name, highest[finding.name], method_of(finding))]
        )
    ]


def _drawn(
    bundle: LoadedBundle,
    finding: TargetFinding,
    number: int,
    image: Projection,
    maps: NDArray[np.float32],
    images: Sequence[Projection],
) -> Target:
    """A finding segmented on one view; regions below `min_component_mm2` do not count."""
    if finding.output >= len(maps):
        raise BundleError(
            f"{bundle.path.name}: {len(maps)} maps for findings that name output {finding.output}"
        )
    chart = maps[finding.output]
    if chart.min() < 0.0 or chart.max() > 1.0:
        raise BundleError(f"{bundle.path.name}: a probability map holds values outside [0, 1]")
    step = bundle.config.get("spacing_mm") or image.spacing_mm
    area = float(np.prod(step)) if step else 0.0
    labels, count = ndimage.label(chart >= float(bundle.config["mask_threshold"]))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * area
    kept = [i for i in range(1, count + 1) if sizes[i] >= float(bundle.config.get("min_component_mm2", 0.0))]
    mask = np.isin(labels, kept) if kept else np.zeros(chart.shape, dtype=bool)
    peak = float(chart[mask].max()) if kept else 0.0
    if finding.probability.get("features"):
        features = {"peak": peak, "log1p_area_cm2": float(np.log1p(mask.sum() * area / 100.0))}
        probability = study_probability(features, finding.probability)
    else:
        probability = peak
    if not kept:
        return Target(finding.name, probability, method_of(finding))
    rows, columns = np.nonzero(mask)
    drawn = native_mask(mask, image)
    every = np.zeros((len(images), *drawn.shape), dtype=bool)
    every[number] = drawn
    return Target(
        name=finding.name,
        probability=probability,
        method=method_of(finding),
        largest_diameter_mm=float(np.hypot(np.ptp(rows) * step[0], np.ptp(columns) * step[1]))
        if step
        else None,
        subtype=finding.subtype,
        # A SEG needs images of one size: with views of different sizes the mask is not filed.
        mask=every
        if len({i.pixels.shape for i in images}) == 1 and len({i.turns for i in images}) == 1
        else None,
        key=number,
    )
