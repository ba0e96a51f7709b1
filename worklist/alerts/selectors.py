"""Reading alerts: whom they concern and who can hear them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from foundation.accounts.models import Role, User
from worklist.alerts import policy
from worklist.alerts.models import OPEN_ALERT_STATES, Alert
from worklist.live.selectors import connected_user_ids


def alerts_of(user: User) -> QuerySet[Alert]:
    """Alerts `user` may see: readers and programs all of them, ER staff those that were told to them."""
    if user.has_role(Role.RADIOLOGIST, Role.SERVICE):
        return Alert.objects.all()
    if not user.has_role(Role.ER_STAFF):
        return Alert.objects.none()
    if not user.department:
        return Alert.objects.all()
    # From rung 1 on the whole ER was told, so the whole ER may look and answer.
    return Alert.objects.filter(Q(department__in=["", user.department]) | Q(rung__gte=1))


def studies_told_of(user: User) -> Q:
    """Studies whose alert `user` may answer: who shall answer must see the preview."""
    return Q(pk__in=alerts_of(user).values("study_id"))


def number_connected(audience: policy.Audience) -> int:
    """How many people of `audience` have a page open now."""
    users = User.objects.filter(pk__in=connected_user_ids(), is_active=True)
    people = users.prefetch_related("role_assignments")
    return sum(
        audience.includes(frozenset(a.role for a in person.role_assignments.all()), person.department)
        for person in people
    )


def next_step(alert: Alert) -> tuple[datetime, str] | None:
    """When an unanswered alert goes on, and to whom; None when it is answered."""
    if alert.state not in OPEN_ALERT_STATES:
        return None
    rung = policy.next_rung(alert.rung, alert.department)
    return alert.deadline_at, policy.audience(rung, alert.department).in_words()
