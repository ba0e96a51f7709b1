"""Which groups a study belongs to: kept true with every rank, and anew for all when a group changes."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F

from pacs.models import Study
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.queue.models import UNREAD_STATES, WorklistItem
from worklist.rota.models import ReadingGroup
from worklist.rota.rules import matches

# Rows of the join table in one statement; SQLite takes few variables.
BATCH = 300


def keep(item: WorklistItem, study: Study, location_class: str) -> bool:
    """Make the item's groups those whose rule the study matches now; True when they changed.

    Args:
        item: locked by the caller.
        study: its study, read after the lock.
        location_class: of the order as it is known now.
    """
    belongs = {
        group.pk
        for group in ReadingGroup.objects.filter(active=True)
        if _matches(group, study.modalities, study.body_part_examined, study.institution_name, location_class)
    }
    if belongs == set(item.groups.values_list("pk", flat=True)):
        return False
    item.groups.set(belongs)
    return True


def regroup(group: ReadingGroup) -> int:
    """Put every unread study into or out of `group` after its rule changed; returns how many moved.

    Open pages are told of each; call it in the transaction that changed the group.
    """
    rows = WorklistItem.objects.filter(state__in=UNREAD_STATES).values_list(
        "pk",
        "study__modalities",
        "study__body_part_examined",
        "study__institution_name",
        "location_class",
    )
    belongs = {pk for pk, *said in rows.iterator() if group.active and _matches(group, *said)}
    through = WorklistItem.groups.through
    unread = through.objects.filter(readinggroup=group, worklistitem__state__in=UNREAD_STATES)
    belonged = set(unread.values_list("worklistitem_id", flat=True))
    through.objects.bulk_create(
        (through(worklistitem_id=pk, readinggroup_id=group.pk) for pk in sorted(belongs - belonged)),
        ignore_conflicts=True,
        batch_size=BATCH,
    )
    for part in _parts(belonged - belongs):
        through.objects.filter(readinggroup=group, worklistitem_id__in=part).delete()
    moved = belongs ^ belonged
    for part in _parts(moved):
        WorklistItem.objects.filter(pk__in=part).update(version=F("version") + 1)
        for pk, version in WorklistItem.objects.filter(pk__in=part).values_list("pk", "version"):
            announce(Topic.WORKLIST, pk, version)
    return len(moved)


def _matches(
    group: ReadingGroup, modalities: str, body_part: str, institution: str, location_class: str
) -> bool:
    return matches(
        group,
        modalities=modalities.split("\\"),
        body_part=body_part,
        institution=institution,
        location_class=location_class,
    )


def _parts(ids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(ids)
    return (ordered[n : n + BATCH] for n in range(0, len(ordered), BATCH))
