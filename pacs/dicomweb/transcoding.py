"""Decoding for clients that take Explicit VR Little Endian alone."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from foundation.problems import Problem
from pacs.dicomweb.pixels import Layout, read_frame

TARGET: Final = str(ExplicitVRLittleEndian)
# What pixel decoders raise on data they cannot read.
DECODE_ERRORS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


def decoded_frame(path: Path, layout: Layout, index: int) -> bytes:
    """Frame `index` (from 0) as Explicit VR Little Endian holds it.

    Colours stay in the stored photometric interpretation, as the instance's metadata names it.

    Raises:
        Problem: 406 when the stored stream cannot be decoded.
    """
    if not layout.encapsulated and layout.transfer_syntax_uid != ExplicitVRBigEndian:
        return read_frame(path, layout, index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = pixel_array(path, index=index, raw=True)
        except DECODE_ERRORS as error:
            raise undecodable(error) from error
    return _little(pixels)


def decoded_file(path: Path) -> bytes:
    """The instance as a Part 10 file in Explicit VR Little Endian.

    Raises:
        Problem: 406 when its pixel data cannot be decoded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path)
        syntax = dataset.file_meta.TransferSyntaxUID
        try:
            if syntax.is_encapsulated and "PixelData" in dataset:
                dataset.decompress(as_rgb=False, generate_instance_uid=False)
            elif syntax == ExplicitVRBigEndian and "PixelData" in dataset:
                dataset.PixelData = _little(dataset.pixel_array)
        except DECODE_ERRORS as error:
            raise undecodable(error) from error
        buffer = io.BytesIO()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def undecodable(error: BaseException) -> Problem:
    """The answer when a decoder gives up."""
    return Problem(
        406,
        "Pixels cannot be decoded",
        f"The stored pixel data cannot be decoded ({type(error).__name__}). "
        "Ask for it as stored: `transfer-syntax=*`.",
    )


def _little(pixels: np.ndarray) -> bytes:
    if pixels.dtype.byteorder == ">" or (pixels.dtype.byteorder == "=" and sys.byteorder == "big"):
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"))
    data = pixels.tobytes()
    return data if len(data) % 2 == 0 else data + b"\0"
