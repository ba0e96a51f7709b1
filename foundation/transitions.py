"""The one way a status changes: a table of legal moves and a guarded UPDATE.

A machine is a table (state, event) -> state. `apply` runs
`UPDATE … SET status = new WHERE pk = … AND status = expected`; when no row changes, somebody else
was faster, and the caller is told so instead of overwriting their move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import F, Q


class IllegalTransition(Exception):
    """The table has no move for this state and event."""


class LostRace(Exception):
    """The row was not in the expected state any more."""


@dataclass(frozen=True)
class Machine:
    """States and moves of one kind of row.

    Attributes:
        name: for messages, e.g. "report".
        field: the model field that holds the state.
        table: (state, event) -> new state.
        version_field: an integer field raised by one with every move, or "".
    """

    name: str
    table: Mapping[tuple[str, str], str]
    field: str = "state"
    version_field: str = ""

    def sources(self, event: str) -> tuple[str, ...]:
        """All states from which `event` may happen."""
        return tuple(state for (state, name) in self.table if name == event)

    def target(self, state: str, event: str) -> str:
        """The state after `event`; raises IllegalTransition when the table has no such move."""
        try:
            return self.table[(state, event)]
        except KeyError:
            raise IllegalTransition(f"A {self.name} that is {state} cannot {event}.") from None

    def apply(
        self,
        row: models.Model,
        event: str,
        *,
        expected: Mapping[str, Any] | None = None,
        guard: Q | None = None,
        **updates: Any,
    ) -> None:
        """Move `row` by `event` and write `updates` in the same statement.

        Args:
            row: an instance as the caller last read it; its state is the expected one. Updated in place.
            event: name of the move.
            expected: further field values that must still hold (optimistic lock on a version).
            guard: a further condition on the row, where equality is not enough (an expired lease).
            updates: other fields to set together with the state.

        Raises:
            IllegalTransition: the move does not exist.
            LostRace: the row changed since it was read.
        """
        current = getattr(row, self.field)
        new = self.target(current, event)
        values: dict[str, Any] = {self.field: new, **updates}
        if self.version_field:
            values[self.version_field] = F(self.version_field) + 1
        query = type(row)._default_manager.filter(pk=row.pk, **{self.field: current}, **(expected or {}))
        if guard is not None:
            query = query.filter(guard)
        if query.update(**values) == 0:
            raise LostRace(f"This {self.name} changed meanwhile and is no longer {current}. Load it again.")
        row.refresh_from_db(fields=list(values))
