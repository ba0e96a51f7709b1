"""Where this house's own processes reach each other."""

_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104  (compared with, never bound to)


def reachable(host: str) -> str:
    """The address to connect to where a server listens on `host`; a wildcard is no address to call."""
    return "127.0.0.1" if host in _WILDCARDS else host
