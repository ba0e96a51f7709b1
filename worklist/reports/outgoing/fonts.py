"""Which font prints which character, and in what order a line is printed.

Kurinto Sans (OFL, from the weblate-fonts wheel) covers the living alphabets; its Chinese, Japanese and
Korean companions print what it has not. Where letters join or stack (Arabic, the Indic scripts), text is
shaped; everywhere else it is left as it is, so that it can be searched and copied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Final
from xml.sax.saxutils import escape

import arabic_reshaper
from bidi import get_display
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR: Final = "Report"
BOLD: Final = "Report-Bold"
_COMPANIONS: Final = ("SC", "JP", "KR", "TC")
_FOLDER: Final = "static/weblate_fonts/kurinto/ttf"
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_HANGUL: Final = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
# Devanagari to Sinhala, Khmer, Myanmar, Tibetan: clusters that only a shaper puts together.
_CLUSTERED: Final = re.compile(r"[\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff]")
_UNKNOWN: Final = "\u25a1"


@lru_cache(maxsize=1)
def _covered() -> dict[str, dict[int, int]]:
    """Registers the fonts with reportlab; which characters each has, by its name."""
    covered = {}
    for suffix in ("", *_COMPANIONS):
        for weight, file_weight in (("", "Rg"), ("-Bold", "Bd")):
            name = f"{REGULAR}{suffix}{weight}"
            with as_file(files("weblate_fonts") / _FOLDER / f"KurintoSans{suffix}-{file_weight}.ttf") as path:
                font = TTFont(name, str(path), shapable=True)
            pdfmetrics.registerFont(font)
            covered[name] = font.face.charToGlyph
        pdfmetrics.registerFontFamily(f"{REGULAR}{suffix}", f"{REGULAR}{suffix}", f"{REGULAR}{suffix}-Bold")
    return covered


def register() -> None:
    """Make the fonts known to reportlab; harmless when they are."""
    _covered()


def needs_shaping(text: str) -> bool:
    """Whether only a shaper prints this right."""
    return bool(_CLUSTERED.search(text))


def runs_leftwards(text: str) -> bool:
    """Whether anything in the text is written from right to left."""
    return any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text)


def visual(line: str) -> str:
    """One line in the order in which it stands on paper, Arabic letters joined."""
    ordered = get_display(arabic_reshaper.reshape(line))
    return ordered if isinstance(ordered, str) else ordered.decode()


def runs(text: str, *, bold: bool = False) -> Iterator[tuple[str, str]]:
    """The text cut where the font changes: (font, piece)."""
    covered = _covered()
    weight = "-Bold" if bold else ""
    first = "JP" if _KANA.search(text) else "KR" if _HANGUL.search(text) else "SC"
    order = [f"{REGULAR}{s}{weight}" for s in dict.fromkeys(("", first, *_COMPANIONS))]
    font, piece = order[0], ""
    for character in text:
        found = next((name for name in order if ord(character) in covered[name]), None)
        if found is None:
            if not unicodedata.combining(character) and unicodedata.category(character) != "Cf":
                character, found = _UNKNOWN, order[0]
            else:
                continue
        if found != font and piece:
            yield font, piece
            piece = ""
        font, piece = found, piece + character
    if piece:
        yield font, piece


def markup(text: str, *, bold: bool = False) -> str:
    """The text as reportlab's paragraph markup, each piece in a font that has it."""
    return "".join(f'<font name="{font}">{escape(piece)}</font>' for font, piece in runs(text, bold=bold))


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Width in points of one line."""
    return sum(pdfmetrics.stringWidth(piece, font, size) for font, piece in runs(text, bold=bold))


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """Lines no wider than `room` points, in the order of reading; a word wider than that stands alone."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and width(longer, size, bold=bold) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]
