"""Seconds that BLAST-CT takes for a whole head in Firstread, beside the package blast-ct 2.1.0 on the same voxels.

    PYTHONPATH=/tmp/blast_ct python benchmarks/blast_ct_speed.py [--runtime openvino] [--reference-tiles 1]

Firstread runs every tile that touches the skull's cavity of the real head CT. The package runs so many of its own tiles
(30 x 30 x 30) as it is shipped; the ratio is per voxel answered for. On a shared machine the processor's seconds and
the ratio mean something, the wall's do not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from blast_ct_reference import (
    HEAD,
    WEIGHTS,
    Clock,
    Reference,
    firstread_network,
    normalised,
    real_head,
    timed,
)

from triage.inference.deepmedic import BrainTiles, tile_corners
from triage.inference.runtimes import threads, use_cores


def main() -> None:
    """Time both and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=int, default=1)
    parser.add_argument("--dicom", type=Path, default=HEAD)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--reference-tiles", type=int, default=1)
    options = parser.parse_args()
    use_cores()
    weights = options.weights / f"model_{options.model}.pt"
    head = real_head(options.dicom)
    tiles = BrainTiles(runtime=options.runtime)
    network = firstread_network(weights)
    image = normalised(head.hu)
    corners = tile_corners(head.where, tiles.tile)
    inside = float(head.where.sum()) / 1e6
    voxels = len(corners) * int(np.prod(tiles.tile))
    clock, first = Clock(), Clock()
    with torch.inference_mode():
        found = tiles.tiles(image, head.where, network)
        next(found)  # compiles
        for _ in timed(found, clock):
            pass
        for _ in timed(tiles.tiles(image, head.where, network), first):
            break
    done = max(1, len(corners) - 1)
    per_voxel = clock.cpu / (voxels * done / len(corners))
    print(
        f"{os.cpu_count()} cores, {threads()} threads, load {os.getloadavg()[0]:.1f}; "
        f"{len(corners)} tiles of {tiles.tile}, "
        f"{voxels / 1e6:.2f} million voxels for {inside:.2f} million inside the skull"
    )
    print(
        f"Firstread, {options.runtime}: {clock.wall:.1f} s on the wall, {clock.cpu:.1f} s of processor for "
        f"{done} tiles; coarse paths and first tile {first.cpu:.1f} s of processor; {per_voxel * 1e6:.2f} us a voxel"
    )
    total = clock.cpu + first.cpu
    print(f"whole head: {total:.1f} s of processor, so {total / 2:.1f} s on 2 free cores")
    if options.reference_tiles:
        reference, theirs = Reference(head.hu, weights), Clock()
        wanted = reference.corners(head.where)
        wanted = wanted[len(wanted) // 2 :][: options.reference_tiles]
        for _ in timed((reference.tile(corner) for corner in wanted), theirs):
            pass
        slow = theirs.cpu / (len(wanted) * 30**3)
        print(
            f"blast-ct 2.1.0: {theirs.cpu:.1f} s of processor for {len(wanted)} tiles, {slow * 1e6:.1f} us a voxel"
        )
        print(f"ratio: {slow / per_voxel:.1f} times the package's speed")


if __name__ == "__main__":
    main()
