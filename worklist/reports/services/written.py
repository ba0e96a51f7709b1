"""Prose, conclusions and fields of one report as one thing: what changes in one follows in the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from worklist.reports import conclusions as conclusion_rules
from worklist.reports.conclusions import Conclusion
from worklist.reports.drafting import Section
from worklist.reports.editing import Verdict
from worklist.reports.models import Report
from worklist.reports.templates import fields as field_rules
from worklist.reports.templates.content import Content
from worklist.reports.templates.fields import FieldValue
from worklist.reports.templates.selectors import content_of
from worklist.reports.wording import FindingFact


@dataclass(frozen=True)
class Written:
    """A report's words and answers; never changed in place."""

    content: Content | None
    sections: list[Section]
    conclusions: list[Conclusion]
    fields: list[FieldValue]

    @classmethod
    def of(
        cls, report: Report, *, sections: list[Section], conclusions: list[Conclusion] | None = None
    ) -> Written:
        """As the report stands, but for what is given."""
        content = content_of(report.template)
        return cls(
            content, sections, report.conclusions if conclusions is None else conclusions, report.fields
        )

    def columns(self) -> dict[str, Any]:
        """For the guarded UPDATE."""
        return {"sections": self.sections, "conclusions": self.conclusions, "fields": self.fields}

    def concluded(self, code: str, value: str) -> Written:
        """The reader's conclusion, and the field that says the same.

        Raises:
            UnknownConclusion: the report does not ask for it.
        """
        conclusions = conclusion_rules.with_values(self.conclusions, {code: value})
        return replace(self, conclusions=conclusions)._as_field(code, value)

    def answered(self, key: str, value: object) -> Written:
        """The reader's answer in a field, its sentence, and the conclusion that says the same.

        Raises:
            WrongValue: an unknown field, or a value that it does not take.
        """
        if self.content is None:
            raise field_rules.WrongValue("This report has no template, so it has no fields.")
        written = self._with(self.content, key, value)
        _, field = self.content.field(key)
        if not field.concludes or field.concludes not in {c["code"] for c in self.conclusions}:
            return written
        said = next((one["value"] for one in written.fields if one["key"] == key), None)
        stated = str(said) if said in conclusion_rules.VALUES else conclusion_rules.NOT_STATED
        return replace(
            written,
            conclusions=conclusion_rules.with_values(written.conclusions, {field.concludes: stated}),
        )

    def follows(
        self, finding: FindingFact, verdict: Verdict | None, findings: Iterable[FindingFact]
    ) -> Written:
        """After a decision: what AI measured of an accepted finding goes into empty fields, and leaves again.

        The finding's own sentence says it, so no further sentence comes. Rejecting denies nothing in words.
        """
        written = self
        if self.content is None:
            return written
        mine = str(finding.id)
        if verdict == Verdict.ACCEPTED:
            answered = {one["key"] for one in written.fields}
            for key, (value, _) in field_rules.offered(self.content, [finding]).items():
                if key not in answered:
                    written = written._with(self.content, key, value, finding_id=mine, said=True)
        else:
            for one in self.fields:
                if one["finding_id"] == mine:
                    written = written._with(self.content, one["key"], None)
        value = next((c["value"] for c in written.conclusions if c["code"] == finding.code), "")
        return written._as_field(finding.code, value, said=True)

    def _as_field(self, code: str, value: str, *, said: bool = False) -> Written:
        field = self.content.concluding(code) if self.content else None
        if self.content is None or field is None:
            return self
        known = {choice.value for choice in field.choices}
        return self._with(self.content, field.key, value if value in known else None, said=said)

    def _with(
        self, content: Content, key: str, value: object, *, finding_id: str = "", said: bool = False
    ) -> Written:
        sections, fields = field_rules.set_value(
            content, self.sections, self.fields, key, value, finding_id=finding_id, said=said
        )
        return replace(self, sections=sections, fields=fields)


def signed_fields(content: Content | None, fields: Sequence[FieldValue]) -> list[dict[str, Any]]:
    """Answers as they are kept with a signature: readable without the template."""
    if content is None:
        return []
    by_key = {one.key: one for _, one in content.fields()}
    made = []
    for given in fields:
        field = by_key.get(given["key"])
        if field is None:
            continue
        value = given["value"]
        chosen = value if isinstance(value, list) else [value]
        labels = [choice.label for choice in field.choices if choice.value in chosen]
        shown = ", ".join(labels) or (f"{value:g}" if isinstance(value, float) else str(value))
        made.append(
            {
                "key": field.key,
                "label": field.label,
                "value": value,
                "shown": shown,
                "unit": field.unit,
                "cde": field.cde,
                "cde_set": content.cde_set,
            }
        )
    return made
