"""Train the demonstration network on samples kept as files."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from triage.inference.training.variation import vary_crop

log = structlog.get_logger(__name__)

SEED = 20260101
CROP = (24, 64, 64)
# Part of the voxels of a crop, those that the network gets most wrong, that count once more.
_HARDEST = 0.005
_BONE_HU = 200.0


def use_threads(count: int) -> None:
    """Limit torch to ``count`` threads: the machine may have other work."""
    torch.set_num_threads(count)


def build(bundle: Path) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The untrained network and the preprocessing that the bundle's ``configs/inference.json`` describes."""
    parser = ConfigParser(json.loads((bundle / "configs" / "inference.json").read_text(encoding="utf-8")))
    return parser.get_parsed_content("network_def"), parser.get_parsed_content("preprocessing")


@dataclass(frozen=True)
class _Plan:
    bundle: Path
    samples: Path
    weights: Path
    minutes: float
    batch: int
    seed: int
    peak_rate: float


def train(
    bundle: Path,
    samples: Path,
    weights: Path,
    *,
    minutes: float,
    batch: int = 4,
    seed: int = SEED,
    start_from: Path | None = None,
    peak_rate: float = 1.5e-3,
    workers: int = 1,
) -> int:
    """Train for ``minutes`` of wall time and write the averaged weights (a state_dict) to ``weights``.

    ``samples`` is a folder of train-*.npz. With two ``workers`` or more, that many threads take steps on one
    shared network without waiting for each other: on a busy machine threads that share each step would stand
    and wait. The rate rises and falls with the time spent. Weights are written every two minutes. Returns the
    number of steps. Raises FileNotFoundError when the folder holds no sample.
    """
    if not any(samples.glob("train-*.npz")):
        raise FileNotFoundError(f"{samples} holds no train-*.npz: make samples first")
    torch.manual_seed(seed)
    network, _ = build(bundle)
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, map_location="cpu", weights_only=True))
    else:
        # Blood is rare: a network that starts by saying so does not spend its first steps learning it.
        for parameter in list(network.parameters())[-1:]:
            nn.init.constant_(parameter, -4.0)
    # Channels last trains a third faster on CPU.
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    plan = _Plan(bundle, samples, weights, minutes, batch, seed, peak_rate)
    steps = [0] * workers
    if workers == 1:
        _learn(0, network, steps, plan)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(_learn, n, _sharing(network), steps, plan) for n in range(workers)]:
                done.result()
    log.info("trained", steps=sum(steps), minutes=minutes)
    return sum(steps)


def _sharing(network: nn.Module) -> nn.Module:
    """The same network with gradients of its own: its weights lie where those of ``network`` lie."""
    other = copy.deepcopy(network)
    for mine, shared in zip(_tensors(other), _tensors(network), strict=True):
        mine.data = shared.data
    return other


def _learn(worker: int, network: nn.Module, steps: list[int], plan: _Plan) -> None:
    """Take steps until the time is over; the first worker keeps and writes the average."""
    if len(steps) > 1:
        torch.set_num_threads(1)
    rng = np.random.default_rng([plan.seed, worker])
    _, preprocessing = build(plan.bundle)
    network.train()
    averaged = copy.deepcopy(network) if worker == 0 else None
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.peak_rate, weight_decay=1e-4)
    half = _half_precision_is_fast()
    begin, saved, step, running = time.monotonic(), time.monotonic(), 0, 0.0
    with ThreadPoolExecutor(1) as ahead:
        batches = _batches(plan.samples, plan.batch, preprocessing, rng)
        coming = ahead.submit(next, batches)
        while (spent := (time.monotonic() - begin) / 60.0) < plan.minutes:
            image, target = coming.result()
            coming = ahead.submit(next, batches)
            for group in optimiser.param_groups:
                group["lr"] = _rate(spent / plan.minutes, plan.peak_rate)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                logits = network(image.to(memory_format=torch.channels_last_3d))
            loss = _loss(logits.float(), target)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            step += 1
            steps[worker] = step
            running = 0.98 * running + 0.02 * loss.item() if step > 1 else loss.item()
            if averaged is not None:
                _average(averaged, network, min(0.995, step / (step + 20.0)))
                if step % 100 == 0:
                    log.info("training", steps=sum(steps), minutes=round(spent, 1), loss=round(running, 4))
                if time.monotonic() - saved > 120.0:
                    _save(averaged, plan.weights)
                    saved = time.monotonic()
    if averaged is not None:
        _save(averaged, plan.weights)


