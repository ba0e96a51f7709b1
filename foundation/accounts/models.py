"""Users, their roles, and the tokens of programs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What somebody is here for. Slugs are stable: the API and the command line use them."""

    RADIOLOGIST = "radiologist", "Radiologist"
    RESIDENT = "resident", "Resident"
    ER_STAFF = "er_staff", "ER staff"
    QA_REVIEWER = "qa_reviewer", "QA reviewer"
    PACS_ADMINISTRATOR = "pacs_administrator", "PACS administrator"
    SERVICE = "service", "Service"


IMPLIED = {Role.RESIDENT.value: frozenset({Role.RADIOLOGIST.value})}
"""A resident reads as radiologists do; what they sign is preliminary until an attending co-signs."""


def with_implied(roles: Iterable[str]) -> frozenset[str]:
    """The roles given and those that come with them."""
    given = frozenset(roles)
    return given.union(*(IMPLIED.get(role, frozenset()) for role in given))


def granting(*roles: str) -> list[str]:
    """Every role whose holders hold one of `roles`, for queries over assignments."""
    return sorted({*roles, *(given for given, implied in IMPLIED.items() if implied.intersection(roles))})


class User(AbstractUser):
    """A person or a program."""

    display_name = models.CharField(max_length=120, blank=True)
    department = models.CharField(
        max_length=120,
        blank=True,
        help_text="ER staff see this department's patients; empty means the whole ER.",
    )
    time_zone = models.CharField(max_length=64, blank=True, help_text="IANA name; empty means the browser's.")
    phone = models.CharField(
        max_length=24, blank=True, help_text="For alerts by SMS: + and digits, with the country's code."
    )

    @cached_property
    def role_slugs(self) -> frozenset[str]:
        """Slugs of the roles held and implied, read once per loaded user."""
        return with_implied(self.role_assignments.values_list("role", flat=True))

    def has_role(self, *roles: str) -> bool:
        """True when the user is active and holds one of `roles`."""
        return self.is_active and not self.role_slugs.isdisjoint(roles)

    def __str__(self) -> str:
        return self.display_name or self.username


class RoleAssignment(models.Model):
    """One role of one user, and who gave it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField(max_length=32, choices=Role.choices)
    granted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="accounts_one_role_once")]

    def __str__(self) -> str:
        return self.get_role_display()


class ApiToken(models.Model):
    """A program's key. Only its SHA-256 is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Token of {self.user}, made {self.created_at:%Y-%m-%d}"
