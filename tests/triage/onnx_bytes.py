"""ONNX models written byte by byte, field numbers as in onnx.proto3: no library needed to make bad ones."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field: text and messages with their length, numbers as varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def node(operator: str = "Relu", domain: str = "", attributes: bytes = b"") -> bytes:
    """A NodeProto x -> y."""
    return (
        field(1, "x")
        + field(2, "y")
        + field(4, operator)
        + (field(7, domain) if domain else b"")
        + attributes
    )


def external(location: str) -> bytes:
    """A TensorProto named w whose data lie in another file."""
    pair = field(1, "location") + field(2, location)
    return field(1, 1) + field(2, 1) + field(8, "w") + field(13, pair) + field(14, 1)


def onnx_model(*, nodes: tuple[bytes, ...] = (), tensors: tuple[bytes, ...] = (), more: bytes = b"") -> bytes:
    """A ModelProto with a graph of these nodes and initializers; `more` is appended as it is."""
    graph = b"".join(field(1, n) for n in nodes or (node(),)) + field(2, "g")
    graph += b"".join(field(5, tensor) for tensor in tensors)
    return field(1, 8) + field(8, field(2, 17)) + field(7, graph) + more
