"""Where this house's own processes reach each other, and which addresses are free."""

from __future__ import annotations

import socket

_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104  (compared with, never bound to)


def reachable(host: str) -> str:
    """The address to connect to where a server listens on `host`; a wildcard is no address to call."""
    return "127.0.0.1" if host in _WILDCARDS else host


def port_is_free(host: str, port: int) -> bool:
    """True when this process could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
