"""The end of a DICOM association: its studies may be complete now."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from foundation import events
from foundation.audit import services as audit
from pacs import completeness
from pacs.models import Study, StudyState
from pacs.services.objects import Source

# A sender that opens an association for every image or two says nothing by closing one.
PAUSE_AFTER_INSTANCES = 8


def close_association(*, source: Source) -> list[int]:
    """Take an ended association out of its studies' counts, record it, and apply the completeness rule.

    A study that is not complete now, but may be, is told of as `SendingPaused`.

    Returns:
        Ids of the studies that are complete now.
    """
    association = source.association
    if association is None or not association.study_ids:
        return []
    study_ids = sorted(association.study_ids)
    with transaction.atomic():
        for study in Study.objects.filter(pk__in=study_ids).select_related("patient").order_by("pk"):
            Study.objects.filter(pk=study.pk, associations_open__gt=0).update(
                associations_open=F("associations_open") - 1
            )
            audit.record(
                audit.Kind.INSTANCES_TRANSFERRED,
                action="C",
                channel=source.channel,
                peer=source.peer or source.label,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient.patient_id,
                detail={
                    "source": source.label,
                    "association": association.key,
                    "phase": "end",
                    "instances": association.instances.get(study.pk, 0),
                },
            )
    association.study_ids.clear()
    completed = completeness.complete_due_studies(study_ids=study_ids)
    brought = {pk for pk in study_ids if association.instances.get(pk, 0) >= PAUSE_AFTER_INSTANCES}
    waiting = Study.objects.filter(pk__in=brought, state=StudyState.RECEIVING, associations_open=0)
    for pk in waiting.values_list("pk", flat=True):
        events.publish(events.SendingPaused(study_id=pk))
    return completed


def forget_associations() -> int:
    """Count every association as ended: no receiver lives, so none can be open.

    A receiver that was killed could not say so itself; its studies would wait for the longer quiet time of
    open associations. Only for a site with one receiver, before that one starts.

    Returns:
        How many studies had one.
    """
    return Study.objects.filter(associations_open__gt=0).update(
        associations_open=0, completion_due_at=timezone.now()
    )
