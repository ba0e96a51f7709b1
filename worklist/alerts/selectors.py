"""Reading alerts: whom they concern and who can hear them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from foundation.accounts.models import Role, User, granting, with_implied
from worklist.alerts import policies, policy
from worklist.alerts.ladders import Group
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, Delivery
from worklist.live.selectors import connected_user_ids


def alerts_of(user: User) -> QuerySet[Alert]:
    """Alerts `user` may see: readers and programs all of them, ER staff those that were told to them."""
    if user.has_role(Role.RADIOLOGIST, Role.SERVICE):
        return Alert.objects.all()
    if not user.has_role(Role.ER_STAFF):
        return Alert.objects.none()
    if not user.department:
        return Alert.objects.all()
    # Whoever was told may look and answer: the whole ER, or somebody by name.
    told = Delivery.objects.filter(Q(recipient=Group.ER.value) | Q(user=user), alert=OuterRef("pk"))
    # Alerts from before there was a log of messages told the whole ER from rung 1 on.
    before = Q(policy_version="", rung__gte=1)
    return Alert.objects.filter(Q(department__in=["", user.department]) | before | Exists(told))


def studies_told_of(user: User) -> Q:
    """Studies whose alert `user` may answer: who shall answer must see the preview."""
    return Q(pk__in=alerts_of(user).values("study_id"))


def number_connected(audiences: Iterable[policy.Audience]) -> int:
    """How many people of these groups have a page open now."""
    groups = tuple(audiences)
    users = User.objects.filter(pk__in=connected_user_ids(), is_active=True)
    return sum(
        any(group.includes(roles_of(person), person.department) for group in groups)
        for person in users.prefetch_related("role_assignments")
    )


def people_of(audiences: Iterable[policy.Audience]) -> list[User]:
    """Everybody with an account whom these groups name, by id."""
    groups = tuple(audiences)
    roles = {role for group in groups for role in group.roles}
    users = (
        User.objects.filter(is_active=True, role_assignments__role__in=granting(*roles))
        .distinct()
        .prefetch_related("role_assignments")
        .order_by("pk")
    )
    return [u for u in users if any(group.includes(roles_of(u), u.department) for group in groups)]


def roles_of(person: User) -> frozenset[str]:
    """Roles of a person whose assignments were loaded with them."""
    return with_implied(assignment.role for assignment in person.role_assignments.all())


def next_step(alert: Alert) -> tuple[datetime, str] | None:
    """When an unanswered alert goes on, and to whom; None when it is answered."""
    if alert.state not in OPEN_ALERT_STATES:
        return None
    rule = policies.rule_of(alert)
    following = rule.rung(rule.after(alert.rung, alert.department))
    return alert.deadline_at, following.in_words(alert.department)
