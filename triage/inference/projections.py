"""Single projection images (DX, CR): from a file to the grey values that a reader sees, one way up.

A projection has no place in the patient. What can be set right is set right: photometric interpretation,
modality and VOI look-up (PS3.3 C.11.1, C.11.2), the way the image lies (Patient Orientation), pixel spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array
from scipy import ndimage

from triage.inference.volume import FrameSource, VolumeError
from triage.series import view_of

MOST_IMAGES: Final = 12
_OPPOSITE: Final = {"L": "R", "R": "L", "F": "H", "H": "F", "A": "P", "P": "A"}


@dataclass(frozen=True)
class Projection:
    """One projection image.

    Attributes:
        source: the DICOM frame.
        pixels: float32 [row, column], 0 to 1, bright where dense; of a frontal view rows run to the feet and
            columns to the patient's left, of a lateral one rows to the feet.
        spacing_mm: between rows, between columns, at the detector; None where the image does not say.
        view: PA, AP, LL, RL, … or "" (triage.series.view_of).
        turns: how `pixels` came from the stored array: axes swapped, rows reversed, columns reversed.
    """

    source: FrameSource
    pixels: NDArray[np.float32]
    spacing_mm: tuple[float, float] | None
    view: str
    turns: tuple[bool, bool, bool] = (False, False, False)

    @property
    def field_mm(self) -> tuple[float, float] | None:
        """Height and width of the image; None without a spacing."""
        if self.spacing_mm is None:
            return None
        rows, columns = self.pixels.shape
        return rows * self.spacing_mm[0], columns * self.spacing_mm[1]


def read_projections(files: Sequence[Path], views: Sequence[str] | None) -> list[Projection]:
    """Read the images of one series whose view is wanted, by Instance Number.

    Args:
        files: instances of one series, in any order.
        views: such as ["PA", "AP"]; "" among them accepts images that name no view; None accepts all.

    Raises:
        VolumeError: an image cannot be read, none has a wanted view, or there are too many.
    """
    if len(files) > MOST_IMAGES:
        raise VolumeError(f"{len(files)} images are more than the {MOST_IMAGES} that can be analysed")
    headers = sorted((_read(path) for path in files), key=_order)
    wanted = [header for header in headers if views is None or _view(header) in views]
    if not wanted:
        seen = ", ".join(dict.fromkeys(_view(header) or "not given" for header in headers))
        asked = " or ".join(filter(None, views or []))
        raise VolumeError(f"the view is {seen}, not {asked}" if headers else "no images")
    return [_projection(header) for header in wanted]


def resampled(projection: Projection, spacing_mm: Sequence[float] | None) -> NDArray[np.float32]:
    """[1, row, column] with pixels of `spacing_mm` (row, column), averaged where coarser; as it is for None.

    Raises VolumeError when the image does not tell its own spacing.
    """
    if spacing_mm is None:
        return projection.pixels[None]
    if projection.spacing_mm is None:
        raise VolumeError("the image does not tell its pixel spacing")
    factors = [own / float(wanted) for own, wanted in zip(projection.spacing_mm, spacing_mm, strict=True)]
    pixels = projection.pixels
    if min(factors) < 1.0:
        # A third of the new pixel: little aliasing, little loss.
        pixels = ndimage.gaussian_filter(pixels, [max(0.0, 0.35 / f - 0.35) for f in factors], mode="nearest")
    shape = [max(1, round(n * f)) for n, f in zip(pixels.shape, factors, strict=True)]
    grid = [(np.arange(n) + 0.5) * (old / n) - 0.5 for n, old in zip(shape, pixels.shape, strict=True)]
    at = np.meshgrid(*grid, indexing="ij")
    made = ndimage.map_coordinates(pixels, at, order=1, mode="nearest")
    return np.asarray(made[None], dtype=np.float32)


def native_mask(mask: NDArray[np.bool_], projection: Projection) -> NDArray[np.bool_]:
    """A mask on the resampled image, on the pixels as stored: bool [row, column]."""
    rows, columns = projection.pixels.shape
    r = np.minimum((np.arange(rows) * mask.shape[0]) // rows, mask.shape[0] - 1)
    c = np.minimum((np.arange(columns) * mask.shape[1]) // columns, mask.shape[1] - 1)
    drawn = mask[np.ix_(r, c)]
    swapped, upside_down, mirrored = projection.turns
    if mirrored:
        drawn = drawn[:, ::-1]
    if upside_down:
        drawn = drawn[::-1]
    return np.ascontiguousarray(drawn.T if swapped else drawn)


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path)
    except (InvalidDicomError, OSError) as error:
        raise VolumeError("an image of the series cannot be read") from error


def _order(header: Dataset) -> tuple[int, str]:
    return int(header.get("InstanceNumber") or 0), str(header.SOPInstanceUID)


def _view(header: Dataset) -> str:
    codes = header.get("ViewCodeSequence") or [Dataset()]
    return view_of(str(header.get("ViewPosition") or ""), str(codes[0].get("CodeMeaning") or ""))


def _projection(header: Dataset) -> Projection:
    if int(header.get("SamplesPerPixel", 1)) != 1 or "PixelData" not in header:
        raise VolumeError("an image of the series holds no grey values")
    if int(header.get("NumberOfFrames") or 1) != 1:
        raise VolumeError("an image of the series has several frames")
    photometric = str(header.get("PhotometricInterpretation", "")).strip()
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise VolumeError(f"the photometric interpretation {photometric or '(none)'} is not monochrome")
    grey = _grey(header)
    if photometric == "MONOCHROME1":  # low values are shown white
        grey = 1.0 - grey
    spacing = _spacing(header)
    turns = _turns(header)
    if turns[0]:
        grey = grey.T
        spacing = spacing and (spacing[1], spacing[0])
    if turns[1]:
        grey = grey[::-1]
    if turns[2]:
        grey = grey[:, ::-1]
    return Projection(
        source=FrameSource(str(header.SOPInstanceUID)),
        pixels=np.ascontiguousarray(grey, dtype=np.float32),
        spacing_mm=spacing,
        view=_view(header),
        turns=turns,
    )


def _grey(header: Dataset) -> NDArray[np.float64]:
    """0 to 1 after both look-ups; padding is the darkest."""
    try:
        stored = pixel_array(header)
        rescaled = np.asarray(apply_modality_lut(stored, header))
        if np.array_equal(rescaled, np.rint(rescaled)):  # a VOI look-up table is indexed by whole numbers
            rescaled = rescaled.astype(np.int64)
        values = np.asarray(apply_voi_lut(rescaled, header), dtype=np.float64)
    except (AttributeError, ValueError, RuntimeError, NotImplementedError, IndexError) as error:
        raise VolumeError("the pixels of an image cannot be decoded") from error
    inside = np.ones(stored.shape, dtype=bool)
    padding = header.get("PixelPaddingValue")
    if padding is not None:
        limit = header.get("PixelPaddingRangeLimit", padding)
        least, most = sorted((int(padding), int(limit)))
        inside = (stored < least) | (stored > most)
    if not inside.any():
        raise VolumeError("an image of the series is empty")
    low, high = float(values[inside].min()), float(values[inside].max())
    if high <= low:
        raise VolumeError("an image of the series is empty")
    dark = 1.0 if header.PhotometricInterpretation.strip() == "MONOCHROME1" else 0.0
    return np.where(inside, (values - low) / (high - low), dark)


def _spacing(header: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        value = header.get(keyword)
        if value is not None and len(value) == 2:
            down, across = float(value[0]), float(value[1])
            if down > 0.0 and across > 0.0:
                return down, across
    return None


def _turns(header: Dataset) -> tuple[bool, bool, bool]:
    """What makes rows run to the feet and, seen from the front or back, columns to the patient's left.

    Patient Orientation names where rows and where columns run to (PS3.3 C.7.6.1.1.1). An image that does not
    tell is taken as it is, as a viewer would show it.
    """
    letters = [str(value).strip().upper()[:1] for value in header.get("PatientOrientation") or []]
    if len(letters) != 2 or not all(letter in _OPPOSITE for letter in letters):
        return False, False, False
    along_row, along_column = letters
    swapped = along_row in "HF" and along_column not in "HF"
    if swapped:
        along_row, along_column = along_column, along_row
    return swapped, along_column == "H", along_row == "R"
