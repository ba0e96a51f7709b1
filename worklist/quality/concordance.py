"""Did AI and the signed report say the same, and who looks at it again? Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

POSITIVE, NEGATIVE = "positive", "negative"
UNCERTAIN, NOT_STATED = "uncertain", "not_stated"
INDETERMINATE = "indeterminate"
FAILED, NOT_ANALYSED = "failed", "not_analysed"
CONCORDANT, DISCORDANT, NOT_COMPARABLE = "concordant", "discordant", "not_comparable"
SAMPLED_DISCORDANT, SAMPLED_RANDOM, NOT_SAMPLED = "discordant", "random", ""

_BY_CONCLUSION: Final = {"present": POSITIVE, "absent": NEGATIVE, "indeterminate": UNCERTAIN}


def reader_result(conclusion: str, decisions: Iterable[str]) -> str:
    """What the signed report says of a model's target finding.

    Args:
        conclusion: the structured answer: present, absent, indeterminate, or "" when none was given.
        decisions: accepted, uncertain or rejected, on this run's possible findings.

    Returns:
        positive, negative, uncertain or not_stated. The answer on the whole study wins over decisions on
        single findings; it is what remains when AI found nothing.
    """
    if conclusion in _BY_CONCLUSION:
        return _BY_CONCLUSION[conclusion]
    said = set(decisions)
    if "accepted" in said:
        return POSITIVE
    if "uncertain" in said:
        return UNCERTAIN
    return NEGATIVE if said else NOT_STATED


def concordance(ai_result: str, reader: str, decisions: Iterable[str]) -> str:
    """Do they agree?

    A flag whose every finding the reader rejected is discordant even where the study is positive: AI was
    right about the patient for a wrong reason, and somebody should look.
    """
    if ai_result not in (POSITIVE, NEGATIVE) or reader not in (POSITIVE, NEGATIVE):
        return NOT_COMPARABLE
    said = set(decisions)
    if ai_result != reader or (ai_result == POSITIVE and said == {"rejected"}):
        return DISCORDANT
    return CONCORDANT


def together(compared: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """What reader and comparison say of a run as a whole, from those of its findings; one or more.

    The reader is positive when one finding is, negative when all are. One disagreement is enough for the run
    to be discordant, even where both find something: somebody should look.
    """
    readers = [reader for reader, _ in compared]
    verdicts = {verdict for _, verdict in compared}
    agreement = next((v for v in (DISCORDANT, CONCORDANT) if v in verdicts), NOT_COMPARABLE)
    for whole in (POSITIVE, UNCERTAIN, NOT_STATED):
        if whole in readers:
            return whole, agreement
    return NEGATIVE, agreement


def sample(verdict: str, *, key: str, rate: float, first: bool) -> str:
    """Why a case goes to the reviewers, or "".

    All that is discordant, and of the rest a share that depends on nothing but the key, so that nobody
    can choose, and asking again gives the same answer.

    Args:
        verdict: of `concordance`.
        key: names the case.
        rate: share of the rest, 0 to 1.
        first: no concordant case of this model was sampled yet; one is always shown.
    """
    if verdict == DISCORDANT:
        return SAMPLED_DISCORDANT
    if (first and verdict == CONCORDANT) or _fraction(key) < rate:
        return SAMPLED_RANDOM
    return NOT_SAMPLED


def verdict_of_agreement(reader: str) -> str:
    """What a reviewer holds true who agrees with the report; "" when it says nothing."""
    return {POSITIVE: POSITIVE, NEGATIVE: NEGATIVE, UNCERTAIN: INDETERMINATE}.get(reader, "")


def _fraction(key: str) -> float:
    """0 <= x < 1, evenly spread over keys."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48
