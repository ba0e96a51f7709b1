"""A POST to an address that somebody chose: signed, pinned, and only where the site allows it.

The address is looked up once and the connection made to exactly what was found, so that a name cannot
point elsewhere between the check and the connection. Addresses inside the site's own network, of this
machine and of cloud metadata services are refused unless the site names them (FIRSTREAD_WEBHOOK_NETWORKS).
Redirects are not followed. Only the status of the answer counts; its body is not read.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

SIGNATURE: Final = "X-Firstread-Signature"
DELIVERY: Final = "X-Firstread-Delivery"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
_LATER: Final = (408, 425, 429)


class NotSent(Exception):
    """The receiver has not taken it."""


class Unreachable(NotSent):
    """It does not answer: everything for it waits, and one at a time is tried again."""


class NotNow(NotSent):
    """It answered, and did not take this one: this one is tried again later."""


class Refused(NotSent):
    """It will never take this one as it is: a person has to look.

    Attributes:
        status: of its answer; None when it was not asked.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Target:
    """An address taken apart, and where it lies now."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def post_signed(url: str, body: bytes, *, content_type: str, secret: str, delivery: str, at: int) -> str:
    """POST `body` with its signature; returns the status line that accepted it.

    Args:
        content_type: of the body.
        secret: the receiver has it too, and checks SIGNATURE with it.
        delivery: names this delivery, the same at every attempt.
        at: seconds since 1970, part of what is signed so that an old one cannot be played again.

    Raises:
        NotSent: as `post`.
    """
    headers = {DELIVERY: delivery, SIGNATURE: f"t={at},v1={signature(secret, at, body)}"}
    return post(url, body, headers={"Content-Type": content_type} | headers)


def post(url: str, body: bytes, *, headers: Mapping[str, str]) -> str:
    """POST `body`; returns the status line that accepted it.

    Raises:
        Unreachable: no connection, or no answer in time.
        NotNow: 408, 425, 429 or 5xx.
        Refused: an address that is not allowed, or another answer than 2xx, redirects among them.
    """
    target = resolve(url)
    always = {
        "Host": target.host if target.port in (80, 443) else f"{target.host}:{target.port}",
        "User-Agent": f"Firstread/{settings.VERSION}",
    }
    connection = _Pinned(target)
    try:
        connection.request("POST", target.path, body=body, headers=always | dict(headers))
        status = connection.getresponse().status
    except TimeoutError:
        raise Unreachable(f"{target.host} did not answer in time.") from None
    except ssl.SSLError as error:
        raise Unreachable(f"{target.host}: no TLS connection ({error.reason}).") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{target.host} is not reached ({type(error).__name__}).") from None
    finally:
        connection.close()
    if 200 <= status < 300:
        return f"HTTP {status}"
    if status >= 500 or status in _LATER:
        raise NotNow(f"{target.host} answered HTTP {status}.")
    if 300 <= status < 400:
        raise Refused(
            f"{target.host} answered HTTP {status}: redirects are not followed. Change the address.", status
        )
    raise Refused(f"{target.host} answered HTTP {status}.", status)


def signature(secret: str, at: int, body: bytes) -> str:
    """HMAC-SHA256 of `<at>.<body>` in hexadecimal."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def resolve(url: str) -> Target:
    """Where an address lies, if it may be called.

    Raises:
        Refused: not http(s), with a password in it, or inside a network that the site has not named.
        Unreachable: the name is not known now.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Refused("The address names no port that exists.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("A webhook's address begins with https://.")
    if parts.username or parts.password:
        raise Refused("The address must not hold a password. The signature proves who sends.")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise Unreachable(f"The name {parts.hostname} is not known.") from None
    addresses = [str(info[4][0]) for info in found]
    for address in addresses:
        _check(address, encrypted=parts.scheme == "https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not re.fullmatch(r"[\x21-\x7e]+", path):
        raise Refused("The address has characters that no URL has.")
    return Target(parts.scheme, parts.hostname, port, path, addresses[0])


def _check(address: str, *, encrypted: bool) -> None:
    ip = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if any(ip in network for network in _named_networks()):
        return
    if not encrypted:
        raise Refused("Outside the site's named networks a webhook's address begins with https://.")
    if not ip.is_global or ip.is_multicast:
        raise Refused(
            f"{ip} lies inside a private network. If messages may go there, name it in FIRSTREAD_WEBHOOK_NETWORKS."
        )


def _named_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(one, strict=False) for one in settings.REPORT_WEBHOOK_NETWORKS]


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, under the name that the certificate must have."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=ANSWER_SECONDS)
        self._target = target

    def connect(self) -> None:
        self.sock = socket.create_connection((self._target.address, self._target.port), CONNECT_SECONDS)
        self.sock.settimeout(ANSWER_SECONDS)
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._target.host)
