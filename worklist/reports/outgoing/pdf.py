"""A signed version as a PDF that a referring physician likes to read.

What changed and the impression come first, then the report as written, key images, who signed, and what
AI had to do with it. A pure function of its arguments: the same version gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from pacs.demographics import age_text, day_in_words
from worklist.reports.outgoing import fonts
from worklist.reports.outgoing.sheet import ReportSheet

MARGIN: Final = 18 * mm
WIDTH: Final = A4[0] - 2 * MARGIN
INK, QUIET, LINE = colors.HexColor("#1a1d21"), colors.HexColor("#5b6470"), colors.HexColor("#c9ced6")
TINT, AMBER, AMBER_TINT = colors.HexColor("#f1f4f8"), colors.HexColor("#9a5b00"), colors.HexColor("#fff6e5")
ACTIONS: Final = {
    "preliminary": "Preliminary report signed",
    "signed": "Signed",
    "cosigned": "Co-signed as final",
    "addendum": "Addendum signed",
    "corrected": "Correction signed",
    "amended": "Amendment signed",
}
KINDS: Final = {"addendum": "Addendum", "corrected": "Correction", "amended": "Amendment"}
SEXES: Final = {"M": "male", "F": "female", "O": "other"}
PLACES: Final = {"er": "ER", "icu": "ICU", "inpatient": "Inpatient", "outpatient": "Outpatient"}


@dataclass(frozen=True)
class KeyImage:
    """A picture without annotations; `jpeg` as encoded, `caption` says what it shows."""

    jpeg: bytes
    width: int
    height: int
    caption: str


def render(sheet: ReportSheet, images: Sequence[KeyImage], *, zone: str, product: str) -> bytes:
    """The PDF.

    Args:
        images: at most six are worth showing.
        zone: IANA name; times of signatures are told in it.
        product: what made it, for the last line.
    """
    fonts.register()
    buffer = io.BytesIO()
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        invariant=1,
        title=f"Radiology report {sheet.accession_number}".strip(),
        author=sheet.last.name,
        subject=sheet.status.words,
        creator=product,
        lang="en",
    )
    first = Frame(MARGIN, 20 * mm, WIDTH, A4[1] - 36 * mm, id="first", leftPadding=0, rightPadding=0)
    later = Frame(MARGIN, 20 * mm, WIDTH, A4[1] - 44 * mm, id="later", leftPadding=0, rightPadding=0)
    document.addPageTemplates(
        [
            PageTemplate(id="first", frames=[first], autoNextPageTemplate="later"),
            PageTemplate("later", [later]),
        ]
    )
    clock = ZoneInfo(zone)
    story: list[Flowable] = [
        *_title(sheet),
        _facts(sheet),
        Spacer(1, 4 * mm),
        *_changes(sheet, clock),
        *_impression(sheet),
        *_sections(sheet),
        *_conclusions(sheet),
        *_images(images),
        *_signatures(sheet, clock, zone),
        *_ai(sheet),
    ]

    def canvas(*arguments: Any, **named: Any) -> _Numbered:
        return _Numbered(*arguments, sheet=sheet, product=product, **named)

    document.build(story, canvasmaker=canvas)
    return buffer.getvalue()


class _Numbered(Canvas):
    """Writes the running head and `page x of y` once it knows how many pages there are."""

    def __init__(self, *arguments: Any, sheet: ReportSheet, product: str, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._sheet, self._product = sheet, product
        self._states: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, state in enumerate(self._states, start=1):
            self.__dict__.update(state)
            self._running(number, len(self._states))
            super().showPage()
        super().save()

    def _running(self, number: int, count: int) -> None:
        sheet = self._sheet
        whose = f"{shown_name(sheet.patient_name)} · {sheet.patient_id} · {sheet.accession_number}".rstrip(
            " ·"
        )
        self.setStrokeColor(LINE)
        self.line(MARGIN, 16 * mm, A4[0] - MARGIN, 16 * mm)
        self._line(MARGIN, 11.5 * mm, whose, 7.5)
        page = f"Page {number} of {count}"
        self._line(A4[0] - MARGIN - fonts.width(page, 7.5), 11.5 * mm, page, 7.5)
        self._line(MARGIN, 8 * mm, f"{sheet.status.words}, version {sheet.last.number}. {self._product}", 6.5)
        if number > 1:
            self._line(MARGIN, A4[1] - 13 * mm, f"{whose} · {sheet.study_description}".rstrip(" ·"), 8)
            self.line(MARGIN, A4[1] - 15.5 * mm, A4[0] - MARGIN, A4[1] - 15.5 * mm)

    def _line(self, x: float, y: float, text: str, size: float) -> None:
        self.setFillColor(QUIET)
        text = fonts.visual(text) if fonts.runs_leftwards(text) else text
        for font, piece in fonts.runs(text):
            self.setFont(font, size)
            self.drawString(x, y, piece, shaping=fonts.needs_shaping(piece))
            x += self.stringWidth(piece, font, size)


def shown_name(name: str) -> str:
    """A PN for people: `Müller, Dr. Jürgen`, each writing of it that came, apart by a slash."""
    writings = []
    for group in name.split("="):
        family, given, middle, prefix, suffix = [*group.split("^"), *[""] * 5][:5]
        rest = " ".join(part for part in (prefix, given, middle, suffix) if part)
        writings.append(", ".join(part for part in (family, rest) if part))
    return " / ".join(writing for writing in writings if writing) or "no name"


def moment(at: datetime, clock: ZoneInfo) -> str:
    """`24 Nov 2026 14:32` on the site's clock."""
    local = at.astimezone(clock)
    return f"{local.day} {local:%b %Y %H:%M}"


