"""Templates as JSON documents: of a report that is written, and for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worklist.api.documents import person
from worklist.reports.models import Report
from worklist.reports.templates import fields as field_rules
from worklist.reports.templates.models import ReportTemplate
from worklist.reports.templates.selectors import content_of
from worklist.reports.wording import FindingFact


def template_documents(report: Report, findings: Sequence[FindingFact] | None) -> dict[str, Any]:
    """`{template, answers, offers}` of a report.

    Args:
        findings: what AI may offer values of; None for those who only read.
    """
    template, content = report.template, content_of(report.template)
    if template is None or content is None or findings is None:
        return {"template": None, "answers": [], "offers": []}
    answered = {one["key"] for one in report.fields}
    offers = field_rules.offered(content, findings)
    return {
        "template": {
            "id": str(template.pk),
            "key": template.key,
            "name": template.name,
            "version": template.version,
            "questions": [
                {
                    "key": one.key,
                    "label": one.label,
                    "type": one.type,
                    "section": section,
                    "cde": one.cde,
                    "unit": one.unit,
                    "required": one.required,
                    "asked": field_rules.asked(one, report.fields, report.conclusions),
                    "minimum": one.minimum,
                    "maximum": one.maximum,
                    "choices": [{"value": c.value, "label": c.label} for c in one.choices],
                }
                for section, one in content.fields()
            ],
            "macros": [{"name": m.name, "section": m.section, "text": m.text} for m in content.macros],
        },
        "answers": report.fields,
        "offers": [
            {
                "key": key,
                "value": value,
                "text": f"{value:g}" if isinstance(value, float) else str(value),
                "finding_id": str(finding.id),
            }
            for key, (value, finding) in offers.items()
            if key not in answered
        ],
    }


def template_document(template: ReportTemplate, *, whole: bool = True) -> dict[str, Any]:
    """One version, for its page; without its content in lists."""
    return {
        "id": str(template.pk),
        "key": template.key,
        "version": template.version,
        "name": template.name,
        "state": template.state,
        "source": template.source,
        "modalities": template.modalities,
        "body_parts": template.body_parts,
        "words": template.words,
        "note": template.note,
        "made_by": person(template.made_by),
        "made_at": template.made_at,
        "moved_by": person(template.moved_by),
        "moved_at": template.moved_at,
        "reason": template.reason,
        **({"content": template.content} if whole else {}),
    }
