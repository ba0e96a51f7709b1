"""A report for a webhook: signed, pinned and sent as foundation/webhooks.py does."""

from __future__ import annotations

from typing import Final

from foundation.webhooks import DELIVERY, SIGNATURE, Target, post_signed, resolve, signature

CONTENT_TYPE: Final = "application/fhir+json"

__all__ = ["CONTENT_TYPE", "DELIVERY", "SIGNATURE", "Target", "post", "resolve", "signature"]


def post(url: str, body: bytes, *, secret: str, delivery: str, at: int) -> str:
    """POST FHIR; see foundation.webhooks.post_signed."""
    return post_signed(url, body, content_type=CONTENT_TYPE, secret=secret, delivery=delivery, at=at)
