"""Do batches pay on a CPU? Heads one by one against batches of 2 and 4, by OpenVINO, in heads a minute.

    python benchmarks/batches.py [--rounds 5] [--threads 2]

The network of the demonstration model on synthetic heads of one size, which is the best case for a batch: heads of
different sizes would be padded as well. All sizes of batch take turns, so that a busy machine slows each; processor
seconds a head are told beside the wall's, and how long the first head of a batch waits for its answer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
SIZES = (1, 2, 4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=PROJECT / "models" / "ich_demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        os.environ["FIRSTREAD_TORCH_THREADS"] = str(options.threads)

    from pacs.synthetic.heads import make_head
    from triage.inference.bundle import load_bundle
    from triage.inference.runtimes import accelerate, threads

    bundle = load_bundle(options.bundle)
    head = make_head(seed=11, spacing_mm=bundle.spacing_mm)
    hu = torch.from_numpy(np.ascontiguousarray(head.hu, dtype=np.float32))[None]
    prepared = torch.as_tensor(bundle.preprocessing(hu))[None]
    fast = accelerate(bundle.network, prefer="openvino")
    batches = {size: prepared.repeat(size, 1, 1, 1, 1) for size in SIZES}
    alone = fast(prepared)
    for batch in batches.values():  # compiled, and the answers the same
        difference = float((fast(batch) - alone).abs().max())
        assert difference < 1e-3, difference
    wall: dict[int, list[float]] = {size: [] for size in SIZES}
    cpu: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(options.rounds):
        for size, batch in batches.items():
            began, used = time.monotonic(), time.process_time()
            for _ in range(max(SIZES) // size):
                fast(batch)
            wall[size].append((time.monotonic() - began) / max(SIZES))
            cpu[size].append((time.process_time() - used) / max(SIZES))
    load = os.getloadavg()[0]
    print(
        f"{options.bundle.name} by {fast.name}, input {tuple(prepared.shape)}, {threads()} threads, load {load:.1f}"
    )
    one = statistics.median(cpu[1])
    for size in SIZES:
        seconds, used = statistics.median(wall[size]), statistics.median(cpu[size])
        print(
            f"batches of {size}: {seconds:.3f} s of wall and {used:.3f} s of processor a head "
            f"({used / one:.2f} of one by one), {60.0 / seconds:.0f} heads a minute; "
            f"the first head waits {seconds * size:.2f} s"
        )


if __name__ == "__main__":
    main()
