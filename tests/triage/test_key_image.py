"""The key image: the outline on the right pixels, words that warn, a valid Secondary Capture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from highdicom import UID
from PIL import Image

from pacs.dicomweb.rendering import PNG, render
from tests.triage.making import datasets_of, enhanced_of, write
from tests.triage.test_results import STATEMENT, drawn_on, faults, stack  # noqa: F401
from triage.inference.slices import read_stack
from triage.inference.volume import SliceStack
from triage.results.headers import read_headers
from triage.results.key_image import BURNT_IN, VIOLET, make_key_image

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_outline_lies_around_the_mask_and_hides_none_of_it(stack: SliceStack, tmp_path: Path) -> None:  # noqa: F811
    paths = write(datasets_of(stack), tmp_path)
    read = read_stack(paths)
    masks = drawn_on(read)
    key = int(masks.sum(axis=(1, 2)).argmax())
    uid = read.sources[key].sop_instance_uid
    place = next(n for n, header in enumerate(read_headers(paths)) if header.SOPInstanceUID == uid)
    source = read_headers(paths)[place]
    image = make_key_image(
        STATEMENT, paths[place], source, mask=masks[key], series_instance_uid=UID(), number=1
    )
    pixels = image.pixel_array
    scale = pixels.shape[1] // masks[key].shape[1]
    large = masks[key].repeat(scale, axis=0).repeat(scale, axis=1)
    violet = (pixels[: large.shape[0]] == VIOLET).all(axis=-1)
    assert violet.any() and not (violet & large).any()
    rows, columns = np.nonzero(violet)
    inside_rows, inside_columns = np.nonzero(large)
    assert abs(rows.min() - inside_rows.min()) <= 2 and abs(rows.max() - inside_rows.max()) <= 2
    assert abs(columns.min() - inside_columns.min()) <= 2 and abs(columns.max() - inside_columns.max()) <= 2
    assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == uid


def test_caption_stands_below_the_image_and_names_no_patient(stack: SliceStack, tmp_path: Path) -> None:  # noqa: F811
    paths = write(datasets_of(stack), tmp_path)
    source = read_headers(paths)[0]
    image = make_key_image(STATEMENT, paths[0], source, series_instance_uid=UID(), number=1)
    shown = Image.open(io.BytesIO(render(paths[0], index=0, kind=PNG)))
    assert image.Rows > image.Columns / shown.width * shown.height
    foot = image.pixel_array[image.Columns :]
    assert (foot == VIOLET).all(axis=-1).sum() > 100
    assert image.BurnedInAnnotation == "NO" and BURNT_IN in image.SeriesDescription
    assert image.PatientID == source.PatientID and image.StudyInstanceUID == source.StudyInstanceUID


def test_dciodvfy_finds_no_error(stack: SliceStack, tmp_path: Path) -> None:  # noqa: F811
    paths = write(datasets_of(stack), tmp_path)
    image = make_key_image(STATEMENT, paths[0], read_headers(paths)[0], series_instance_uid=UID(), number=1)
    assert faults(image, tmp_path) == []


def test_frame_of_an_enhanced_image_is_named(stack: SliceStack, tmp_path: Path) -> None:  # noqa: F811
    paths = write([enhanced_of(stack, list(range(len(stack.pixels))))], tmp_path)
    image = make_key_image(
        STATEMENT, paths[0], read_headers(paths)[0], frame=3, series_instance_uid=UID(), number=1
    )
    assert image.SourceImageSequence[0].ReferencedFrameNumber == 3
    assert faults(image, tmp_path) == []


def test_mask_of_another_size_is_refused(stack: SliceStack, tmp_path: Path) -> None:  # noqa: F811
    paths = write(datasets_of(stack), tmp_path)
    with pytest.raises(ValueError, match="a mask of"):
        make_key_image(
            STATEMENT,
            paths[0],
            read_headers(paths)[0],
            mask=np.ones((3, 4), dtype=bool),
            series_instance_uid=UID(),
            number=1,
        )
