"""Train small classifiers on arrays in memory, calibrate them, and measure them with intervals."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triage.evaluation.intervals import wilson
from triage.inference.training.fit import build

log = structlog.get_logger(__name__)

Images = NDArray[np.floating[Any]]
Labels = NDArray[np.float32]
Change = Callable[[Images, np.random.Generator], Images]
PEAK_RATE = 2e-3


@dataclass(frozen=True)
class Fitted:
    """How a training went: passes over the samples, steps, seconds, mean loss of the last pass."""

    epochs: int
    steps: int
    seconds: float
    loss: float


def train_classifier(
    bundle: Path,
    images: Sequence[Images],
    labels: Labels,
    change: Change,
    weights: Path,
    *,
    epochs: int,
    batch: int = 8,
    seed: int = 20260102,
) -> Fitted:
    """Train the network of the bundle's configs/inference.json and write its averaged weights.

    Args:
        bundle: the bundle's folder.
        images: as the house gives them to the bundle, [1, row, column] or [1, z, y, x] each.
        labels: 0 or 1, [image, output].
        change: a new version of an image each time that it is shown.
        weights: where the state_dict goes.
        epochs: passes; the rate rises over the first tenth and falls to nothing.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network, preprocessing = build(bundle)
    layout = torch.channels_last_3d if images[0].ndim == 4 else torch.channels_last
    network.to(memory_format=layout)  # type: ignore[call-overload]
    network.train()
    averaged = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
    steps = epochs * math.ceil(len(images) / batch)
    began, step, mean = time.monotonic(), 0, 0.0
    for epoch in range(epochs):
        losses = []
        order = rng.permutation(len(images))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            shown = [torch.from_numpy(np.ascontiguousarray(change(images[i], rng))) for i in chosen]
            x = torch.stack([torch.as_tensor(preprocessing(image)) for image in shown])
            for group in optimiser.param_groups:
                group["lr"] = _rate(step / steps)
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(x.to(memory_format=layout)), torch.from_numpy(labels[chosen])
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            step += 1
            _average(averaged, network, min(0.99, step / (step + 10)))
            losses.append(loss.item())
        mean = float(np.mean(losses))
        log.info("classifier_epoch", epoch=epoch + 1, loss=round(mean, 4))
    weights.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous().clone() for name, value in averaged.state_dict().items()}
    torch.save(state, weights)
    return Fitted(epochs, step, round(time.monotonic() - began, 1), round(mean, 4))


def platt(probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept that make logits of probabilities calibrated (Platt 1999, with his targets)."""
    x = torch.from_numpy(logits(probabilities)).double()
    hits, misses = float(truth.sum()), float((~truth).sum())
    target = torch.from_numpy(np.where(truth, (hits + 1) / (hits + 2), 1 / (misses + 2))).double()
    line = torch.tensor([1.0, 0.0], dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([line], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(line[0] * x + line[1], target)
        loss.backward()
        return loss

    optimiser.step(closure)
    slope, intercept = (float(v) for v in line.detach())
    return round(slope, 4), round(intercept, 4)


def logits(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Log odds, kept finite."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def thresholds(
    probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_], *, specificity: float
) -> tuple[float, float]:
    """For ranking: the lowest with the wanted specificity; for alerting: above every negative, or 0.5 more.

    Both from the calibration set, rounded up to hundredths and kept within 0.05 and 0.95.
    """
    negatives = np.sort(probabilities[~truth])
    rank = float(negatives[min(len(negatives) - 1, math.ceil(specificity * len(negatives)))])
    alert = max(rank, float(negatives[-1]), 0.5)
    return _tidy(rank), max(_tidy(rank), _tidy(alert))


def measure(
    probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_], threshold: float
) -> dict[str, Any]:
    """Sensitivity and specificity at a threshold with their 95 % intervals, and the area under the ROC."""
    flagged = probabilities >= threshold
    return {
        "sensitivity": share(int((flagged & truth).sum()), int(truth.sum())),
        "specificity": share(int((~flagged & ~truth).sum()), int((~truth).sum())),
        "auc": _auc(probabilities, truth),
    }


def share(hits: int, of: int) -> dict[str, float | int | None]:
    """A share with Wilson's 95 % interval."""
    found = wilson(hits, of)
    if found is None:
        return {"value": None, "low": None, "high": None, "hits": hits, "of": of}
    value, low, high = (round(v, 4) for v in (found.value, found.low, found.high))
    return {"value": value, "low": low, "high": high, "hits": hits, "of": of}


def _auc(probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> float | None:
    positive, negative = probabilities[truth], probabilities[~truth]
    if not len(positive) or not len(negative):
        return None
    wins = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    return round(float(wins), 4)


def _tidy(value: float) -> float:
    return min(0.95, max(0.05, math.ceil(100.0 * value) / 100.0))


def _rate(part: float) -> float:
    if part < 0.1:
        return PEAK_RATE * max(0.02, part / 0.1)
    return PEAK_RATE * 0.5 * (1.0 + math.cos(math.pi * (part - 0.1) / 0.9))


def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for kept, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.mul_(keep).add_(new, alpha=1.0 - keep)
            else:
                kept.copy_(new)
