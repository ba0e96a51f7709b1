"""The image that shows a finding best, as a Secondary Capture (PS3.3 A.8) for viewers that draw no Segmentation.

The outline and the words are part of the picture, so that nobody takes it for the image itself. It says
nothing of the patient: who it is stands in the header alone.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from highdicom import UID
from highdicom.sc import SCImage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from scipy import ndimage

from pacs.dicomweb.rendering import PNG, render
from pacs.dicomweb.windowing import Window
from triage.results.statement import MANUFACTURER, Statement

SERIES_NUMBER: Final = 9003
BURNT_IN: Final = "AI, not for diagnosis"
DERIVATION: Final = "One image, windowed, with an outline and words by an AI model burnt in"
VIOLET: Final = (183, 156, 255)
_SMALLEST_WIDTH: Final = 512
_BRAIN: Final = Window(40, 80)


def make_key_image(
    statement: Statement,
    path: Path,
    source: Dataset,
    *,
    frame: int = 1,
    mask: NDArray[np.bool_] | None = None,
    series_instance_uid: str,
    number: int,
) -> Dataset:
    """One RGB picture of `frame` with the finding outlined and named, and BURNT_IN across its foot.

    Args:
        statement: what the model says.
        path: file of the image that shows the finding best.
        source: that image's header, completed (see headers.read_headers).
        frame: counts from 1.
        mask: bool [row, column] on that frame, or None where the model draws nothing.
        series_instance_uid: one series for all key images of one answer.
        number: Instance Number in that series.

    Raises:
        ValueError: the mask is not of the frame's size.
        Problem: the frame cannot be decoded; see pacs.dicomweb.rendering.render.
    """
    window = _BRAIN if source.Modality == "CT" else None
    grey = Image.open(io.BytesIO(render(path, index=frame - 1, kind=PNG, window=window)))
    picture, scale = _large_enough(grey.convert("RGB"))
    if mask is not None:
        if mask.shape != (grey.height, grey.width):
            raise ValueError(f"a mask of {mask.shape} on a frame of {(grey.height, grey.width)}")
        picture = _outlined(picture, mask, scale)
    image = SCImage.from_ref_dataset(
        ref_dataset=source,
        pixel_array=np.asarray(_captioned(picture, statement)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=series_instance_uid,
        series_number=SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=number,
        manufacturer=MANUFACTURER,
        patient_orientation=_orientation(source, frame) or ("L", "P"),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    image.add_new("ImageType", "CS", ["DERIVED", "SECONDARY"])
    image.SeriesDescription = f"{BURNT_IN}: {statement.model} {statement.version}"[:64]
    image.ManufacturerModelName = statement.model
    versions = [statement.software_version, f"{statement.model} {statement.version}"]
    image.add_new("SoftwareVersions", "LO", versions)
    # The attribute asks whether the pixels name the patient (PS3.3 C.7.6.1.1.7); these do not.
    image.BurnedInAnnotation = "NO"
    if _orientation(source, frame) is None:
        # Type 2: unknown may be said, a guess may not.
        image.add_new("PatientOrientation", "CS", "")
    # Type 2C: may be empty, not absent (PS3.3 C.7.3.1).
    image.Laterality = source.get("Laterality") or ""
    image.DerivationDescription = DERIVATION
    image.SourceImageSequence = [_reference(source, frame)]
    return image


def _reference(source: Dataset, frame: int) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = source.SOPClassUID
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if int(source.get("NumberOfFrames") or 1) > 1:
        reference.ReferencedFrameNumber = frame
    return reference


def _orientation(source: Dataset, frame: int) -> tuple[str, str] | None:
    """Letters of the direction in which rows and columns run, main axis only; None when unknown."""
    given = source.get("PatientOrientation")
    if given:
        return str(given[0]), str(given[1])
    cosines = _cosines(source, frame)
    if cosines is None:
        return None
    directions = np.array(cosines, dtype=float).reshape(2, 3)
    return _main_letter(directions[0]), _main_letter(directions[1])


def _cosines(source: Dataset, frame: int) -> Any:
    """Image Orientation (Patient) of the image or, in a multi-frame one, of that frame (C.7.6.16)."""
    if "ImageOrientationPatient" in source:
        return source.ImageOrientationPatient
    shared: Any = source.get("SharedFunctionalGroupsSequence") or []
    per_frame: Any = source.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*shared[:1], *per_frame[frame - 1 : frame]):
        if group.get("PlaneOrientationSequence"):
            return group.PlaneOrientationSequence[0].get("ImageOrientationPatient")
    return None


def _main_letter(direction: NDArray[np.float64]) -> str:
    axis = int(np.abs(direction).argmax())
    return ("LR", "PA", "HF")[axis][0 if direction[axis] > 0 else 1]


def _large_enough(picture: Image.Image) -> tuple[Image.Image, int]:
    """Enlarged by a whole number, so that the words fit and the outline stays on its pixels."""
    scale = -(-_SMALLEST_WIDTH // picture.width) if picture.width < _SMALLEST_WIDTH else 1
    if scale == 1:
        return picture, 1
    size = (picture.width * scale, picture.height * scale)
    return picture.resize(size, Image.Resampling.BILINEAR), scale


def _outlined(picture: Image.Image, mask: NDArray[np.bool_], scale: int) -> Image.Image:
    """A line around the mask, outside of it, so that it hides nothing of what it marks."""
    large = mask.repeat(scale, axis=0).repeat(scale, axis=1)
    thickness = max(1, picture.width // 400)
    line = ndimage.binary_dilation(large, iterations=thickness) & ~large
    pixels = np.array(picture)
    pixels[line] = VIOLET
    return Image.fromarray(pixels)


def _captioned(picture: Image.Image, statement: Statement) -> Image.Image:
    """Two lines below the image: it keeps all its pixels."""
    size = max(16, picture.width // 32)
    font, small = ImageFont.load_default(size), ImageFont.load_default(round(size * 0.75))
    height = round(size * 2.6)
    canvas = Image.new("RGB", (picture.width, picture.height + height))
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    draw.text((size // 2, picture.height + size * 0.3), BURNT_IN, font=font, fill=VIOLET)
    draw.text((size // 2, picture.height + size * 1.5), _words(statement), font=small, fill=(230, 232, 235))
    return canvas


def _words(statement: Statement) -> str:
    meaning = statement.finding.meaning
    lower = meaning if meaning[1:2].isupper() else meaning[:1].lower() + meaning[1:]
    return f"Possible {lower}, {statement.probability:.2f} by {statement.model} {statement.version}"
