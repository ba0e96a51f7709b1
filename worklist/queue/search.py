"""What the search of the list looks through: one lower-case text an item, kept with its rank."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from pacs.models import Order, Study

MOST_WORDS = 8
LONGEST_TEXT = 600
"""Characters kept: an index entry of PostgreSQL holds 2,704 bytes."""


def text_of(study: Study, order: Order | None) -> str:
    """Patient, accession, study and reason for exam, as somebody may type them; never empty."""
    parts = [
        study.patient.patient_name.replace("^", " "),
        study.patient.patient_id,
        study.accession_number,
        study.study_description,
        study.body_part_examined,
        *((order.accession_number, order.procedure, order.reason_for_exam) if order else ()),
    ]
    text = " ".join(" ".join(part.split()) for part in dict.fromkeys(parts) if part.strip())
    return text.lower()[:LONGEST_TEXT] or "-"


def words_of(typed: str) -> list[str]:
    """The words that a text must hold, each anywhere in it."""
    return list(dict.fromkeys(typed.replace("^", " ").lower().split()))[:MOST_WORDS]


def holds(words: Iterable[str]) -> Q:
    """Items whose text holds every word."""
    every = Q()
    for word in words:
        every &= Q(search_text__contains=word)
    return every
