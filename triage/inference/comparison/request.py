"""What is asked of the comparing process and what it answers: JSON and bits, nothing that could be code."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.inference.comparison.rule import State


@dataclass(frozen=True)
class Pair:
    """A finding and the earlier one that it may be.

    Attributes:
        mask: bool [slice, row, column] of the finding, in the order of the request's sources.
        now_ml: its volume.
        seg: file of the Segmentation that shows the earlier one.
        segment: its number there.
        before_ml: its volume.
    """

    mask: NDArray[np.bool_]
    now_ml: float
    seg: Path
    segment: int
    before_ml: float


@dataclass(frozen=True)
class Request:
    """Two series of one patient and the findings to compare.

    Attributes:
        current, prior: files of the new and of the earlier series.
        sources: SOP Instance UID and frame number of each slice of the masks.
    """

    current: Sequence[Path]
    prior: Sequence[Path]
    sources: Sequence[tuple[str, int]]
    pairs: Sequence[Pair]


@dataclass(frozen=True)
class Answer:
    """The state of one pair; `state` is "not_compared" with the reason when nothing can be said."""

    state: State | str
    growth_ml: float | None = None
    reason: str = ""


NOT_COMPARED = "not_compared"


def encode(request: Request) -> bytes:
    """A request as JSON; paths absolute, because the process has a folder of its own."""
    return json.dumps(
        {
            "current": [str(path.absolute()) for path in request.current],
            "prior": [str(path.absolute()) for path in request.prior],
            "sources": [list(source) for source in request.sources],
            "pairs": [
                {
                    "shape": pair.mask.shape,
                    "bits": base64.b64encode(np.packbits(pair.mask).tobytes()).decode("ascii"),
                    "now_ml": pair.now_ml,
                    "seg": str(pair.seg.absolute()),
                    "segment": pair.segment,
                    "before_ml": pair.before_ml,
                }
                for pair in request.pairs
            ],
        }
    ).encode()


def decode(text: bytes) -> Request:
    """The request again."""
    content: dict[str, Any] = json.loads(text)
    return Request(
        current=[Path(path) for path in content["current"]],
        prior=[Path(path) for path in content["prior"]],
        sources=[(str(uid), int(frame)) for uid, frame in content["sources"]],
        pairs=[
            Pair(
                mask=_mask(pair["bits"], tuple(pair["shape"])),
                now_ml=float(pair["now_ml"]),
                seg=Path(pair["seg"]),
                segment=int(pair["segment"]),
                before_ml=float(pair["before_ml"]),
            )
            for pair in content["pairs"]
        ],
    )


def encode_answers(answers: Sequence[Answer]) -> bytes:
    """Answers as JSON."""
    return json.dumps([asdict(answer) for answer in answers]).encode()


def decode_answers(text: bytes) -> list[Answer]:
    """The answers again; raises ValueError for anything else."""
    content = json.loads(text)
    if not isinstance(content, list):
        raise ValueError("the comparing process gave no list")
    return [Answer(str(a["state"]), a["growth_ml"], str(a["reason"])) for a in content]


def _mask(bits: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    packed = np.frombuffer(base64.b64decode(bits), dtype=np.uint8)
    return np.unpackbits(packed, count=int(np.prod(shape))).astype(bool).reshape(shape)
