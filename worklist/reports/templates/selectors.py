"""Reading templates."""

from __future__ import annotations

from django.db.models import QuerySet

from worklist.reports.drafting import StudyFact
from worklist.reports.templates.choosing import Rule, choose
from worklist.reports.templates.content import Content, parse
from worklist.reports.templates.models import ReportTemplate, TemplateState


def templates() -> QuerySet[ReportTemplate]:
    """All versions: by name, the latest first."""
    return ReportTemplate.objects.select_related("made_by", "moved_by").order_by("name", "key", "-version")


def template_for(study: StudyFact) -> ReportTemplate | None:
    """The active template that fits a study most closely."""
    active = {one.key: one for one in ReportTemplate.objects.filter(state=TemplateState.ACTIVE)}
    rules = [
        Rule(one.key, tuple(one.modalities), tuple(one.body_parts), tuple(one.words))
        for one in active.values()
    ]
    key = choose(rules, modality=study.modality, body_part=study.body_part, description=study.description)
    return active[key] if key is not None else None


def content_of(template: ReportTemplate | None) -> Content | None:
    """What a report's template consists of; None for reports that have none."""
    return None if template is None else parse(template.content)
