"""What a reader is given while AI is hidden from them: the same documents, with nothing of AI in them.

The list keeps its order: a study that AI raised stands where it was raised to, and its deadline is the one it
is ordered by. Why is not told. See worklist/reading and docs/adr/0028-reading-modes.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, TextChoices

from foundation.accounts.models import User
from pacs.selectors import hide_withheld
from worklist.alerts.models import Alert, Delivery
from worklist.queue.models import AiStatus, RankChange, WorklistItem
from worklist.reading.selectors import Blindness, blindness, hidden_studies

HIDDEN = "hidden"
# Causes of worklist/flows.py that are news of AI.
AI_CAUSES = ("AI planned", "AI started", "AI result", "AI documents")
_AI_CODES = frozenset({"ai_finding", "second_opinion"})


class ShownAiStatus(TextChoices):
    """The status that a row shows: AI's own, or that the reader's mode hides it."""

    NOT_APPLICABLE = AiStatus.NOT_APPLICABLE.value, AiStatus.NOT_APPLICABLE.label
    WAITING = AiStatus.WAITING.value, AiStatus.WAITING.label
    RUNNING = AiStatus.RUNNING.value, AiStatus.RUNNING.label
    DONE = AiStatus.DONE.value, AiStatus.DONE.label
    FAILED = AiStatus.FAILED.value, AiStatus.FAILED.label
    NOT_ANALYSED = AiStatus.NOT_ANALYSED.value, AiStatus.NOT_ANALYSED.label
    HIDDEN = HIDDEN, "Hidden from this reader"


def before_documents(items: Sequence[WorklistItem], user: User) -> Blindness:
    """Take AI's series out of the studies' counts, on the loaded rows; returns what is hidden of them."""
    blind = blindness(user, [item.study_id for item in items])
    if blind.studies:
        hide_withheld(user, [item.study for item in items])
    return blind


def item(document: dict[str, Any], mode: str) -> dict[str, Any]:
    """A row as a reader from whom AI is hidden is given it; `mode` empty: as it is."""
    if not mode:
        return document | {"ai_hidden": None}
    return document | {
        "due_without_ai_at": document["due_at"],
        "reasons": reasons(document["reasons"]),
        "ai_status": HIDDEN,
        "ai_reason": "",
        "findings": [],
        "ai_hidden": mode,
    }


def reasons(told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reasons for a rank without AI's."""
    return [one for one in told if one["code"] not in _AI_CODES and not one["text"].startswith("AI")]


def history(changes: QuerySet[RankChange], hidden: bool) -> list[RankChange]:
    """Steps of a rank; where AI is hidden, without those that AI made."""
    if not hidden:
        return list(changes)
    shown = list(changes.exclude(cause__in=AI_CAUSES))
    for change in shown:
        change.reasons = reasons(change.reasons)
    return shown


def flagged(user: User) -> Q:
    """Items that AI raised, as far as `user` may know: what is hidden counts as not raised."""
    hidden = hidden_studies(user)
    raised = Q(ai_flagged=True)
    return raised if hidden is None else raised & ~Q(study__in=hidden.values("pk"))


def with_status(items: QuerySet[WorklistItem], user: User, statuses: Sequence[str]) -> QuerySet[WorklistItem]:
    """Items by what AI says; those from whose reader it is hidden have no status to search by."""
    found = items.filter(ai_status__in=statuses)
    hidden = hidden_studies(user)
    return found if hidden is None else found.exclude(study__in=hidden.values("pk"))


def alerts(shown: QuerySet[Alert], user: User) -> QuerySet[Alert]:
    """Alerts without those of studies whose AI is hidden from `user`.

    One that was told to them by name stays: whoever was called must be able to answer.
    """
    hidden = hidden_studies(user)
    if hidden is None:
        return shown
    told = Delivery.objects.filter(alert=OuterRef("pk"), user=user)
    return shown.filter(~Q(study__in=hidden.values("pk")) | Exists(told) | Q(acknowledged_by=user))


def without_hidden(rows: Any, user: User, study: str = "study") -> Any:
    """Rows about AI, without those of studies where it is hidden from `user`; `study` is their path to it."""
    hidden = hidden_studies(user)
    return rows if hidden is None else rows.exclude(**{f"{study}__in": hidden.values("pk")})


def report(document: dict[str, Any], hidden: bool) -> dict[str, Any]:
    """A draft without AI's suggestions and without the decisions on its findings.

    Its checks are made without AI already: see worklist.reports.checks.Facts.
    """
    if not hidden:
        return document
    return document | {
        "sections": [section | {"suggestions": []} for section in document["sections"]],
        "decisions": {},
        "ai_models": [],
        "offers": [],
    }
