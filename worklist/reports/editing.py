"""What decisions do to a draft: sentences go into the reader's text, change and leave it again.

Pure functions over plain values; sections are never changed in place. The reader's own words are never
removed: only a sentence that was put in, and still stands as it was put in, is taken out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from worklist.reports import wording
from worklist.reports.drafting import Section, Suggestion
from worklist.reports.wording import FindingFact


class Verdict(StrEnum):
    """What the reader says of one AI finding."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"


class UnknownSuggestion(ValueError):
    """The report has no such suggestion."""


def sentence(finding: FindingFact, section_key: str, verdict: Verdict) -> str:
    """What stands in the text for this verdict; "" for a rejected finding."""
    match verdict:
        case Verdict.ACCEPTED:
            return wording.accepted(finding, section_key)
        case Verdict.UNCERTAIN:
            return wording.uncertain(finding, section_key)
        case Verdict.REJECTED:
            return ""


def decide(sections: Sequence[Section], finding: FindingFact, verdict: Verdict | None) -> list[Section]:
    """Word `finding` everywhere as decided; None takes the decision back.

    Saying the same again changes nothing, so that a reader's rewording survives a second click.
    """
    made: list[Section] = []
    for section in sections:
        for suggestion in section["suggestions"]:
            if suggestion["finding_id"] == str(finding.id):
                wanted = sentence(finding, section["key"], verdict) if verdict else ""
                state = "open" if verdict is None else "accepted" if wanted else "rejected"
                section = _put(section, suggestion["id"], state, wanted)
        made.append(section)
    return made


def set_suggestion(
    sections: Sequence[Section], suggestion_id: str, state: str, finding: FindingFact, verdict: Verdict
) -> list[Section]:
    """Take or leave one suggested sentence, worded by `verdict` when it is taken."""
    if not any(s["id"] == suggestion_id for section in sections for s in section["suggestions"]):
        raise UnknownSuggestion(f"This report has no suggestion {suggestion_id}.")
    made: list[Section] = []
    for section in sections:
        if any(s["id"] == suggestion_id for s in section["suggestions"]):
            wanted = sentence(finding, section["key"], verdict) if state == "accepted" else ""
            section = _put(section, suggestion_id, state, wanted)
        made.append(section)
    return made


def with_texts(sections: Sequence[Section], texts: Mapping[str, str]) -> list[Section]:
    """The reader's text in the named sections."""
    return [{**section, "text": texts.get(section["key"], section["text"])} for section in sections]


def insert(text: str, added: str) -> str:
    """`added` on a line of its own after `text`."""
    if not text.strip():
        return added
    return text + ("" if text.endswith("\n") else "\n") + added


def remove(text: str, removed: str) -> str:
    """`text` without `removed` and without the empty line it would leave."""
    before, found, after = text.partition(removed)
    if not found:
        return text
    if not before.strip():
        return after.lstrip("\n ")
    if not after.strip():
        return before.rstrip("\n ")
    glue = "\n" if before.endswith("\n") or after.startswith("\n") else " "
    return before.rstrip("\n ") + glue + after.lstrip("\n ")


def _put(section: Section, suggestion_id: str, state: str, wanted: str) -> Section:
    """Bring one suggestion to `state` and its sentence in the text to `wanted`."""
    suggestion = next(s for s in section["suggestions"] if s["id"] == suggestion_id)
    text, inserted = section["text"], suggestion["inserted"]
    if state == suggestion["state"] and wanted == inserted:
        return section
    others = {
        s["inserted"] for s in section["suggestions"] if s["id"] != suggestion_id and s["state"] == "accepted"
    }
    # Two models may say the same in the same words: the sentence stands once, for both.
    shared = inserted in others
    if wanted and inserted and inserted in text and not shared:
        text = remove(text, inserted) if wanted in text else text.replace(inserted, wanted, 1)
    else:
        if inserted and not shared:
            text = remove(text, inserted)
        if wanted and wanted not in text:
            text = insert(text, wanted)
        elif wanted and wanted not in others:
            # The reader wrote the very sentence: it is theirs and stays whatever is decided.
            wanted = ""
    changed: Suggestion = {**suggestion, "state": state, "inserted": wanted}
    return {
        **section,
        "text": text,
        "suggestions": [changed if s["id"] == suggestion_id else s for s in section["suggestions"]],
    }
