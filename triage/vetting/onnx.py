"""ONNX files (`model.onnx`): operators of other makers, and paths to further files.

Reads the protobuf itself (onnx.proto3 of ONNX 1.17: field numbers below), so that nothing of a library that
follows such paths is called.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from triage.vetting.pickles import MOST_FAULTS

STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
DEEPEST = 32
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Field numbers by message: number -> the message that the field holds.
MESSAGES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "Opset", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 9: "Opset", 11: "Attribute"},
    "Opset": {},
    "Entry": {},
}
Field = tuple[int, int, memoryview]


class NotOnnx(Exception):
    """The bytes are no protobuf message of this kind."""


def onnx_faults(path: Path) -> list[str]:
    """What is wrong with an ONNX file, each with the graph's node or tensor."""
    if path.stat().st_size == 0:
        return ["is empty"]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        try:
            return _model_faults(whole)
        except NotOnnx as error:
            return [f"is no ONNX model ({error})"]
        finally:
            whole.release()


def _model_faults(whole: memoryview) -> list[str]:
    own = frozenset(
        _text(value)
        for number, _, function in _fields(whole)
        if number == 25
        for field, _, value in _fields(function)
        if field == 10
    )
    numbers = {number for number, _, _ in _fields(whole)}
    if 7 not in numbers or 8 not in numbers:
        raise NotOnnx("no graph or no operator set")
    return list(_faults(whole, "Model", "", STANDARD_DOMAINS | own, 0))[:MOST_FAULTS]


def _faults(message: memoryview, kind: str, where: str, domains: frozenset[str], depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise NotOnnx("nested too deeply")
    fields = list(_fields(message))
    if kind == "Node":
        texts = {number: _text(value) for number, wire, value in fields if number in (3, 4, 7) and wire == 2}
        name, operator, domain = texts.get(3, ""), texts.get(4, ""), texts.get(7, "")
        where = f"node {name or operator!r}"
        if domain not in domains:
            yield f"{where}: operator {operator} of the custom domain {domain!r}"
    elif kind == "Tensor":
        yield from _external(fields)
    for number, wire, value in fields:
        inner = MESSAGES[kind].get(number)
        if inner and inner not in ("Opset", "Entry"):
            if wire != _BYTES:
                raise NotOnnx(f"field {number} of {kind} is no message")
            yield from _faults(value, inner, where, domains, depth + 1)


def _external(fields: list[Field]) -> Iterator[str]:
    name = next((_text(value) for number, _, value in fields if number == 8), "")
    entries = [dict(_entry(value)) for number, _, value in fields if number == 13]
    pairs = {entry.get(1, ""): entry.get(2, "") for entry in entries}
    located = any(number == 14 and value.tobytes() != b"\x00" for number, _, value in fields)
    if not pairs and not located:
        return
    location = pairs.get("location", "")
    outside = location.startswith(("/", "\\")) or ".." in location.replace("\\", "/").split("/")
    what = "reaches outside the bundle for" if outside or ":" in location else "keeps its numbers in"
    yield f"tensor {name!r}: {what} the file {location!r}: save all data in the model's own file"


def _entry(message: memoryview) -> Iterator[tuple[int, str]]:
    for number, wire, value in _fields(message):
        if wire == _BYTES:
            yield number, _text(value)


def _fields(message: memoryview) -> Iterator[Field]:
    """(field number, wire type, value); a varint's value is its bytes."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        start = place
        if wire == _VARINT:
            _, place = _varint(message, place)
        elif wire == _BYTES:
            length, start = _varint(message, place)
            place = start + length
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
        else:
            raise NotOnnx(f"wire type {wire} at byte {place}")
        if place > end or number == 0:
            raise NotOnnx(f"a field ends at byte {place} of {end}")
        yield number, wire, message[start:place]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise NotOnnx("ends in a number")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise NotOnnx("a number is too long")


def _text(value: memoryview) -> str:
    return value.tobytes()[:500].decode("utf-8", errors="replace")
