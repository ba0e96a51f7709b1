"""What crosses between a worker and a model's process: JSON and raw arrays, framed by their lengths.

The process is not trusted. Nothing that it sends is unpickled or looked up by name, and no length is
believed beyond what the caller allows.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LONGEST_JSON = 16 << 20
_DTYPES = frozenset({"bool", "uint8", "int16", "int32", "int64", "float32", "float64"})
_MOST_ARRAYS = 256
WATCH_SECONDS = 0.05

Arrays = dict[str, NDArray[Any]]


class Ended(Exception):
    """The other side closed the connection."""


class Malformed(Exception):
    """The other side sent what is no message."""


class Channel:
    """One end of a stream of messages.

    Args:
        end: a connected stream socket; the channel owns it.
        watch: called about every WATCH_SECONDS while waiting; may raise to give up.
    """

    def __init__(self, end: socket.socket, watch: Callable[[], None] | None = None) -> None:
        self._socket = end
        self._watch = watch
        self._watched = time.monotonic()
        self._sending = threading.Lock()
        self.rearm()

    def rearm(self) -> None:
        """Wait as a channel does, after somebody looked at the socket in another way."""
        self._socket.settimeout(WATCH_SECONDS if self._watch is not None else None)

    def close(self) -> None:
        """Close this end; the other side reads the end of the stream."""
        self._socket.close()

    def send(self, message: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Raises Ended when nobody is there any more."""
        arrays = arrays or {}
        described = [[name, a.dtype.name, list(a.shape)] for name, a in arrays.items()]
        head = json.dumps({**message, "arrays": described}, allow_nan=False).encode()
        with self._sending:
            self._write(memoryview(struct.pack(">I", len(head)) + head))
            for array in arrays.values():
                if array.size:
                    self._write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def receive(self, *, most_bytes: int = 0) -> tuple[dict[str, Any], Arrays]:
        """The next message and its arrays.

        Args:
            most_bytes: of all arrays together.

        Raises:
            Ended: there will be none.
            Malformed: it is no message, or longer than allowed.
        """
        (length,) = struct.unpack(">I", self._read(4))
        if length > _LONGEST_JSON:
            raise Malformed(f"a message of {length} bytes")
        try:
            message = json.loads(bytes(self._read(length)))
            described = message.pop("arrays")
            shapes = [(str(name), str(dtype), _shape(shape)) for name, dtype, shape in described]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Malformed("a message that is not JSON as agreed") from error
        if len(shapes) > _MOST_ARRAYS or any(dtype not in _DTYPES for _, dtype, _ in shapes):
            raise Malformed("arrays of an unknown kind")
        sizes = [math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in shapes]
        if sum(sizes) > most_bytes:
            raise Malformed(f"arrays of {sum(sizes)} bytes, more than {most_bytes}")
        arrays = {
            name: np.frombuffer(self._read(size), dtype=dtype).reshape(shape)
            for (name, dtype, shape), size in zip(shapes, sizes, strict=True)
        }
        return message, arrays

    def _read(self, count: int) -> bytearray:
        content = bytearray(count)
        view, at = memoryview(content), 0
        while at < count:
            try:
                got = self._socket.recv_into(view[at:])
            except TimeoutError:
                self._look()
                continue
            except OSError as error:
                raise Ended from error
            if got == 0:
                raise Ended
            at += got
            self._look()
        return content

    def _write(self, content: memoryview) -> None:
        while content:
            try:
                content = content[self._socket.send(content) :]
            except TimeoutError:
                pass
            except OSError as error:
                raise Ended from error
            self._look()

    def _look(self) -> None:
        """Also between two pieces that do come: a trickle must not keep the watch away."""
        if self._watch is not None and time.monotonic() - self._watched >= WATCH_SECONDS:
            self._watched = time.monotonic()
            self._watch()


def _shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n <= 1 << 31 for n in shape):
        raise TypeError("no shape")
    return tuple(shape)
