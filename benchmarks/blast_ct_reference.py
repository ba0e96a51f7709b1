"""The PyPI package blast-ct 2.1.0 as it is, tile by tile: what the other BLAST-CT benchmarks compare with.

It is no requirement of Firstread. To have it, in a folder of its own:

    uv pip install --no-deps --target /tmp/blast_ct blast-ct==2.1.0 pandas python-dateutil six
    PYTHONPATH=/tmp/blast_ct python benchmarks/blast_ct_equality.py
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import torch
from numpy.typing import NDArray

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from triage.inference.deepmedic import DeepMedic  # noqa: E402

SHARED_DATA = PROJECT.parent / "shared" / "data"
WEIGHTS = SHARED_DATA / "blast_ct_v1"
HEAD = SHARED_DATA / "head_ct_ge"
CLASSES = ("background", "intraparenchymal", "extra-axial", "oedema", "intraventricular")
INPUT, OUTPUT = (110, 110, 110), (30, 30, 30)

Corner = tuple[int, int, int]


@dataclass(frozen=True)
class Head:
    """A volume at 1 mm, HU [z, y, x], and where a bleed can be."""

    hu: NDArray[np.float32]
    where: NDArray[np.bool_]


def real_head(folder: Path = HEAD) -> Head:
    """The real head CT on Firstread's regular grid of 1 mm."""
    from triage.inference.cavity import analysable
    from triage.inference.slices import read_stack
    from triage.inference.volume import to_regular

    files = sorted(folder.glob("*.dcm"))
    if not files:
        raise SystemExit(f"{folder} holds no .dcm files: give another folder by --dicom")
    regular = to_regular(read_stack(files), (1.0, 1.0, 1.0))
    return Head(regular.array, analysable(regular.array, regular.spacing_mm))


class Reference:
    """The package's reader, its sampler and its network on one volume."""

    def __init__(self, hu: NDArray[np.float32], weights: Path) -> None:
        try:
            from blast_ct.assets import get_config_path
            from blast_ct.nifti.datasets import FullImageToOverlappingPatchesNiftiDataset
            from blast_ct.nifti.transformation import IntensityWindowNormalization
        except ImportError as error:
            raise SystemExit(f"{error}. {__doc__}") from error
        config = json.loads(Path(get_config_path()).read_text())
        self.network = _network(config)
        self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.network.eval()
        with tempfile.TemporaryDirectory() as folder:
            image = SimpleITK.GetImageFromArray(hu)
            SimpleITK.WriteImage(image, str(Path(folder) / "head.nii.gz"))
            table = Path(folder) / "table.csv"
            table.write_text(f"id,image\n0,{folder}/head.nii.gz\n")
            self.dataset = FullImageToOverlappingPatchesNiftiDataset(
                INPUT,
                OUTPUT,
                str(table),
                config["data"]["channels"],
                transformation=[
                    IntensityWindowNormalization(**values)
                    for values in config["data"]["transformation"].values()
                ],
                resolution=config["data"]["resolution"],
            )
            self.image = self.dataset.get_case(0)[0]
        if self.image.shape[1:] != hu.shape:
            raise SystemExit(f"the package made {self.image.shape[1:]} of a volume {hu.shape}")

    def corners(self, where: NDArray[np.bool_]) -> list[Corner]:
        """Corners of the package's own tiles that touch `where`."""
        _shape, centres = self.dataset.image_mapping[0]
        corners = [tuple(c - o // 2 for c, o in zip(centre, OUTPUT, strict=True)) for centre in centres]
        return [c for c in corners if where[c[0] : c[0] + 30, c[1] : c[1] + 30, c[2] : c[2] + 30].any()]

    def tile(self, corner: Corner) -> NDArray[np.float32]:
        """Probabilities [classes, 30, 30, 30] of one tile, by the package's sampler, network and softmax."""
        from blast_ct.trainer.model_trainer import predict_exclusive

        centre = tuple(c + o // 2 for c, o in zip(corner, OUTPUT, strict=True))
        patch = self.dataset.patch_sampler.get_image_patch(self.image, centre)
        with torch.inference_mode():
            logits, _ = self.network(torch.from_numpy(np.ascontiguousarray(patch))[None])
            probabilities, _ = predict_exclusive(logits)
        return probabilities[0].numpy()


def _network(config: dict[str, Any]) -> torch.nn.Module:
    from blast_ct.models.deepmedic import DeepMedic

    return DeepMedic(
        input_channels=config["data"]["input_channels"],
        num_classes=config["data"]["num_classes"],
        **config["model"]["DeepMedic"],
    )


@dataclass
class Clock:
    """Seconds on the wall and on the processor."""

    wall: float = 0.0
    cpu: float = 0.0


def timed(items: Iterator[Any], clock: Clock) -> Iterator[Any]:
    """The items, with the time that each took to come added to `clock`."""
    while True:
        wall, cpu = time.monotonic(), time.process_time()
        item = next(items, None)
        clock.wall += time.monotonic() - wall
        clock.cpu += time.process_time() - cpu
        if item is None:
            return
        yield item


def firstread_network(weights: Path) -> DeepMedic:
    """Firstread's DeepMedic with these weights."""
    network = DeepMedic()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.eval()
    return network


def normalised(hu: NDArray[np.float32]) -> torch.Tensor:
    """HU [z, y, x] as the network takes it in, [1, 1, z, y, x]: -15..100 HU to -1..1, as models/blast_ct does."""
    return torch.from_numpy((np.clip(hu, -15.0, 100.0) * 2.0 - 85.0) / 115.0)[None, None]
