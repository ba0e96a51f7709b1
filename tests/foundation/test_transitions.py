"""A status changes by the table, and only when it still is what the caller saw."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition, LostRace, Machine

pytestmark = pytest.mark.django_db
# Any model with a text column will do: a department that can be opened and closed.
DEPARTMENT = Machine("department", {("", "open"): "open", ("open", "close"): "closed"}, field="department")


def test_a_move_in_the_table_changes_the_row_and_further_fields(make_user: Callable[..., User]) -> None:
    user = make_user()
    DEPARTMENT.apply(user, "open", display_name="Opened")
    assert (user.department, user.display_name) == ("open", "Opened")


def test_a_move_not_in_the_table_is_refused(make_user: Callable[..., User]) -> None:
    with pytest.raises(IllegalTransition, match="cannot close"):
        DEPARTMENT.apply(make_user(), "close")


def test_the_second_of_two_who_saw_the_same_state_loses(make_user: Callable[..., User]) -> None:
    first = make_user()
    second = User.objects.get(pk=first.pk)
    DEPARTMENT.apply(first, "open")
    with pytest.raises(LostRace):
        DEPARTMENT.apply(second, "open")
    assert DEPARTMENT.sources("close") == ("open",)
