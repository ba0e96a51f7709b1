"""Saved lists: a reader's own view of the worklist under a name, for themselves or for everybody."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, Max, Q, QuerySet, When

from foundation.accounts.models import User
from worklist.queue.models import SavedList

MOST_LISTS = 50
DENSITIES = ("comfortable", "compact")


class NotSaved(ValueError):
    """The list cannot be kept so; the message says why and what would do."""


def lists_for(user: User) -> QuerySet[SavedList]:
    """One's own in one's own order, then what others share, by name."""
    seen = SavedList.objects.filter(Q(owner=user) | Q(shared=True, owner__is_active=True))
    others = Case(When(owner=user, then=0), default=1)
    return seen.select_related("owner").order_by(others, "position", "name", "pk")


def save(*, owner: User, name: str, **values: Any) -> SavedList:
    """Keep a view under a name, after the others.

    Args:
        owner: whose.
        name: theirs alone; others may use the same.
        values: filters, columns, density, shared.

    Raises:
        NotSaved: the name is taken, or there are too many.
    """
    own = SavedList.objects.filter(owner=owner)
    if own.count() >= MOST_LISTS:
        raise NotSaved(f"You keep {MOST_LISTS} lists already. Delete one first.")
    last = own.aggregate(last=Max("position"))["last"]
    values.setdefault("position", 0 if last is None else last + 1)
    try:
        with transaction.atomic():
            return SavedList.objects.create(owner=owner, name=name, **values)
    except IntegrityError:
        raise NotSaved(f"You have a list named {name} already. Choose another name.") from None


def change(*, saved: SavedList, **values: Any) -> SavedList:
    """Rename, share, reorder or fill one's list anew.

    Raises:
        NotSaved: the name is taken.
    """
    for field, value in values.items():
        setattr(saved, field, value)
    try:
        with transaction.atomic():
            saved.save(update_fields=[*values, "updated_at"])
    except IntegrityError:
        raise NotSaved(f"You have a list named {saved.name} already. Choose another name.") from None
    return saved
