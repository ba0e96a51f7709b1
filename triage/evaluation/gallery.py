"""Pictures of what went wrong: the slice that tells most, the true outline, and the model's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from foundation.problems import Problem
from pacs.dicomweb.rendering import PNG, render
from triage.evaluation.dataset import LabelledStudy
from triage.evaluation.masks import Place, load
from triage.evaluation.runner import Answer

TRUE_COLOUR: Final = (64, 208, 120)
MODEL_COLOUR: Final = (190, 130, 255)
#: Misses and false flags shown for a finding; the table below names all.
MOST_PICTURES: Final = 24
SIDE_PIXELS: Final = 384


@dataclass(frozen=True)
class Picture:
    """PNG of one slice; `slice_number` counts the series' files from 1, 0 when there is no picture."""

    png: bytes
    slice_number: int
    of: int
    has_truth: bool
    has_model: bool


def picture(answer: Answer, finding: str, study: LabelledStudy, folder: Path) -> Picture | None:
    """The slice with most of the lesion, else the one that the model points at, else the middle one.

    None when its pixels cannot be shown.
    """
    truth = study.truths[finding]
    true = load(truth.mask) if truth.mask else None
    said = next((t for t in answer.targets if t.name == finding), None)
    ours = load(folder / said.mask) if said and said.mask else None
    files = _places(study.folder, answer)
    if not files:
        return None
    ordered = list(files)
    telling = (true.fullest if true else None, said.key if said else None)
    wanted = next((place for place in telling if place in files), None) or ordered[len(ordered) // 2]
    try:
        png = render(files[wanted], index=wanted[1] - 1, kind=PNG)
    except Problem:
        return None
    image = _fitted(Image.open(io.BytesIO(png)).convert("RGB"))
    marks = [(ours, MODEL_COLOUR), (true, TRUE_COLOUR)]
    drawn = [_draw(image, mask.at(wanted), colour) for mask, colour in marks if mask is not None]
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return Picture(
        buffer.getvalue(), ordered.index(wanted) + 1, len(ordered), true is not None, bool(drawn and ours)
    )


def _places(folder: Path, answer: Answer) -> Mapping[Place, Path]:
    """Frames of the series that was analysed, upwards along the slices where that is known."""
    rows: list[tuple[float, float, Place, Path]] = []
    for name in answer.files:
        header = pydicom.dcmread(folder / name, stop_before_pixels=True)
        count = int(header.get("NumberOfFrames", 1) or 1)
        for frame in range(1, count + 1):
            place = (str(header.SOPInstanceUID), frame)
            rows.append(
                (_depth(header), float(header.get("InstanceNumber") or 0) + frame, place, folder / name)
            )
    return {place: path for _, _, place, path in sorted(rows, key=lambda row: row[:2])}


def _depth(header: Any) -> float:
    orientation, position = header.get("ImageOrientationPatient"), header.get("ImagePositionPatient")
    if not orientation or not position or len(orientation) != 6 or len(position) != 3:
        return 0.0
    axes = np.array([float(v) for v in orientation])
    return float(np.cross(axes[:3], axes[3:]) @ np.array([float(v) for v in position]))


def _fitted(image: Image.Image) -> Image.Image:
    scale = SIDE_PIXELS / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _draw(image: Image.Image, mask: NDArray[np.bool_] | None, colour: tuple[int, int, int]) -> bool:
    """The mask's outline, one pixel outside of it, so that the grey inside stays to be seen."""
    if mask is None or not mask.any():
        return False
    resized = Image.fromarray(mask.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BILINEAR)
    inside = np.asarray(resized) >= 128
    outline = ndimage.binary_dilation(inside, iterations=2) & ~ndimage.binary_dilation(inside)
    pixels = np.array(image)
    pixels[outline] = colour
    image.paste(Image.fromarray(pixels))
    return True
