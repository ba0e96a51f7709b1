"""Train the demonstration network on samples kept as files."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import structlog
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

log = structlog.get_logger(__name__)

CROP = (24, 64, 64)


def use_threads(count: int) -> None:
    """Limit torch to ``count`` threads: the machine may have other work."""
    torch.set_num_threads(count)


def build(bundle: Path) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The untrained network and the preprocessing that the bundle's ``configs/inference.json`` describes."""
    parser = ConfigParser(json.loads((bundle / "configs" / "inference.json").read_text(encoding="utf-8")))
    return parser.get_parsed_content("network_def"), parser.get_parsed_content("preprocessing")


def train(
    bundle: Path,
    samples: Path,
    weights: Path,
    *,
    minutes: float,
    batch: int = 6,
    seed: int = 20260101,
    start_from: Path | None = None,
    peak_rate: float = 3e-3,
) -> int:
    """Train for ``minutes`` of wall time and write the averaged weights (a state_dict) to ``weights``.

    ``samples`` is a folder of train-*.npz, read again each round, so another process may go on adding to it.
    The rate rises and falls with the time spent. Weights are written every two minutes. Returns the number of
    steps. Raises FileNotFoundError when the folder holds no sample.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network, preprocessing = build(bundle)
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, map_location="cpu", weights_only=True))
    else:
        # Blood is rare: a network that starts by saying so does not spend its first steps learning it.
        for parameter in list(network.parameters())[-1:]:
            nn.init.constant_(parameter, -4.0)
    # Channels last trains a third faster on CPU.
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    network.train()
    averaged = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak_rate, weight_decay=1e-4)
    begin, saved, step, running = time.monotonic(), time.monotonic(), 0, 0.0
    while (spent := (time.monotonic() - begin) / 60.0) < minutes:
        files = sorted(samples.glob("train-*.npz"))
        if not files:
            raise FileNotFoundError(f"{samples} holds no train-*.npz: make samples first")
        for chosen in np.array_split(rng.permutation(len(files)), max(1, len(files) // batch)):
            spent = (time.monotonic() - begin) / 60.0
            if spent >= minutes:
                break
            for group in optimiser.param_groups:
                group["lr"] = _rate(spent / minutes, peak_rate)
            pairs = [_load(files[i], rng) for i in chosen]
            image = torch.stack(
                [torch.as_tensor(preprocessing(torch.from_numpy(hu)[None])) for hu, _ in pairs]
            )
            target = torch.stack([torch.from_numpy(t)[None] for _, t in pairs])
            image = image.as_subclass(Tensor).to(memory_format=torch.channels_last_3d)
            loss = _loss(network(image), target)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            step += 1
            _average(averaged, network, min(0.995, step / (step + 20.0)))
            running = 0.97 * running + 0.03 * loss.item() if step > 1 else loss.item()
            if step % 50 == 0:
                log.info(
                    "training", step=step, minutes=round(spent, 1), loss=round(running, 4), files=len(files)
                )
            if time.monotonic() - saved > 120.0:
                _save(averaged, weights)
                saved = time.monotonic()
    _save(averaged, weights)
    log.info("trained", steps=step, minutes=minutes, loss=round(running, 4))
    return step


def _rate(progress: float, peak: float) -> float:
    """Warm up over the first fiftieth, then fall along a cosine."""
    if progress < 0.02:
        return peak * (0.1 + 0.9 * progress / 0.02)
    return peak * (0.005 + 0.995 * 0.5 * (1.0 + float(np.cos(np.pi * (progress - 0.02) / 0.98))))


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy per voxel plus, where the batch holds blood, one minus its Dice."""
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    # Voxels of a bleed are rare: they count four times.
    loss = 10.0 * (entropy * (1.0 + 3.0 * target)).mean()
    if float(target.sum()) > 10.0:
        prob = torch.sigmoid(logits)
        overlap = 2.0 * (prob * target).sum() + 1.0
        loss = loss + 0.5 * (1.0 - overlap / (prob.sum() + target.sum() + 1.0))
    return loss


def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(value, alpha=1.0 - keep)
            else:
                mean.copy_(value)


def _save(network: nn.Module, weights: Path) -> None:
    partial = weights.with_suffix(".part")
    torch.save(network.state_dict(), partial)
    partial.replace(weights)


def _load(path: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One sample cut to CROP around the head, with cheap variation of grey values and side."""
    with np.load(path) as kept:
        hu = kept["hu"].astype(np.float32) / 8.0
        target = kept["target"].astype(np.float32) / 255.0
    # Voxels shared by blood and bone are not taught as blood: they look like any inner table.
    target *= hu < 130.0
    hu, target = crop(hu, target, rng)
    if rng.random() < 0.5:
        hu, target = hu[:, :, ::-1], target[:, :, ::-1]
    hu = hu * float(rng.uniform(0.96, 1.04)) + float(rng.normal(0.0, 1.5))
    if rng.random() < 0.4:
        hu = hu + rng.standard_normal(hu.shape, dtype=np.float32) * float(rng.uniform(0.0, 5.0))
    return np.ascontiguousarray(hu, dtype=np.float32), np.ascontiguousarray(target)


def crop(hu: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut or pad with air to CROP: two times in three around a voxel of blood where there is one.

    Otherwise around a voxel of tissue, so that air alone is rare.
    """
    blood = np.argwhere(target > 0.5)
    pool = blood if len(blood) and rng.random() < 0.67 else np.argwhere(hu > 0.0)
    centre = pool[rng.integers(len(pool))] if len(pool) else np.array(hu.shape) // 2
    for axis, size in enumerate(CROP):
        room = hu.shape[axis] - size
        if room > 0:
            jitter = int(rng.integers(-size // 3, size // 3 + 1))
            start = int(np.clip(centre[axis] - size // 2 + jitter, 0, room))
            hu = hu.take(range(start, start + size), axis=axis)
            target = target.take(range(start, start + size), axis=axis)
        elif room < 0:
            before = int(rng.integers(0, -room + 1))
            pad = [(before, -room - before) if a == axis else (0, 0) for a in range(3)]
            hu = np.pad(hu, pad, constant_values=-1000.0)
            target = np.pad(target, pad)
    return hu, target
