"""Writing templates: a version is made once; activating one retires the version before. Every move is audited."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import slugify

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.transitions import LostRace, Machine
from worklist.reports.templates import content as contents
from worklist.reports.templates.models import ReportTemplate, TemplateSource, TemplateState

SHIPPED: Final = Path(__file__).parent / "shipped"
DRAFT, ACTIVE, RETIRED = TemplateState.DRAFT.value, TemplateState.ACTIVE.value, TemplateState.RETIRED.value
TEMPLATE = Machine(
    name="report template",
    table={
        (DRAFT, "activate"): ACTIVE,
        (RETIRED, "activate"): ACTIVE,
        (DRAFT, "retire"): RETIRED,
        (ACTIVE, "retire"): RETIRED,
    },
)


def add_version(
    *,
    name: str,
    content: object,
    by: User,
    key: str = "",
    modalities: Sequence[str] = (),
    body_parts: Sequence[str] = (),
    words: Sequence[str] = (),
    note: str = "",
    source: str = TemplateSource.SITE,
    request: HttpRequest | None = None,
) -> ReportTemplate:
    """Keep a further version of a template as a draft; an unknown key begins a new template.

    Raises:
        InvalidTemplate: what is wrong with the content.
        ValidationError: no name.
        LostRace: somebody added a version at the same moment.
    """
    contents.parse(content)
    key = slugify(key or name)[:60]
    if not key or not name.strip():
        raise ValidationError("Give the template a name.")
    try:
        with transaction.atomic():
            latest = ReportTemplate.objects.filter(key=key).aggregate(latest=Max("version"))["latest"] or 0
            template = ReportTemplate.objects.create(
                key=key,
                version=latest + 1,
                name=name.strip(),
                content=content,
                modalities=_listed(modalities),
                body_parts=_listed(body_parts),
                words=[word.strip() for word in words if word.strip()],
                note=note.strip(),
                source=source,
                made_by=by,
            )
            _audit(template, "report template added", "C", by, request)
    except IntegrityError:
        raise LostRace("Somebody added a version of this template just now. Load the page again.") from None
    return template


def activate(
    *, template_id: int, by: User, reason: str, request: HttpRequest | None = None
) -> ReportTemplate:
    """New reports take this version from now on; the version before is retired in the same moment.

    Raises:
        ValidationError: no reason.
        IllegalTransition: it is active already.
        LostRace: somebody moved a version of this template meanwhile.
    """
    reason = _reason(reason)
    try:
        with transaction.atomic():
            template = ReportTemplate.objects.get(pk=template_id)
            TEMPLATE.target(template.state, "activate")
            for before in ReportTemplate.objects.filter(key=template.key, state=ACTIVE):
                TEMPLATE.apply(
                    before,
                    "retire",
                    moved_by=by,
                    moved_at=timezone.now(),
                    reason=f"Version {template.version} took its place.",
                )
            _move(template, "activate", by, reason, request)
    except IntegrityError:
        raise LostRace("Somebody activated another version just now. Load the page again.") from None
    return template


def retire(*, template_id: int, by: User, reason: str, request: HttpRequest | None = None) -> ReportTemplate:
    """No new report takes this version any more; those that have it keep it.

    Raises:
        As for activate.
    """
    reason = _reason(reason)
    with transaction.atomic():
        template = ReportTemplate.objects.get(pk=template_id)
        _move(template, "retire", by, reason, request)
    return template


def ensure_shipped() -> int:
    """Add what this version of Firstread ships and the database lacks; returns how many.

    A shipped version becomes active only where its template is new, or the active version was shipped too:
    what a site wrote or switched off stays as it is.
    """
    made = 0
    for path in sorted(SHIPPED.glob("*.json")):
        made += _ensure(json.loads(path.read_text()))
    return made


def _ensure(given: Mapping[str, Any]) -> bool:
    versions = ReportTemplate.objects.filter(key=given["key"])
    shipped = versions.filter(source=TemplateSource.SHIPPED).order_by("-version").first()
    asked = {name: given[name] for name in ("name", "modalities", "body_parts", "words", "content")}
    if shipped is not None and all(getattr(shipped, name) == value for name, value in asked.items()):
        return False
    contents.parse(given["content"])
    try:
        with transaction.atomic():
            latest = versions.order_by("-version").first()
            active = versions.filter(state=ACTIVE).first()
            takes_over = latest is None or (active is not None and active.source == TemplateSource.SHIPPED)
            if active is not None and takes_over:
                TEMPLATE.apply(active, "retire", moved_at=timezone.now(), reason="A newer one is shipped.")
            ReportTemplate.objects.create(
                key=given["key"],
                version=latest.version + 1 if latest else 1,
                source=TemplateSource.SHIPPED,
                state=ACTIVE if takes_over else DRAFT,
                **asked,
            )
    except IntegrityError:
        # Two processes start at once: the other one added it.
        return False
    return True


def _move(template: ReportTemplate, event: str, by: User, reason: str, request: HttpRequest | None) -> None:
    TEMPLATE.apply(template, event, moved_by=by, moved_at=timezone.now(), reason=reason)
    _audit(template, f"report template {template.state}", "U", by, request)


def _audit(template: ReportTemplate, what: str, action: str, by: User, request: HttpRequest | None) -> None:
    audit.record(
        audit.Kind.SECURITY_ALERT,
        action=action,
        user=by,
        request=request,
        detail={"what": what, "template": template.key, "version": template.version},
    )


def _reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ValidationError("Say why; who looks later reads it.")
    return reason[:300]


def _listed(values: Sequence[str]) -> list[str]:
    return [value.strip().upper() for value in values if value.strip()]
