"""Reading reviews, and what they say of the models at this site.

Truth is what QA holds, otherwise what the reader signed; indeterminate and uncertain cases count for
nothing. All results of signed studies count, sampled for review or not, so that the sample does not bend
the figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Case, Count, F, Q, QuerySet, When

from triage.models import ModelVersion
from worklist.quality.models import Review
from worklist.quality.statistics import Proportion, Table


@dataclass(frozen=True)
class LocalPpv:
    """How often a model's flags were right here."""

    share: Proportion
    flags: int
    true_flags: int


def current_reviews() -> QuerySet[Review]:
    """Reviews that answer now, the latest signature first, with what a list shows."""
    return (
        Review.objects.filter(superseded_at__isnull=True)
        .select_related("study__patient", "run__model", "signed_by", "reviewer")
        .defer("study__attributes", "run__input_instance_uids", "run__model__config")
        .order_by("-signed_at", "-pk")
    )


def summary() -> list[tuple[ModelVersion, Table]]:
    """A two by two table for every model that has a review, by name and version."""
    tables = _tables(Review.objects.all())
    models = ModelVersion.objects.filter(pk__in=tables).order_by("name", "version").defer("config")
    return [(model, tables[model.pk]) for model in models]


def local_ppv(model_ids: Iterable[int]) -> dict[int, LocalPpv]:
    """By model id, in one query; models without a judged flag are left out."""
    ids = set(model_ids)
    if not ids:
        return {}
    found = {}
    for model_id, table in _tables(Review.objects.filter(run__model_id__in=ids)).items():
        share = table.ppv
        if share is not None:
            found[model_id] = LocalPpv(share=share, flags=table.tp + table.fp, true_flags=table.tp)
    return found


def _tables(reviews: QuerySet[Review]) -> dict[int, Table]:
    def count(result: str, truth: str) -> Count:
        return Count("pk", filter=Q(ai_result=result, truth=truth))

    rows = (
        reviews.filter(superseded_at__isnull=True)
        .annotate(truth=Case(When(verdict="", then=F("reader_result")), default=F("verdict")))
        .order_by()
        .values("run__model_id")
        .annotate(
            tp=count("positive", "positive"),
            fp=count("positive", "negative"),
            tn=count("negative", "negative"),
            fn=count("negative", "positive"),
        )
    )
    return {
        row["run__model_id"]: Table(tp=row["tp"], fp=row["fp"], tn=row["tn"], fn=row["fn"]) for row in rows
    }
