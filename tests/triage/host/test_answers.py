"""What crosses from a model's process is plain, whole, and believed only as far as it can be checked."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from triage.inference.analysis import Analysis, Target
from triage.inference.host.answers import decode, encode
from triage.inference.host.wire import Channel, Ended, Malformed
from triage.inference.volume import FrameSource, SliceStack


def analysis() -> Analysis:
    mask = np.zeros((3, 5, 7), dtype=bool)
    mask[1, 2:4, 3] = True
    sources = tuple(FrameSource(f"1.2.{n}", n + 1) for n in range(3))
    stack = SliceStack(
        pixels=np.ones((3, 5, 7), np.float32),
        positions=np.arange(9.0).reshape(3, 3),
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        pixel_spacing_mm=(0.5, 0.6),
        thickness_mm=np.full(3, 4.0),
        sources=sources,
        frame_of_reference_uid="1.9",
        notes=("a slice seems to be missing",),
    )
    bleed = Target("bleed", 0.75, "logistic", 1.5, 12.0, "left", "subdural", (1.0, 2.0, 3.0), mask=mask)
    box = Target("nodule", 0.5, box_lps_mm=(0.0, 1.0, 2.0, 3.0, 4.0, 5.0), key=2)
    return Analysis(
        (bleed, box), sources, stack, "ab" * 32, "openvino", {"read": 0.1}, {"midline_shift_mm": 2.0}
    )


def both_ends() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def test_an_analysis_comes_through_as_it_was_but_for_the_pixels() -> None:
    one, other = both_ends()
    before = analysis()
    message, arrays = encode(before)
    sender = threading.Thread(target=lambda: Channel(one).send({"analysis": message}, arrays))
    sender.start()
    received, got = Channel(other).receive(most_bytes=10_000)
    sender.join()
    after = decode(received["analysis"], got)
    assert after.targets[1] == before.targets[1]
    assert replace(after.targets[0], mask=None) == replace(before.targets[0], mask=None)
    assert (after.targets[0].mask == before.targets[0].mask).all() and after.targets[0].mask.dtype == bool
    assert (after.sources, after.weights_sha256, after.runtime) == (
        before.sources,
        before.weights_sha256,
        "openvino",
    )
    assert (dict(after.timings), dict(after.measurements)) == ({"read": 0.1}, {"midline_shift_mm": 2.0})
    assert after.stack is not None and before.stack is not None
    assert after.stack.pixels.shape == (3, 5, 7) and (after.stack.pixels == after.stack.empty).all()
    assert (after.stack.depths_mm == before.stack.depths_mm).all() and after.stack.notes == before.stack.notes


@pytest.mark.parametrize(
    "change",
    [
        {"targets": [{"name": "x"}]},
        {"sources": [["1.2.0", 0]]},
        {"sources": [["1.2.0", 1]]},
        {"weights_sha256": "x" * 65},
        {"runtime": "to\nrch"},
        {"timings": {"read": "0.1"}},
        {"stack": {"shape": [3, 5]}},
        {"measurements": []},
    ],
)
def test_an_answer_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    message, arrays = encode(analysis())
    with pytest.raises(Malformed):
        decode({**message, **change}, arrays)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("probability", 1.5),
        ("probability", True),
        ("probability", None),
        ("key", 3),
        ("key", -1),
        ("mask", [3, 5, 8]),
        ("mask", [2, 5, 7]),
        ("mask", [3, 5, -7]),
        ("name", 3),
        ("centroid_lps_mm", [1.0, 2.0]),
        ("box_lps_mm", [1.0] * 7),
        ("volume_ml", "many"),
    ],
)
def test_a_target_that_cannot_be_is_refused(field: str, value: Any) -> None:
    message, arrays = encode(analysis())
    message["targets"][0][field] = value
    with pytest.raises(Malformed):
        decode(message, arrays)


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">I", 1 << 31),
        struct.pack(">I", 3) + b"{}}",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 2) + b"{}",
        *(
            struct.pack(">I", len(text)) + text
            for text in (
                json.dumps({"arrays": described}).encode()
                for described in (
                    [["a", "object", [1]]],
                    [["a", "float64", [1 << 30, 1 << 30]]],
                    [["a", "float64", [-1]]],
                    [["a", "float64", 3]],
                    [["a", "float64", [2000]]],
                    "x",
                )
            )
        ),
    ],
)
def test_bytes_that_are_no_message_are_refused_before_memory_is_given(raw: bytes) -> None:
    one, other = both_ends()
    one.sendall(raw)
    with pytest.raises(Malformed):
        Channel(other).receive(most_bytes=10_000)


def test_the_other_end_gone_is_noticed_at_once_also_in_the_middle() -> None:
    one, other = both_ends()
    one.sendall(struct.pack(">I", 100) + b"{")
    one.close()
    began = time.monotonic()
    with pytest.raises(Ended):
        Channel(other).receive()
    assert time.monotonic() - began < 1.0


def test_the_watch_is_called_while_waiting_and_while_it_trickles() -> None:
    one, other = both_ends()
    looks: list[float] = []

    def watch() -> None:
        looks.append(time.monotonic())
        if len(looks) >= 5:
            raise TimeoutError("enough")

    stop = threading.Event()

    def trickle() -> None:
        one.sendall(struct.pack(">I", 10_000))
        while not stop.wait(0.01):
            one.sendall(b" ")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    with pytest.raises(TimeoutError, match="enough"):
        Channel(other, watch).receive()
    stop.set()
    thread.join()
