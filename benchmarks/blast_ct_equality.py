"""Firstread's run of BLAST-CT beside the package blast-ct 2.1.0: same weights, same volume, same labels?

    PYTHONPATH=/tmp/blast_ct python benchmarks/blast_ct_equality.py [--model 1] [--all-tiles] [--as-shipped 2]

Both take the real head CT at 1 mm. The package's own reader, sampler and network run the tiles of 30 x 30 x 30 that
touch the skull's cavity (with --all-tiles every tile), with subnormal numbers flushed to zero, a setting of torch
without which a tile takes some thirty times as long; --as-shipped runs so many tiles without it as well. Compared are
the voxels that both computed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from blast_ct_reference import CLASSES, HEAD, WEIGHTS, Reference, firstread_network, normalised, real_head

from triage.inference.deepmedic import BrainTiles


def main() -> None:
    """Run both and print the comparison; exit 1 where they differ by more than is claimed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=int, default=1)
    parser.add_argument("--dicom", type=Path, default=HEAD)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--all-tiles", action="store_true")
    parser.add_argument("--as-shipped", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)  # flushing is set by thread
    weights = options.weights / f"model_{options.model}.pt"
    head = real_head(options.dicom)
    reference = Reference(head.hu, weights)
    corners = reference.corners(np.ones_like(head.where) if options.all_tiles else head.where)
    network = firstread_network(weights)
    ours = BrainTiles(runtime=options.runtime).run(normalised(head.hu), head.where, network)[0].numpy()
    both = np.zeros(head.hu.shape, dtype=bool)
    labels = np.zeros(head.hu.shape, dtype=np.uint8)
    largest = 0.0
    outside_ml = np.zeros(len(CLASSES))
    torch.set_flush_denormal(True)
    for corner in corners:
        theirs = reference.tile(corner)
        box = tuple(slice(c, c + 30) for c in corner)
        z, y, x = ours[0][box].shape
        theirs = theirs[:, :z, :y, :x]
        both[box] = head.where[box]
        labels[box] = theirs.argmax(axis=0)
        inside = head.where[box]
        largest = max(largest, float(np.abs(theirs - ours[(slice(None), *box)])[:, inside].max(initial=0.0)))
        outside_ml += np.bincount(labels[box][~inside].ravel(), minlength=5) / 1000.0
    torch.set_flush_denormal(False)
    print(
        f"model_{options.model}, {options.dicom.name}, {head.hu.shape} at 1 mm, {len(corners)} tiles of the package"
    )
    print(f"compared: {both.sum() / 1000:.0f} mL inside the skull of {head.where.sum() / 1000:.0f} mL")
    mine = ours.argmax(axis=0)
    failed = False
    for index, name in enumerate(CLASSES):
        a, b = (labels == index) & both, (mine == index) & both
        dice = 2.0 * (a & b).sum() / max(1, a.sum() + b.sum())
        ratio = b.sum() / a.sum() if a.sum() else float("nan")
        print(
            f"{name:<17} package {a.sum() / 1000:9.3f} mL  Firstread {b.sum() / 1000:9.3f} mL  ratio {ratio:.5f}"
            f"  Dice {dice:.5f}  (package outside the skull: {outside_ml[index]:.3f} mL)"
        )
        failed |= bool(a.sum() or b.sum()) and (dice < 0.99 or not 0.99 <= ratio <= 1.01)
    print(
        f"voxels with another label: {int(((labels != mine) & both).sum())}; largest difference of a probability "
        f"{largest:.2e}"
    )
    shipped = 0.0
    for corner in corners[len(corners) // 2 :][: options.as_shipped]:
        box = tuple(slice(c, c + 30) for c in corner)
        theirs = reference.tile(corner)[
            :, : ours[0][box].shape[0], : ours[0][box].shape[1], : ours[0][box].shape[2]
        ]
        shipped = max(
            shipped, float(np.abs(theirs - ours[(slice(None), *box)])[:, head.where[box]].max(initial=0.0))
        )
    if options.as_shipped:
        print(f"{options.as_shipped} tiles without flushing: largest difference {shipped:.2e}")
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
