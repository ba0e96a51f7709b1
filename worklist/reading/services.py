"""Modes are set by administrators with a reason; looks are recorded as they happen and never moved."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.models import Study
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.reading.models import Look, Mode, ReadingMode
from worklist.reading.selectors import is_hidden, mode_of

LONGEST_IMPRESSION = 5_000


class NothingHidden(Exception):
    """A first look is asked only of a reader from whom AI is hidden until then."""


def set_mode(
    *, user: User | None, mode: Mode | None, reason: str, by: User, request: HttpRequest | None = None
) -> ReadingMode | None:
    """Set a reader's mode, or the site's when `user` is None; a reader's `mode` None takes theirs away.

    It holds from the next request on, also for studies that are open.

    Raises:
        ValidationError: no reason, or no mode for the site.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": "Say why, for those who judge the readings later."})
    if user is None and mode is None:
        raise ValidationError({"mode": "The site has a mode; only a reader's own can be taken away."})
    with transaction.atomic():
        row: ReadingMode | None = None
        if mode is None:
            ReadingMode.objects.filter(user=user).delete()
        else:
            values = {"mode": mode, "reason": reason, "set_by": by, "set_at": timezone.now()}
            row, _ = ReadingMode.objects.update_or_create(user=user, defaults=values)
        audit.record(
            audit.Kind.APPLICATION_ACTIVITY,
            action="U",
            user=by,
            request=request,
            detail={
                "what": "reading mode",
                "reader": user.username if user else "",
                "mode": mode.value if mode else "as the site",
            },
        )
    return row


def record_opened(*, study: Study, user: User, ai_spoke: bool) -> Look:
    """The reader sees the study now; where AI has answered and is not hidden, they see that too.

    Args:
        ai_spoke: a live model's answer stands in what the reader is given.
    """
    now = timezone.now()
    look, _ = Look.objects.get_or_create(
        study=study, user=user, defaults={"mode": mode_of(user), "opened_at": now}
    )
    if ai_spoke and look.ai_shown_at is None and not is_hidden(user, study.pk):
        Look.objects.filter(pk=look.pk, ai_shown_at__isnull=True).update(ai_shown_at=now)
        look.refresh_from_db()
    return look


def ai_was_shown(*, study: Study, user: User) -> None:
    """The reader who has the study open was given what AI says; only the first time counts."""
    waiting = Look.objects.filter(study=study, user=user, ai_shown_at__isnull=True)
    if waiting.exists():  # reading is no reason to take the lock of a writer
        waiting.update(ai_shown_at=timezone.now())


def commit_first_look(
    *, study: Study, user: User, impression: str, ai_spoke: bool, request: HttpRequest | None = None
) -> Look:
    """Keep the reader's impression before AI; from now on they see AI. The first one stands for ever.

    Raises:
        ValidationError: no impression, or one that is too long.
        NothingHidden: AI is not hidden from this reader, or stays hidden whatever they say.
    """
    impression = impression.replace("\0", "").strip()
    if not impression:
        raise ValidationError({"impression": "Say what you see before AI is shown."})
    if len(impression) > LONGEST_IMPRESSION:
        raise ValidationError({"impression": f"At most {LONGEST_IMPRESSION} characters."})
    with transaction.atomic():
        now = timezone.now()
        mode = mode_of(user)
        look, _ = Look.objects.get_or_create(
            study=study, user=user, defaults={"mode": mode, "opened_at": now}
        )
        look = Look.objects.select_for_update().get(pk=look.pk)
        if look.first_look_at is not None:
            return look
        if mode != Mode.AFTER_FIRST_LOOK or not is_hidden(user, study.pk):
            raise NothingHidden
        look.impression, look.first_look_at = impression, now
        fields = ["impression", "first_look_at"]
        # Somebody who saw AI on this study earlier, in another mode, keeps that time.
        if ai_spoke and look.ai_shown_at is None:
            look.ai_shown_at = timezone.now()
            fields.append("ai_shown_at")
        look.save(update_fields=fields)
        audit.record(
            audit.Kind.PATIENT_RECORD,
            action="U",
            user=user,
            request=request,
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient.patient_id,
            detail={"what": "first look committed", "ai_shown": ai_spoke},
        )
        # This reader's open pages ask again for what they may see now.
        item = getattr(study, "worklist_item", None)
        if item is not None:
            announce(Topic.WORKLIST, item.pk, item.version)
    return look
