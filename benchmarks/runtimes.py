"""The demonstration model by torch and by OpenVINO: the same probabilities, and how many times as fast.

    python benchmarks/runtimes.py [--rounds 5] [--threads 2]

The input is a synthetic head with a bleed on the model's own grid. Both run in turn, round by round, so that a busy
machine slows both; processor seconds are told beside the wall's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
CEILING = 1e-4


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    wall, cpu = time.monotonic(), time.process_time()
    call()
    return time.monotonic() - wall, time.process_time() - cpu


def main() -> None:
    """Compare and print; exit 1 where the answers differ by more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=PROJECT / "models" / "ich_demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        os.environ["FIRSTREAD_TORCH_THREADS"] = str(options.threads)

    from pacs.synthetic.heads import make_head
    from triage.inference.bundle import load_bundle
    from triage.inference.runtimes import accelerate, threads, use_cores

    use_cores()
    bundle = load_bundle(options.bundle)
    head = make_head(seed=11, spacing_mm=bundle.spacing_mm)
    hu = torch.from_numpy(np.ascontiguousarray(head.hu, dtype=np.float32))[None]
    with torch.inference_mode():
        prepared = torch.as_tensor(bundle.preprocessing(hu))[None]
        fast = accelerate(bundle.network, prepared, prefer="openvino")
        expected = torch.as_tensor(bundle.postprocessing(bundle.network(prepared)[0]))
        found = torch.as_tensor(bundle.postprocessing(fast(prepared)[0]))
        difference = float((expected - found).abs().max())
        times: dict[str, list[tuple[float, float]]] = {"torch": [], fast.name: []}
        for _ in range(options.rounds):
            times["torch"].append(seconds(lambda: bundle.network(prepared)))
            times[fast.name].append(seconds(lambda: fast(prepared)))
    print(
        f"{options.bundle.name}, input {tuple(prepared.shape)}, {threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"largest difference of a probability: {difference:.2e} (probabilities from {float(expected.min()):.2e} "
        f"to {float(expected.max()):.3f})"
    )
    medians = {}
    for name, runs in times.items():
        wall, cpu = (statistics.median(values) for values in zip(*runs, strict=True))
        medians[name] = (wall, cpu)
        print(f"{name:<9} {wall:7.3f} s on the wall, {cpu:7.3f} s of processor (median of {len(runs)})")
    if fast.name != "torch":
        wall, cpu = (medians["torch"][n] / medians[fast.name][n] for n in (0, 1))
        print(f"{fast.name} is {wall:.2f} times as fast on the wall, {cpu:.2f} times by processor seconds")
    raise SystemExit(int(difference > CEILING))


if __name__ == "__main__":
    main()