def _half_precision_is_fast() -> bool:
    """Has this processor instructions for bfloat16? They train more than twice as fast."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _batches(
    samples: Path, batch: int, preprocessing: Callable[[Tensor], Tensor], rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Crops and their targets, [batch, channel, z, y, x], without end, each sample once a round."""
    while True:
        files = sorted(samples.glob("train-*.npz"))
        for chosen in np.array_split(rng.permutation(len(files)), max(1, len(files) // batch)):
            pairs = [_load(files[i], rng) for i in chosen]
            image = [torch.as_tensor(preprocessing(torch.from_numpy(hu)[None])) for hu, _ in pairs]
            target = [torch.from_numpy(t)[None] for _, t in pairs]
            yield torch.stack(image).as_subclass(Tensor), torch.stack(target)


def _rate(progress: float, peak: float) -> float:
    """Warm up over the first fiftieth, then fall along a cosine."""
    if progress < 0.02:
        return peak * (0.1 + 0.9 * progress / 0.02)
    return peak * (0.005 + 0.995 * 0.5 * (1.0 + float(np.cos(np.pi * (progress - 0.02) / 0.98))))


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy, once more over the hardest voxels of each crop, and one minus Dice of each crop with blood.

    Taken crop by crop, so that a thin bleed counts as much as a large one beside it in the batch.
    """
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1)
    hardest = entropy.topk(max(1, int(_HARDEST * entropy.shape[1])), dim=1).values
    loss = 4.0 * entropy.mean() + 0.25 * hardest.mean()
    truth = target.flatten(1)
    bleeding = truth.sum(dim=1) > 10.0
    if bool(bleeding.any()):
        prob, truth = torch.sigmoid(logits).flatten(1)[bleeding], truth[bleeding]
        overlap = (2.0 * (prob * truth).sum(dim=1) + 5.0) / (prob.sum(dim=1) + truth.sum(dim=1) + 5.0)
        loss = loss + (1.0 - overlap).sum() / len(target)
    return loss


def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    with torch.no_grad():
        # Not by state_dict: there a layer that a network names twice stands twice.
        for mean, value in zip(_tensors(averaged), _tensors(network), strict=True):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(value, alpha=1.0 - keep)
            else:
                mean.copy_(value)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _save(network: nn.Module, weights: Path) -> None:
    partial = weights.with_suffix(".part")
    torch.save(network.state_dict(), partial)
    partial.replace(weights)


def _load(path: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One sample cut to CROP, with cheap variation of grey values and side."""
    with np.load(path) as kept:
        # Cut before anything else: most of a scan is not used this time.
        eighths, parts = crop(kept["hu"], kept["target"], rng)
    hu, target = eighths.astype(np.float32) / 8.0, parts.astype(np.float32) / 255.0
    # Voxels that are mostly bone are not taught as blood: they look like any inner table.
    target *= hu < _BONE_HU
    if rng.random() < 0.5:
        hu, target = hu[:, :, ::-1], target[:, :, ::-1]
    return np.ascontiguousarray(vary_crop(hu, rng), dtype=np.float32), np.ascontiguousarray(target)


def crop(eighths: np.ndarray, parts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut or pad with air to CROP: two times in three around a voxel of blood where there is one.

    Otherwise around a voxel of soft tissue, so that air alone is rare. Arrays are as samples keep them: int16 in
    eighths of one HU, uint8 in 255ths.
    """
    pool = np.flatnonzero(parts > 127) if rng.random() < 0.67 else np.array([], dtype=np.intp)
    if not len(pool):
        pool = np.flatnonzero((eighths > 0) & (eighths < 800))
    centre = (
        np.array(np.unravel_index(pool[rng.integers(len(pool))], parts.shape))
        if len(pool)
        else np.array(parts.shape) // 2
    )
    box: list[slice] = []
    pad: list[tuple[int, int]] = []
    for middle, size, length in zip(centre, CROP, parts.shape, strict=True):
        room = length - size
        if room > 0:
            jitter = int(rng.integers(-size // 3, size // 3 + 1))
            start = int(np.clip(middle - size // 2 + jitter, 0, room))
            box.append(slice(start, start + size))
            pad.append((0, 0))
        else:
            before = int(rng.integers(0, -room + 1))
            box.append(slice(None))
            pad.append((before, -room - before))
    cut = tuple(box)
    return np.pad(eighths[cut], pad, constant_values=-8000), np.pad(parts[cut], pad)
