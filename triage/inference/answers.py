"""From what a network answers about a volume to targets: by kind, and by whole volume or windows of slices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.inference.analysis import Target
from triage.inference.boxes import Boxes
from triage.inference.bundle import BundleError, LoadedBundle
from triage.inference.extract import study_probability
from triage.inference.segmentation import segmented
from triage.inference.volume import RegularVolume, SliceStack
from triage.targets import TargetFinding, targets

AS_ANSWERED: Final = "as the network says"
MOST_BOXES: Final = 10
Floats = NDArray[np.float64]


def ask_about_volume(
    bundle: LoadedBundle, regular: RegularVolume, stack: SliceStack
) -> Callable[[], tuple[Target, ...]]:
    """Ask a 3D or 2.5D bundle about a regular volume; what is returned makes targets of its answer.

    Two steps, because they cost differently and are told apart in a run's timings.

    Raises:
        BundleError: the answer does not fit the bundle's kind; from either step.
    """
    windows = bundle.dimensions == 2.5
    if bundle.kind == "segmentation":
        maps = _maps_by_window(bundle, regular) if windows else bundle.maps(regular.array)
        _need_channels(bundle, maps.shape[0])
        return partial(segmented, maps, regular, stack, bundle.config)
    if bundle.kind == "classification":
        if windows:
            return partial(
                _classified_by_window, bundle, *_answers_by_window(bundle, regular), regular, stack
            )
        answer = bundle.ask(regular.array[None]).reshape(-1).numpy()
        return partial(classified, bundle, [answer], [None])
    boxes = _boxes_by_slice(bundle, regular) if windows else bundle.boxes(regular.array[None])
    return partial(_detected, bundle, boxes, regular, stack)


def classified(
    bundle: LoadedBundle, answers: Sequence[NDArray[Any]], keys: Sequence[int | None], note: str = ""
) -> tuple[Target, ...]:
    """One target a finding from the answers on one or more inputs, each [output]; the highest speaks.

    Args:
        answers: values in 0 to 1.
        keys: the source frame behind each answer.
        note: added to the method in words.
    """
    table = np.stack(answers).astype(np.float64)
    _need_channels(bundle, table.shape[1])
    if table.min() < 0.0 or table.max() > 1.0:
        raise BundleError(f"{bundle.path.name}: a classifier's answers must lie in 0 to 1")
    found = []
    for finding in targets(bundle.config):
        values = table[:, finding.output]
        best = int(values.argmax())
        found.append(
            Target(
                name=finding.name,
                probability=calibrated(float(values[best]), finding),
                method=method_of(finding) + note,
                subtype=finding.subtype,
                key=keys[best],
            )
        )
    return tuple(found)


def calibrated(value: float, finding: TargetFinding) -> float:
    """A network's value, through the finding's logistic rule on its `logit` where it has one."""
    if not finding.probability.get("features"):
        return value
    inside = min(max(value, 1e-6), 1.0 - 1e-6)
    logit = math.log(inside / (1.0 - inside))
    return study_probability({"logit": logit, "value": value}, finding.probability)


def method_of(finding: TargetFinding) -> str:
    """How a value became a probability, in words."""
    default = "logistic on the network's logit" if finding.probability.get("features") else AS_ANSWERED
    return str(finding.probability.get("method", default))


def _windows(bundle: LoadedBundle, regular: RegularVolume) -> tuple[int, list[int]]:
    """Slices in a window, and the middle slice of each window that is asked."""
    wanted = bundle.config.get("window", {})
    slices, stride = int(wanted.get("slices", 3)), int(wanted.get("stride", 1))
    if slices < 1 or slices % 2 == 0 or stride < 1:
        raise BundleError(
            f"{bundle.path.name}: a window has an odd number of slices and a stride of 1 or more"
        )
    return slices, list(range(0, len(regular.array), stride))


def _window(regular: RegularVolume, middle: int, slices: int) -> NDArray[np.float32]:
    """[slice, y, x]; beyond its ends the volume's last slice is repeated."""
    around = np.arange(middle - slices // 2, middle + slices // 2 + 1)
    return regular.array[np.clip(around, 0, len(regular.array) - 1)]


def _maps_by_window(bundle: LoadedBundle, regular: RegularVolume) -> NDArray[np.float32]:
    slices, middles = _windows(bundle, regular)
    if len(middles) != len(regular.array):
        raise BundleError(f"{bundle.path.name}: a segmentation by windows needs a stride of 1")
    shape = regular.array.shape[1:]
    planes = [bundle.cropped(bundle.ask(_window(regular, m, slices)), shape) for m in middles]
    return np.stack(planes, axis=1)


def _answers_by_window(bundle: LoadedBundle, regular: RegularVolume) -> tuple[NDArray[Any], list[int]]:
    slices, middles = _windows(bundle, regular)
    return np.stack([bundle.ask(_window(regular, m, slices)).reshape(-1).numpy() for m in middles]), middles


def _classified_by_window(
    bundle: LoadedBundle,
    answers: NDArray[Any],
    middles: Sequence[int],
    regular: RegularVolume,
    stack: SliceStack,
) -> tuple[Target, ...]:
    _need_channels(bundle, answers.shape[1])
    keys = [_native(regular, stack, (m, *(n / 2 for n in regular.array.shape[1:]))) for m in middles]
    top = max(1, int(bundle.config.get("window", {}).get("mean_of_highest", 1)))
    note = ", highest window" if top == 1 else f", mean of the {top} highest windows"
    found = []
    for target, finding in zip(
        classified(bundle, list(answers), keys, note), targets(bundle.config), strict=True
    ):
        highest = np.sort(answers[:, finding.output])[-top:]
        found.append(replace(target, probability=calibrated(float(highest.mean()), finding)))
    return tuple(found)


def _boxes_by_slice(bundle: LoadedBundle, regular: RegularVolume) -> Boxes:
    """Boxes found slice by slice, as flat boxes in the volume; overlapping ones in neighbours become one."""
    slices, middles = _windows(bundle, regular)
    joined: list[tuple[Floats, float, int]] = []
    for middle in middles:
        found = bundle.boxes(_window(regular, middle, slices))
        for flat, score, label in zip(found.corners, found.scores, found.labels, strict=True):
            box = np.array([middle, flat[0], flat[1], middle + 1.0, flat[2], flat[3]])
            for number, (other, best, name) in enumerate(joined):
                if name == label and other[3] >= middle - 1 and _overlap(other, box) > 0.5:
                    whole = np.r_[np.minimum(other[:3], box[:3]), np.maximum(other[3:], box[3:])]
                    joined[number] = (whole, max(best, float(score)), name)
                    break
            else:
                joined.append((box, float(score), int(label)))
    return Boxes(
        np.array([box for box, _, _ in joined]).reshape(-1, 6),
        np.array([score for _, score, _ in joined]),
        np.array([label for _, _, label in joined], dtype=np.int64),
    )


def _overlap(a: Floats, b: Floats) -> float:
    """Intersection over the smaller of both, in the plane: a lesion's ends are smaller than its middle."""
    low, high = np.maximum(a[1:3], b[1:3]), np.minimum(a[4:6], b[4:6])
    common = float(np.prod(np.clip(high - low, 0.0, None)))
    smaller = min(float(np.prod(a[4:6] - a[1:3])), float(np.prod(b[4:6] - b[1:3])))
    return common / max(smaller, 1e-9)


def _detected(
    bundle: LoadedBundle, boxes: Boxes, regular: RegularVolume, stack: SliceStack
) -> tuple[Target, ...]:
    """A target for each box at or above its finding's threshold, the best first; one without a box else."""
    found: list[Target] = []
    for finding, chosen in best_boxes(bundle, boxes):
        if not chosen:
            highest = boxes.scores[boxes.labels == finding.output]
            value = calibrated(float(highest.max()), finding) if len(highest) else 0.0
            found.append(Target(name=finding.name, probability=value, method=method_of(finding)))
        for number, probability in chosen:
            found.append(_boxed(finding, probability, boxes.corners[number], regular, stack))
    return tuple(found)


def best_boxes(bundle: LoadedBundle, boxes: Boxes) -> list[tuple[TargetFinding, list[tuple[int, float]]]]:
    """By finding: the numbers of its boxes at or above its rank threshold and their probabilities."""
    answer = []
    for finding in targets(bundle.config):
        mine = [
            (int(number), calibrated(float(boxes.scores[number]), finding))
            for number in np.flatnonzero(boxes.labels == finding.output)
        ]
        above = sorted((one for one in mine if one[1] >= finding.rank_threshold), key=lambda one: -one[1])
        answer.append((finding, above[: int(bundle.config.get("most_boxes", MOST_BOXES))]))
    return answer


def _boxed(
    finding: TargetFinding, probability: float, corners: Floats, regular: RegularVolume, stack: SliceStack
) -> Target:
    # A box counts from the outer face of the first voxel, a voxel index from its centre.
    low, high = regular.points_of(corners[:3] - 0.5), regular.points_of(corners[3:] - 0.5)
    middle = (corners[:3] + corners[3:]) / 2.0 - 0.5
    x0, y0, z0, x1, y1, z1 = (round(float(v), 1) for v in (*low, *high))
    x, y, z = (round(float(v), 1) for v in (low + high) / 2.0)
    return Target(
        name=finding.name,
        probability=probability,
        method=method_of(finding),
        subtype=finding.subtype,
        largest_diameter_mm=float(np.hypot(high[0] - low[0], high[1] - low[1])),
        centroid_lps_mm=(x, y, z),
        box_lps_mm=(x0, y0, z0, x1, y1, z1),
        key=_native(regular, stack, (float(middle[0]), float(middle[1]), float(middle[2]))),
    )


def _native(regular: RegularVolume, stack: SliceStack, voxel: Sequence[float]) -> int:
    """The native slice nearest to a voxel (z, y, x) of the regular volume."""
    depth = float(regular.points_of(np.asarray(voxel, dtype=np.float64)) @ stack.normal)
    return int(np.abs(stack.depths_mm - depth).argmin())


def _need_channels(bundle: LoadedBundle, channels: int) -> None:
    wanted = max(finding.output for finding in targets(bundle.config)) + 1
    if channels < wanted:
        raise BundleError(
            f"{bundle.path.name}: {channels} outputs for findings that name output {wanted - 1}"
        )
