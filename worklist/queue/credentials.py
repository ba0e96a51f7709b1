"""Whom `next` may hand a study, by groups: membership is the credential."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from foundation.accounts.models import User
from worklist.queue.models import WorklistItem
from worklist.rota.models import Membership


def of_other_groups(user: User) -> Q:
    """Items that belong to groups with readers, to none that `user` reads for, and are not shared.

    A study of several groups is anybody's who reads for one of them. What was shared because its groups
    are not on duty, and what no group's readers could read, is nobody's alone.
    """
    of_item = WorklistItem.groups.through.objects.filter(
        worklistitem=OuterRef("pk"), readinggroup__active=True
    )
    readers = Membership.objects.filter(group=OuterRef("readinggroup"), user__is_active=True)
    somebodys = Exists(of_item.filter(Exists(readers)))
    mine = Exists(of_item.filter(readinggroup__memberships__user=user))
    return Q(somebodys, shared_at__isnull=True) & ~Q(mine)
