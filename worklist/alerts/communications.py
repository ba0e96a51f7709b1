"""The call log: which radiologist told whom what result, how, and whether it was read back.

The categories are those of the ACR's practice parameter for communication: 1 within minutes, 2 within
hours, 3 within days. An entry never changes; a mistake gets a further entry that says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.models import Study
from worklist.alerts.models import Alert, Communication

CLOCKS_DIFFER_BY: Final = timedelta(minutes=2)
CATEGORIES: Final = (1, 2, 3)


def record(
    *,
    study_id: int,
    caller: User,
    subject: str,
    told_name: str,
    method: str,
    told_at: datetime,
    told_role: str = "",
    finding_code: str = "",
    category: int = 1,
    read_back: bool = False,
    note: str = "",
    request: HttpRequest | None = None,
) -> Communication:
    """Write down that `caller` told somebody a result. The same call said twice is one entry.

    Args:
        study_id: the study.
        caller: who told it.
        subject: what was told, in words.
        told_name, told_role: to whom.
        method: phone, in_person or message.
        told_at: when, with zone.
        finding_code: the finding that this communicates; "" when it was something else.
        category: of the ACR, 1 to 3.
        read_back: they repeated it in their own words.
        note: further words.
        request: for the audit trail.

    Raises:
        ValidationError: nothing or nobody named, a moment in the future, an unknown category.
    """
    subject, told_name = subject.strip(), told_name.strip()
    if not subject:
        raise ValidationError("Say what was told.")
    if not told_name:
        raise ValidationError("Say whom you told, by name.")
    if category not in CATEGORIES:
        raise ValidationError("The category is 1 (minutes), 2 (hours) or 3 (days).")
    if told_at > timezone.now() + CLOCKS_DIFFER_BY:
        raise ValidationError("The call lies in the future. Correct its time.")
    with transaction.atomic():
        study = Study.objects.select_for_update(of=("self",)).select_related("patient").get(pk=study_id)
        entry, created = Communication.objects.get_or_create(
            study=study,
            caller=caller,
            finding_code=finding_code,
            subject=subject,
            told_name=told_name,
            told_at=told_at,
            method=method,
            read_back=read_back,
            defaults={
                "alert": Alert.objects.filter(study=study, finding_code=finding_code).first(),
                "told_role": told_role.strip(),
                "category": category,
                "note": note.strip(),
            },
        )
        if created:
            audit.record(
                audit.Kind.PATIENT_RECORD,
                action="C",
                user=caller,
                request=request,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient.patient_id,
                detail={
                    "what": "result communicated",
                    "communication": entry.pk,
                    "finding": finding_code,
                    "category": category,
                    "method": method,
                    "read_back": read_back,
                },
            )
    return entry
