"""Secrets of destinations at rest: encrypted with a key made from the site's SECRET_KEY.

Whoever has the database alone cannot sign as this site. A changed SECRET_KEY opens what was sealed before
as long as the old one stands in SECRET_KEY_FALLBACKS.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unreadable(Exception):
    """The secret was sealed with another SECRET_KEY: enter it again."""


def seal(secret: str) -> str:
    """The secret as it may be stored."""
    return _keys().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret; raises Unreadable when the key is another."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("The secret cannot be read with this site's key. Enter it again.") from None


def _keys() -> MultiFernet:
    return MultiFernet([_key(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret_key: str | bytes) -> Fernet:
    raw = secret_key.encode() if isinstance(secret_key, str) else secret_key
    digest = hashlib.sha256(b"firstread report destinations\0" + raw).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
