"""A model's local positive predictive value as the findings' documents show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from worklist.quality import selectors


def local_ppv(model_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """`{value, low, high, flags, true_flags}` by model id; models without a judged flag are left out."""
    return {
        model_id: {**asdict(found.share), "flags": found.flags, "true_flags": found.true_flags}
        for model_id, found in selectors.local_ppv(model_ids).items()
    }