def _style(size: float = 10, *, bold: bool = False, shaping: bool = False, **more: Any) -> ParagraphStyle:
    settings: dict[str, Any] = {
        "fontName": fonts.BOLD if bold else fonts.REGULAR,
        "fontSize": size,
        "leading": size * 1.4,
        "textColor": INK,
        "shaping": int(shaping),
    }
    return ParagraphStyle("text", **(settings | more))


def _text(
    text: str, size: float = 10, *, bold: bool = False, room: float = WIDTH, **more: Any
) -> list[Flowable]:
    """One paragraph a line; what runs leftwards is broken into lines here, before it is turned round."""
    made: list[Flowable] = []
    for line in text.strip().split("\n"):
        if not line.strip():
            made.append(Spacer(1, size * 0.6))
            continue
        shaping = fonts.needs_shaping(line)
        if fonts.runs_leftwards(line):
            pieces = [fonts.visual(piece) for piece in fonts.wrapped(line, size, room, bold=bold)]
        else:
            pieces = [line]
        style = _style(size, bold=bold, shaping=shaping, **more)
        made += [Paragraph(fonts.markup(piece, bold=bold), style) for piece in pieces]
    return made


def _title(sheet: ReportSheet) -> list[Flowable]:
    amended = len(sheet.signatures) > 1
    calm = sheet.last.action in ("signed", "cosigned")
    status = f"{sheet.status.words}{f', version {sheet.last.number}' if amended else ''}"
    table = Table(
        [
            [
                _text(sheet.institution, 15, bold=True, room=0.6 * WIDTH),
                _text(status, 10, bold=True, alignment=TA_RIGHT, textColor=INK if calm else AMBER),
            ],
            [_text("Radiology report", 9, textColor=QUIET), ""],
        ],
        colWidths=[0.6 * WIDTH, 0.4 * WIDTH],
        style=TableStyle([*_no_padding(), ("VALIGN", (0, 0), (-1, -1), "BOTTOM")]),
    )
    return [table, Spacer(1, 4 * mm)]


def _facts(sheet: ReportSheet) -> Flowable:
    age = age_text(sheet.patient_age, sheet.patient_birth_date, sheet.study_date)
    born = day_in_words(sheet.patient_birth_date) or "unknown"
    order = sheet.order
    clock = sheet.study_time[:2] + ":" + sheet.study_time[2:4] if len(sheet.study_time) >= 4 else ""
    rows = [
        ("Patient", shown_name(sheet.patient_name), "Study", sheet.study_description or "not named"),
        (
            "Born",
            ", ".join(one for one in (born, age, SEXES.get(sheet.patient_sex)) if one),
            "Date",
            f"{day_in_words(sheet.study_date)} {clock}".strip() or "unknown",
        ),
        ("Patient ID", sheet.patient_id or "none", "Accession", sheet.accession_number or "none"),
        (
            "Referred by",
            shown_name(sheet.referring_physician) if sheet.referring_physician else "not named",
            "Where",
            ", ".join(p for p in (PLACES.get(order.location_class, ""), order.location) if p)
            if order
            else "not known",
        ),
    ]
    label, value = 0.13 * WIDTH, 0.37 * WIDTH
    cells: list[list[Any]] = [
        [
            _text(a, 8, textColor=QUIET),
            _text(b, 10, bold=a == "Patient", room=value - 8),
            _text(c, 8, textColor=QUIET),
            _text(d, 10, room=value - 8),
        ]
        for a, b, c, d in rows
    ]
    style: list[Any] = [
        *_no_padding(),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (1, 0), (1, -1), 8),
        ("LINEABOVE", (0, 0), (-1, 0), 0.8, LINE),
        ("LINEBELOW", (0, -1), (-1, -1), 0.8, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    if order and order.reason_for_exam:
        reason = _text(order.reason_for_exam, 10, room=WIDTH - label)
        cells.append([_text("Reason", 8, textColor=QUIET), reason, "", ""])
        style.append(("SPAN", (1, -1), (3, -1)))
    return Table(cells, colWidths=[label, value, label, value], style=TableStyle(style))


def _boxed(content: list[Flowable], background: colors.Color, edge: colors.Color) -> list[Flowable]:
    """A tinted box that may break over pages, with a bar at its left."""
    rows = [[one] for one in content]
    style = TableStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), background),
            ("LINEBEFORE", (0, 0), (0, -1), 3, edge),
            ("LEFTPADDING", (0, 0), (-1, -1), 10),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ("TOPPADDING", (0, 0), (-1, 0), 6),
            ("BOTTOMPADDING", (0, -1), (-1, -1), 8),
        ]
    )
    return [Table(rows, colWidths=[WIDTH], style=style), Spacer(1, 4 * mm)]


