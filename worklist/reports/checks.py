"""What must be settled, or answered for, before a signature. Pure functions over plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from worklist.reports import conclusions as rules
from worklist.reports.conclusions import Conclusion
from worklist.reports.drafting import Section
from worklist.reports.editing import Verdict
from worklist.reports.identity import PatientFact, ShownPatient, changed, contradictions
from worklist.reports.templates.fields import blanks
from worklist.reports.wording import MARKER, FindingFact, inside, listed

__all__ = [
    "LONGEST_REASON",
    "Check",
    "Draft",
    "Facts",
    "Override",
    "ShownPatient",
    "Side",
    "open_checks",
    "unsettled",
    "used_overrides",
    "wrong_side",
]

LONGEST_REASON: Final = 500
_OPPOSITE: Final = {"left": "right", "right": "left"}
# Words that name a finding in a report, by code; other findings are known by the last word of their meaning.
_NAMES: Final = {
    "1386000": r"ha?emorrhag\w*|ha?ematoma\w*|bleed\w*|blood",
    "50960005": r"ha?emorrhag\w*|ha?ematoma\w*|bleed\w*|blood",
}
_NEGATED: Final = r"\b(no|without|absence of|negative for)\b"


@dataclass(frozen=True)
class Check:
    """One open question.

    Attributes:
        code: stable name; an override names it.
        text: what is open and what to do.
        blocking: the report cannot be signed while it is open.
        overridable: a blocking check that a stated reason settles.
    """

    code: str
    text: str
    blocking: bool
    overridable: bool


@dataclass(frozen=True)
class Facts:
    """What the checks need from other rooms.

    Attributes:
        images_opened: the study was opened for reading.
        communicated: codes of findings whose communication a named person acknowledged.
        ai_hidden: the reading mode that hides AI from who signs: "after_first_look" or "hidden"; empty when
            they see it.
        shown_patient: whom the signer's page shows; None where nobody signs now.
    """

    images_opened: bool = False
    communicated: frozenset[str] = frozenset()
    ai_hidden: str = ""
    shown_patient: ShownPatient | None = None


@dataclass(frozen=True)
class Side:
    """A side that a field tells, and the words that mean the thing it is the side of."""

    label: str
    side: str
    names: Sequence[str]


@dataclass(frozen=True)
class Draft:
    """A report as it stands, in plain values."""

    sections: Sequence[Section]
    findings: Sequence[FindingFact]
    verdicts: Mapping[int, Verdict]
    conclusions: Sequence[Conclusion]
    waiting_models: Sequence[str] = field(default_factory=tuple)
    critical_codes: frozenset[str] = frozenset()
    patient: PatientFact = field(default_factory=PatientFact)
    missing: Sequence[str] = ()
    sides: Sequence[Side] = ()

    def text(self, *keys: str) -> str:
        """Text of the named sections and their parts (`findings-bones`), of all when none is named."""
        return "\n".join(s["text"] for s in self.sections if not keys or s["key"].split("-")[0] in keys)

    def possible(self, code: str) -> list[FindingFact]:
        """Present findings of one code that stand."""
        return [f for f in self.findings if f.code == code and f.present and not f.stale]


@dataclass(frozen=True)
class Override:
    """Why a check was signed over."""

    code: str
    reason: str


def open_checks(draft: Draft, facts: Facts) -> list[Check]:
    """Everything that stands open, what blocks first. No check tells of AI whom it is hidden from."""
    if facts.ai_hidden:
        draft = _without_ai(draft)
    found = [
        *_first_look(facts),
        *_patient(draft, facts),
        *_undecided(draft),
        *_conclusions(draft),
        *_text(draft),
        *_unfilled(draft),
        *_laterality(draft),
        *_communication(draft, facts),
        *_images(facts),
        *_notes(draft),
    ]
    return sorted(found, key=lambda check: (not check.blocking, check.overridable))


def unsettled(checks: Iterable[Check], overrides: Iterable[Override]) -> list[Check]:
    """The checks that still keep the report from being signed."""
    answered = {o.code for o in overrides if o.reason.strip()}
    return [c for c in checks if c.blocking and not (c.overridable and c.code in answered)]


def used_overrides(checks: Iterable[Check], overrides: Iterable[Override]) -> list[Override]:
    """The overrides that answer an open, overridable check; to be kept with the signature."""
    open_codes = {c.code for c in checks if c.overridable}
    return [o for o in overrides if o.code in open_codes and o.reason.strip()]


def wrong_side(text: str, finding: FindingFact) -> bool:
    """True when a sentence speaks of the finding on the opposite side only."""
    return _on_the_other_side(text, finding.side, _NAMES.get(finding.code) or _last_word(finding.meaning))


def _on_the_other_side(text: str, side: str, names: str) -> bool:
    opposite = _OPPOSITE.get(side)
    if opposite is None:
        return False
    name = re.compile(rf"\b({names})\b", re.IGNORECASE)
    for sentence in re.split(r"[.;!?\n]+", text):
        named = name.search(sentence)
        if named is None or re.search(_NEGATED, sentence[: named.start()], re.IGNORECASE):
            continue
        sides = {side for side in _OPPOSITE if re.search(rf"\b{side}\b", sentence, re.IGNORECASE)}
        if re.search(r"\b(both|bilateral\w*)\b", sentence, re.IGNORECASE):
            continue
        if sides == {opposite}:
            return True
    return False


def _without_ai(draft: Draft) -> Draft:
    bare: list[Section] = [{**section, "suggestions": []} for section in draft.sections]
    return replace(draft, sections=bare, findings=(), verdicts={}, waiting_models=())


def _first_look(facts: Facts) -> Iterator[Check]:
    if facts.ai_hidden == "after_first_look":
        yield Check(
            "first_look_missing",
            "Commit your first impression; then AI is shown, and you sign knowing both.",
            True,
            False,
        )


def _patient(draft: Draft, facts: Facts) -> Iterator[Check]:
    if changed(facts.shown_patient, draft.patient):
        yield Check(
            "patient_changed",
            "The patient of this study is not the one on your screen any more. Load the page again and compare "
            "name, birth date and images.",
            True,
            True,
        )
    denied = contradictions(draft.text(), draft.patient)
    if denied:
        yield Check(
            "patient_contradiction",
            f"Is this the right patient? {_join(denied)[:1].upper()}{_join(denied)[1:]}.",
            True,
            True,
        )


def _undecided(draft: Draft) -> Iterator[Check]:
    open_ones = [f for f in draft.findings if f.present and not f.stale and f.id not in draft.verdicts]
    if open_ones:
        names = _join(f"{inside(f.meaning)} ({f.model} {f.model_version})" for f in open_ones)
        yield Check(
            "undecided_finding", f"Accept, reject or mark as uncertain what AI found: {names}.", True, True
        )


def _conclusions(draft: Draft) -> Iterator[Check]:
    missing = [inside(c["meaning"]) for c in draft.conclusions if c["required"] and not c["value"]]
    if missing:
        yield Check("conclusion_missing", f"Say whether {_join(missing)} is present.", True, True)
    wrong = [
        inside(c["meaning"])
        for c in draft.conclusions
        if rules.contradicts(c["value"], [draft.verdicts.get(f.id) for f in draft.possible(c["code"])])
    ]
    if wrong:
        yield Check(
            "conclusion_contradicts",
            f"The conclusion on {_join(wrong)} contradicts what was decided on the finding. Change one of them.",
            True,
            True,
        )


def _text(draft: Draft) -> Iterator[Check]:
    if not draft.text("impression").strip():
        yield Check("empty_impression", "The impression is empty. Write it.", True, True)
    if MARKER.lower().rstrip(".") in draft.text().lower():
        yield Check(
            "ai_marker_in_text",
            f'The text holds "{MARKER}" of an AI suggestion. Accept the suggestion or write it in your words.',
            True,
            False,
        )


def _unfilled(draft: Draft) -> Iterator[Check]:
    if draft.missing:
        names = _join(inside(label) for label in draft.missing)
        yield Check("required_field_missing", f"The template asks for: {names}.", True, True)
    left = blanks(draft.text())
    if left:
        yield Check(
            "blank_left", f"The text holds places to fill: {_join(left)}. Fill or delete them.", True, True
        )


def _laterality(draft: Draft) -> Iterator[Check]:
    text = draft.text("findings", "impression")
    wrong = [
        f"{inside(finding.meaning)} is {finding.side} by AI's measurement, the text says {_OPPOSITE[finding.side]}"
        for finding in draft.findings
        if draft.verdicts.get(finding.id) in (Verdict.ACCEPTED, Verdict.UNCERTAIN)
        and not finding.stale
        and wrong_side(text, finding)
    ]
    wrong += [
        f"{inside(one.label)} is {one.side} in its field, the text says {_OPPOSITE[one.side]}"
        for one in draft.sides
        if one.names and _on_the_other_side(text, one.side, "|".join(re.escape(name) for name in one.names))
    ]
    if wrong:
        yield Check("laterality", f"Which side? {_join(wrong).capitalize()}. Look at the images.", True, True)


def _communication(draft: Draft, facts: Facts) -> Iterator[Check]:
    untold = [
        inside(c["meaning"])
        for c in draft.conclusions
        if c["value"] == rules.PRESENT
        and c["code"] in draft.critical_codes
        and c["code"] not in facts.communicated
    ]
    if untold:
        yield Check(
            "critical_not_communicated",
            f"No communication of {_join(untold)} is recorded. Wait for the acknowledgement, or say here whom "
            "you told, when, and that they read it back.",
            True,
            True,
        )


def _images(facts: Facts) -> Iterator[Check]:
    if not facts.images_opened:
        yield Check(
            "images_not_opened",
            "The images of this study were never opened here. Open them, or say where you read them.",
            True,
            True,
        )


def _notes(draft: Draft) -> Iterator[Check]:
    number = sum(s["state"] == "open" for section in draft.sections for s in section["suggestions"])
    if number:
        what = "1 AI suggestion is" if number == 1 else f"{number} AI suggestions are"
        yield Check(
            "open_suggestions", f"{what} neither taken nor left, and will not be in the report.", False, True
        )
    if draft.waiting_models:
        yield Check("ai_pending", f"No result yet from {_join(draft.waiting_models)}.", False, True)
    replaced = {str(f.id) for f in draft.findings if f.stale}
    if any(
        s["finding_id"] in replaced and s["state"] == "accepted"
        for section in draft.sections
        for s in section["suggestions"]
    ):
        yield Check(
            "replaced_ai_result",
            "More images came after an AI result whose sentence is in the text. Read that sentence again.",
            False,
            True,
        )


def _last_word(meaning: str) -> str:
    words = re.findall(r"\w+", meaning)
    return re.escape(words[-1]) if words else r"(?!)"


def _join(names: Iterable[str]) -> str:
    return listed(list(dict.fromkeys(names)))
