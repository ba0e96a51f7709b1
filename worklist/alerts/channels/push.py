"""Web Push: encrypted for one browser (RFC 8291, aes128gcm) and signed by this site (VAPID, RFC 8292).

The site's key is made once per data folder and never changes, because browsers subscribe to it. The push
service sees that this site sends something, not what.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from py_vapid import Vapid02

from foundation import webhooks
from foundation.webhooks import Refused
from worklist.alerts.channels.wording import Words
from worklist.alerts.models import PushSubscription

SECONDS_TO_LIVE: Final = 300
POINT_BYTES: Final = 65
AUTH_BYTES: Final = 16


def send(browser: PushSubscription, words: Words) -> str:
    """Send the message to `browser`; raises what foundation.webhooks.post raises."""
    try:
        their_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(browser.p256dh))
        body = http_ece.encrypt(
            payload(words),
            private_key=ec.generate_private_key(ec.SECP256R1()),
            dh=their_key.public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            ),
            auth_secret=decoded(browser.auth),
            version="aes128gcm",
        )
    except (ValueError, http_ece.ECEException):
        raise Refused("The keys of this browser are not usable. Switch its messages on again.") from None
    headers = {
        "TTL": str(SECONDS_TO_LIVE),
        "Urgency": "high",
        # A newer message about the same alert replaces one that waits at the push service.
        "Topic": f"alert-{words.alert}",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    return webhooks.post(browser.endpoint, body, headers=headers | _signed(browser.endpoint))


def payload(words: Words) -> bytes:
    """What the service worker gets: no patient data."""
    return json.dumps(
        {
            "title": "Urgent alert",
            "body": words.title,
            "tag": f"alert-{words.alert}",
            "url": words.link,
        }
    ).encode()


def public_key() -> str:
    """The site's key as browsers want it: the uncompressed point in unpadded base64url."""
    point = _site_key().public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def usable(p256dh: str, auth: str) -> bool:
    """True when these are keys of a browser: a point of P-256 and 16 bytes."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(p256dh))
        return len(decoded(auth)) == AUTH_BYTES
    except ValueError:
        return False


def decoded(value: str) -> bytes:
    """Bytes of base64url without padding; raises ValueError."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("This is no base64url.") from error


def _signed(endpoint: str) -> dict[str, str]:
    parts = urlsplit(endpoint)
    contact = f"mailto:{settings.DEFAULT_FROM_EMAIL}"
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": contact}
    signed: dict[str, str] = _site_key().sign(claims)
    return signed


def _site_key() -> Vapid02:
    path: Path = settings.ALERT_PUSH_KEY_FILE
    if not path.exists():
        _make_key(path)
    return Vapid02.from_pem(path.read_bytes())


def _make_key(path: Path) -> None:
    """Two processes may come here at once: the first whole file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle, name = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
