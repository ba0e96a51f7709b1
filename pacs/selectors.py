"""Reading the archive."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Q, QuerySet

from foundation.accounts.models import Role, User
from pacs import storage
from pacs.models import Instance, LocationClass, Patient, QuarantinedObject, Series, Study, StudyState

# Rooms above know of further studies that somebody was told about (an alert); each gives a condition.
_told_of: list[Callable[[User], Q]] = []

SEES_ALL = (Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)


def studies_visible_to(user: User | AnonymousUser) -> QuerySet[Study]:
    """Studies a user may know of.

    ER staff see studies ordered for the ER: of their own department, or of all when their account names
    none; and studies that a room above told them of. The other roles see every study; an account without
    a role sees nothing.
    """
    if not isinstance(user, User):
        return Study.objects.none()
    if user.has_role(*SEES_ALL):
        return Study.objects.all()
    if user.has_role(Role.ER_STAFF):
        mine = Q(order__location_class=LocationClass.ER)
        if user.department:
            mine &= Q(order__department=user.department)
        for condition in _told_of:
            mine |= condition(user)
        return Study.objects.filter(mine)
    return Study.objects.none()


def also_visible(condition: Callable[[User], Q]) -> None:
    """Let ER staff see studies for which `condition(user)` holds. Registering twice is harmless."""
    if condition not in _told_of:
        _told_of.append(condition)


def instance_paths(series: Series) -> list[tuple[Instance, Path]]:
    """Instances of a series with their files, by instance number."""
    ordered = series.instances.order_by(F("instance_number").asc(nulls_last=True), "sop_instance_uid")
    return [(instance, storage.path_of(instance)) for instance in ordered]


def metadata_of(instance: Instance) -> dict[str, Any]:
    """An instance's DICOM JSON (PS3.18 F) without bulk data."""
    content: dict[str, Any] = json.loads(zlib.decompress(bytes(instance.metadata)))
    return content


def priors_of(study: Study) -> QuerySet[Study]:
    """Complete studies of the same patient made before this one, latest first.

    Studies without a Patient ID have no priors: nothing says that they are the same person. Studies
    without a date count as neither before nor after and are left out.
    """
    patient: Patient = study.patient
    if not patient.patient_id or not study.study_date:
        return Study.objects.none()
    return (
        Study.objects.filter(patient=patient, state=StudyState.COMPLETE, study_date__gt="")
        .filter(study_date__lte=study.study_date)
        .exclude(pk=study.pk)
        .exclude(study_date=study.study_date, study_time__gte=study.study_time)
        .order_by("-study_date", "-study_time")
    )


def open_quarantine() -> QuerySet[QuarantinedObject]:
    """Quarantined objects nobody has decided on, latest first."""
    return QuarantinedObject.objects.filter(resolved_at__isnull=True).order_by("-received_at")
