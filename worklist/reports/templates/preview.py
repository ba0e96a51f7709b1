"""How a template reads before anybody uses it. Pure."""

from __future__ import annotations

from worklist.reports.templates.content import Content, Field
from worklist.reports.templates.fields import Value, sentence


def sections(content: Content) -> list[dict[str, str]]:
    """`[{key, title, text}]`: default text, then the sentence of each field with an example of its value."""
    return [
        {
            "key": section.key,
            "title": section.title,
            "text": "\n".join(
                text
                for text in [section.text, *(sentence(one, example(one)) for one in section.fields)]
                if text
            ),
        }
        for section in content.sections
    ]


def example(field: Field) -> Value:
    """A value that the field takes: its first choice, its least number, a place for text."""
    if field.choices:
        return [field.choices[0].value] if field.type == "choices" else field.choices[0].value
    if field.type == "number":
        return (
            field.minimum
            if field.minimum is not None
            else field.maximum
            if field.maximum is not None
            else 1.0
        )
    return f"[{field.label.lower()[:60]}]"
