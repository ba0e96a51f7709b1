"""The comparing process: `python -m triage.inference.comparison.child`, a request in, answers out.

A process of its own, because registration runs in threads of a large library, and must neither hang nor take
the worker with it.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from triage.inference.comparison.overlap import groups_of
from triage.inference.comparison.registration import GRID_MM, Alignment, NotRegistered, align
from triage.inference.comparison.request import (
    NOT_COMPARED,
    Answer,
    Pair,
    Request,
    decode,
    encode_answers,
)
from triage.inference.comparison.rule import judge
from triage.inference.slices import read_stack
from triage.inference.volume import SliceStack, VolumeError, to_regular


def answers_to(request: Request) -> list[Answer]:
    """One answer a pair; a registration that is not believed leaves them all not compared."""
    try:
        current, prior = read_stack(request.current), read_stack(request.prior)
        alignment = align(to_regular(current, GRID_MM), to_regular(prior, GRID_MM))
    except (NotRegistered, VolumeError) as error:
        return [Answer(NOT_COMPARED, None, str(error)) for _ in request.pairs]
    return [_answer(pair, request.sources, current, prior, alignment) for pair in request.pairs]


def _answer(
    pair: Pair,
    sources: Sequence[tuple[str, int]],
    current: SliceStack,
    prior: SliceStack,
    alignment: Alignment,
) -> Answer:
    try:
        verdict = judge(
            groups_of(
                now=(current, _in_order(pair.mask, sources, current), pair.now_ml),
                before=(prior, segment_on(pair.seg, pair.segment, prior), pair.before_ml),
                alignment=alignment,
            )
        )
    except NotRegistered as error:
        return Answer(NOT_COMPARED, None, str(error))
    return Answer(verdict.state, verdict.growth_ml)


def segment_on(path: Path, segment: int, stack: SliceStack) -> NDArray[np.bool_]:
    """A segment of a binary Segmentation (PS3.3 A.51) drawn on its source slices, bool [slice, row, column].

    Frames are placed by the image that each names, never by their order.

    Raises:
        NotRegistered: a frame names an image that is not among the slices.
    """
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array
    frames = frames[None] if frames.ndim == 2 else frames
    place = {(source.sop_instance_uid, source.frame): index for index, source in enumerate(stack.sources)}
    mask = np.zeros(stack.pixels.shape, dtype=bool)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for groups, pixels in zip(dataset.PerFrameFunctionalGroupsSequence, frames, strict=True):
        # What holds for all frames stands among the shared groups (PS3.3 C.7.6.16).
        identified = groups if "SegmentIdentificationSequence" in groups else shared
        if int(identified.SegmentIdentificationSequence[0].ReferencedSegmentNumber) != segment:
            continue
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        key = (str(source.ReferencedSOPInstanceUID), int(source.get("ReferencedFrameNumber", 1)))
        if key not in place or pixels.shape != mask.shape[1:]:
            raise NotRegistered("the earlier segmentation does not lie on the earlier images")
        mask[place[key]] |= pixels.astype(bool)
    if not mask.any():
        raise NotRegistered("the earlier segmentation is empty")
    return mask


def _in_order(
    mask: NDArray[np.bool_], sources: Sequence[tuple[str, int]], stack: SliceStack
) -> NDArray[np.bool_]:
    place = {key: index for index, key in enumerate(sources)}
    order = [place.get((source.sop_instance_uid, source.frame)) for source in stack.sources]
    if any(index is None for index in order) or mask.shape[1:] != stack.pixels.shape[1:]:
        raise NotRegistered("the finding's slices are not those of the series")
    return mask[[index for index in order if index is not None]]


def main() -> None:
    """Answer the one request on standard input."""
    warnings.simplefilter("ignore")  # they quote values of headers, names among them
    try:
        answers = answers_to(decode(sys.stdin.buffer.read()))
    except Exception as error:  # noqa: BLE001  (the message may quote the patient; where it happened does not)
        last = traceback.extract_tb(error.__traceback__)[-1]
        sys.exit(f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}")
    sys.stdout.buffer.write(encode_answers(answers))


if __name__ == "__main__":
    main()