def _changes(sheet: ReportSheet, clock: ZoneInfo) -> list[Flowable]:
    """What is not final yet, and what was changed since it was, above everything else."""
    content: list[Flowable] = []
    if sheet.last.action == "preliminary":
        words = "Preliminary: an attending radiologist has not signed this report yet."
        content += _text(words, 11, bold=True, textColor=AMBER)
    elif sheet.differs_from_preliminary:
        changed = ", ".join(sheet.differs_from_preliminary)
        content += _text(
            f"Changed against the preliminary report: {changed}.", 11, bold=True, textColor=AMBER
        )
    changes = [one for one in sheet.signatures if one.action in KINDS]
    if changes:
        first = next(one for one in sheet.signatures if one.action != "preliminary")
        head = f"Changed since it was first signed on {moment(first.at, clock)}"
        content += _text(head, 11, bold=True, textColor=AMBER)
    added = [one for one in sheet.sections if one[0].startswith("addendum-")]
    for number, (signature, (_, _, words)) in enumerate(zip(changes, added, strict=False), start=1):
        head = f"{KINDS[signature.action]} {number}, {signature.name}, {moment(signature.at, clock)}"
        content += _text(head, 8.5, textColor=QUIET, spaceBefore=3)
        content += _text(words, 11, bold=True, room=WIDTH - 20)
    return _boxed(content, AMBER_TINT, AMBER) if content else []


def _impression(sheet: ReportSheet) -> list[Flowable]:
    words = sheet.text("impression")
    if not words.strip():
        return []
    content = [*_text("Impression", 9, bold=True, textColor=QUIET), *_text(words, 12, room=WIDTH - 20)]
    return _boxed(content, TINT, INK)


def _sections(sheet: ReportSheet) -> list[Flowable]:
    made: list[Flowable] = []
    for key, title, words in sheet.sections:
        if key == "impression" or key.startswith("addendum-"):
            continue
        body = _text(words, 10)
        heading = _text(title, 9, bold=True, textColor=QUIET, spaceAfter=1)
        # A heading never stands alone at the foot of a page.
        made += [KeepTogether([*heading, *body[:1]]), *body[1:], Spacer(1, 3 * mm)]
    return made


def _conclusions(sheet: ReportSheet) -> list[Flowable]:
    stated = [one for one in sheet.conclusions if one["value"]]
    if not stated:
        return []
    said = "; ".join(f"{one['meaning']}: {one['value']}" for one in stated)
    heading = _text("Conclusions", 9, bold=True, textColor=QUIET)
    return [KeepTogether([*heading, *_text(said, 10)]), Spacer(1, 3 * mm)]


def _images(images: Sequence[KeyImage]) -> list[Flowable]:
    if not images:
        return []
    columns = 4
    side = WIDTH / columns - 4 * mm
    cells: list[Any] = []
    for one in images:
        scale = side / max(one.width, one.height)
        picture = Image(io.BytesIO(one.jpeg), one.width * scale, one.height * scale)
        cells.append([picture, *_text(one.caption, 7.5, textColor=QUIET, room=side)])
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    rows[-1] += [""] * (columns - len(rows[-1]))
    style = [*_no_padding(), ("BOTTOMPADDING", (0, 0), (-1, -1), 6), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    grid = Table(rows, colWidths=[WIDTH / columns] * columns, style=TableStyle(style))
    heading = _text("Key images, reduced: not for diagnosis", 9, bold=True, textColor=QUIET, spaceAfter=3)
    return [KeepTogether([*heading, grid]), Spacer(1, 3 * mm)]


def _signatures(sheet: ReportSheet, clock: ZoneInfo, zone: str) -> list[Flowable]:
    lines = [
        f"{ACTIONS.get(one.action, one.action)} by {one.name}, {moment(one.at, clock)}"
        for one in sheet.signatures
    ]
    return [
        KeepTogether(
            [
                *[line for words in lines for line in _text(words, 10, bold=True)],
                *_text(f"Signed electronically. Times are those of {zone}.", 8, textColor=QUIET),
            ]
        ),
        Spacer(1, 3 * mm),
    ]


def _ai(sheet: ReportSheet) -> list[Flowable]:
    if sheet.ai_models:
        named = "; ".join(f"{name}, version {version}" for name, version in sheet.ai_models)
        said = f"AI was used: {named}. It marked findings for the radiologist, who decided and wrote this report."
    else:
        said = "No AI result was there when this report was signed."
    return _text(said, 8, textColor=QUIET)


def _no_padding() -> list[Any]:
    return [
        (side, (0, 0), (-1, -1), 0) for side in ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING", "BOTTOMPADDING")
    ]
