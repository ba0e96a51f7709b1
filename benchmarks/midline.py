"""How far midline shift can be trusted: `python benchmarks/midline.py [--heads 60]`.

Measures synthetic heads whose septum was moved by a known amount and prints error, share within the stated
uncertainty, share measured at all, seconds. Made heads say nothing about patients: no real head with a measured
shift is at hand.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.triage.shifted_heads import SPACING_MM, shifted_head
from triage.inference.midline import midline_shift

FIRST_SEED = 70_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, default=60)
    count = parser.parse_args().heads
    draw = np.random.default_rng(FIRST_SEED)
    rows, seconds, reasons = [], [], []
    for number in range(count):
        push = 0.0 if number % 3 == 0 else float(draw.choice([-1.0, 1.0]) * draw.uniform(2.0, 12.0))
        head = shifted_head(FIRST_SEED + number, push)
        began = time.monotonic()
        found = midline_shift(head.hu, SPACING_MM)
        seconds.append(time.monotonic() - began)
        if found.shift_mm is None or found.uncertainty_mm is None:
            reasons.append(found.reason)
        else:
            rows.append((head.shift_mm, found.shift_mm, found.uncertainty_mm, push))
    true, said, within, pushed = np.array(rows).T
    error = said - true
    still = (pushed == 0.0) & (np.abs(true) < 1.5)
    print(
        f"heads                         {count}, {int(still.sum())} of the measured with less than 1.5 mm of their own"
    )
    print(f"measured                      {len(rows)} ({len(rows) / count:.0%})")
    print(
        f"error mean / sd / largest     {error.mean():+.2f} / {error.std():.2f} / {np.abs(error).max():.2f} mm"
    )
    covered = float((np.abs(error) <= within).mean())
    print(f"within stated uncertainty     {covered:.0%}   target 95 %   ratio {covered / 0.95:.2f}")
    print(f"stated uncertainty, median    {np.median(within):.1f} mm")
    below = float((np.abs(said[still]) < 2.0).mean())
    print(f"those measured below 2 mm     {below:.0%}   target 100 %  ratio {below:.2f}")
    far = np.abs(true) >= 3.0
    print(f"side right from 3 mm          {float((np.sign(said) == np.sign(true))[far].mean()):.0%}")
    print(f"5 mm told apart (>= 5 mm)     {_agreement(true, said):.0%} of heads more than 1 mm away from it")
    print(f"seconds a head, median        {np.median(seconds):.2f}")
    for reason in sorted(set(reasons)):
        print(f"not measured: {reason} ({reasons.count(reason)})")


def _agreement(true: np.ndarray, said: np.ndarray) -> float:
    clear = np.abs(np.abs(true) - 5.0) > 1.0
    return float(((np.abs(true) >= 5.0) == (np.abs(said) >= 5.0))[clear].mean())


if __name__ == "__main__":
    main()
