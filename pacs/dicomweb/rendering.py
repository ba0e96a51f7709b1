"""A frame as a picture for people without a DICOM viewer (PS3.18 10.4.1.1.3). Not for diagnosis."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, pixel_array

from foundation.problems import Problem
from pacs.dicomweb import windowing
from pacs.dicomweb.transcoding import DECODE_ERRORS, undecodable
from pacs.dicomweb.windowing import Window

PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
LARGEST_PIXELS: Final = 128 * 1024 * 1024  # values of one frame; an archive of whole slides is elsewhere
_DEFERRED: Final = 64 * 1024


@dataclass(frozen=True)
class Viewport:
    """Where the picture goes (PS3.18 8.3.5.1.3): it fills at most width x height, its shape kept.

    Attributes:
        region: x, y, width, height of the part of the frame to show, pixels; None for all of it.
    """

    width: int
    height: int
    region: tuple[float, float, float, float] | None = None


def render(
    path: Path,
    *,
    index: int,
    kind: str,
    window: Window | None = None,
    viewport: Viewport | None = None,
    quality: int = 90,
) -> bytes:
    """Frame `index` (from 0) of a stored file as PNG or JPEG.

    Raises:
        Problem: 404 without pixels or frame, 406 when they cannot be decoded, 413 when far too large.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dcmread(path, stop_before_pixels=True, defer_size=_DEFERRED)
        try:
            _check(header, index)
            picture = _picture(path, header, index, window)
        except DECODE_ERRORS as error:
            raise undecodable(error) from error
    image = Image.fromarray(picture)
    if viewport is not None:
        image = _fitted(image, viewport)
    buffer = io.BytesIO()
    if kind == PNG:
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _check(header: Dataset, index: int) -> None:
    rows, columns = header.get("Rows"), header.get("Columns")
    if not rows or not columns:
        raise Problem(404, "Nothing to show", "This instance has no pixels.")
    if rows * columns * (header.get("SamplesPerPixel") or 1) > LARGEST_PIXELS:
        raise Problem(413, "Too large", "This frame is too large to be rendered here.")
    count = _number_of_frames(header)
    if not 0 <= index < count:
        raise Problem(404, "No such frame", f"This instance has the frames 1 to {count}.")


def _picture(path: Path, header: Dataset, index: int, window: Window | None) -> np.ndarray:
    """uint8, [rows, columns] or [rows, columns, 3]."""
    photometric = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    pixels = pixel_array(path, index=index)
    if photometric == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(pixels, header))
    if pixels.ndim == 3:
        return _eight_bits(pixels[..., :3], int(header.get("BitsStored", 8)))
    attributes = _of_frame(header, index)
    values = windowing.modality_values(pixels, attributes)
    padding = _padding(pixels, header)
    if window is not None:
        grey = windowing.windowed(values, window)
    else:
        grey = windowing.default_grey(values, attributes, padding)
    if photometric == "MONOCHROME1" or header.get("PresentationLUTShape") == "INVERSE":
        grey = 255 - grey
    if padding is not None:
        grey[padding] = 0
    return grey


def _of_frame(header: Dataset, index: int) -> Dataset:
    """Rescale and VOI attributes of one frame, from the functional groups where there are any (C.7.6.16)."""
    found = Dataset()
    for source in (header, *_groups(header, index)):
        for element in source:
            if element.keyword in {
                "RescaleSlope",
                "RescaleIntercept",
                "ModalityLUTSequence",
                "WindowCenter",
                "WindowWidth",
                "VOILUTFunction",
                "VOILUTSequence",
            }:
                found[element.tag] = element
    return found


def _groups(header: Dataset, index: int) -> list[Dataset]:
    shared: Any = header.get("SharedFunctionalGroupsSequence") or []
    per_frame: Any = header.get("PerFrameFunctionalGroupsSequence") or []
    holders = list(shared[:1]) + list(per_frame[index : index + 1])
    names = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
    return [holder[name].value[0] for holder in holders for name in names if holder.get(name)]


def _padding(pixels: np.ndarray, header: Dataset) -> np.ndarray | None:
    """Mask of pixels that were never measured (C.7.5.1.1.2)."""
    value = header.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = header.get("PixelPaddingRangeLimit")
    end = limit if isinstance(limit, int) else value
    mask = (pixels >= min(value, end)) & (pixels <= max(value, end))
    return mask if mask.any() else None


def _eight_bits(pixels: np.ndarray, stored: int = 16) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return np.ascontiguousarray(pixels >> max(0, stored - 8)).astype(np.uint8)


def _fitted(image: Image.Image, viewport: Viewport) -> Image.Image:
    if viewport.region is not None:
        x, y, width, height = viewport.region
        right, bottom = min(image.width, x + width), min(image.height, y + height)
        if not (0 <= x < right and 0 <= y < bottom):
            raise Problem(400, "No such region", "The region of `viewport` lies outside of the image.")
        image = image.crop((round(x), round(y), max(round(right), 1), max(round(bottom), 1)))
    scale = min(viewport.width / image.width, viewport.height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR) if size != image.size else image


def _number_of_frames(header: Dataset) -> int:
    try:
        return max(1, int(header.get("NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return 1
