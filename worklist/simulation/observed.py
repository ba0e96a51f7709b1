"""A department's parameters from the site's own log: counts and means, no patient."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F

from triage.models import ModelState, RunState, TriageRun
from worklist.quality import selectors as quality
from worklist.queue.models import WorklistItem
from worklist.simulation.documents import defaults

LOOKED_BACK = timedelta(days=30)
ENOUGH = 20
"""Fewer cases than this say nothing; the synthetic figure stands instead."""
MOST_ROWS = 20_000
LONGEST_READ_MINUTES = 120.0
"""A study that lay open for longer was not being read all that time."""
SHORTEST_READ_MINUTES = 0.2
BUSIEST = 0.9
"""Load at which the fewest readers still keep up; the log does not tell who sat at the list."""


def parameters_from_log(now: datetime) -> tuple[dict[str, Any], list[str]]:
    """Parameters as `documents.parameters_of` reads them, and in words where each comes from.

    A constant number of queries. Each figure needs ENOUGH cases of the last 30 days; models' figures come
    from all reviews that stand.
    """
    since = now - LOOKED_BACK
    found = defaults()
    notes: list[str] = []
    rows = list(
        WorklistItem.objects.filter(arrived_at__gte=since, arrived_at__lte=now)
        .order_by("-arrived_at")
        .values_list("arrived_at", "priority_class", "location_class", "first_opened_at", "signed_at")[
            :MOST_ROWS
        ]
    )
    _reading(found, notes, [(opened, signed) for *_, opened, signed in rows if opened and signed])
    _arrivals(found, notes, rows, now)
    _model(found, notes)
    _delay(found, notes, since)
    return found, notes


def _reading(found: dict[str, Any], notes: list[str], read: list[tuple[datetime, datetime]]) -> None:
    minutes = np.array([(signed - opened) / timedelta(minutes=1) for opened, signed in read])
    minutes = minutes[(minutes >= SHORTEST_READ_MINUTES) & (minutes <= LONGEST_READ_MINUTES)]
    if len(minutes) < ENOUGH:
        notes.append(
            f"Read time: the synthetic {found['read_minutes']:g} min; {_few(len(minutes), 'reads')}."
        )
        return
    mean = float(minutes.mean())
    variation = round(float(minutes.std(ddof=1)) / mean, 2)
    found |= {
        "read_minutes": round(mean, 1),
        "read_shape": "lognormal",
        "read_variation": max(variation, 0.05),
    }
    notes.append(f"Read time: first opened to signed, {len(minutes)} studies.")


def _arrivals(found: dict[str, Any], notes: list[str], rows: list[tuple[Any, ...]], now: datetime) -> None:
    if len(rows) < ENOUGH:
        notes.append(
            f"Arrivals and orders: a synthetic load of {found['load']:g}; {_few(len(rows), 'studies')}."
        )
        return
    hours = (now - rows[-1][0]) / timedelta(hours=1)
    arrivals = round(len(rows) / hours, 2)
    readers = max(1, math.ceil(arrivals / 60 * found["read_minutes"] / BUSIEST))
    orders = Counter((priority, location) for _, priority, location, *_ in rows)
    found |= {
        "load": None,
        "arrivals_per_hour": arrivals,
        "readers": readers,
        "classes": [
            {"priority": priority, "location": location, "share": round(count / len(rows), 4)}
            for (priority, location), count in orders.most_common()
        ],
    }
    notes.append(f"Arrivals and orders: {len(rows)} studies of {hours / 24:.1f} days.")
    notes.append(
        f"Readers: the fewest who keep up at a load of {BUSIEST:g}; the log does not say who sat there."
    )


def _model(found: dict[str, Any], notes: list[str]) -> None:
    tables = [table for model, table in quality.summary() if model.state == ModelState.LIVE]
    tp, fp, tn, fn = (sum(getattr(table, name) for table in tables) for name in ("tp", "fp", "tn", "fn"))
    if tp + fn < ENOUGH or tn + fp < ENOUGH:
        notes.append(
            f"Prevalence, sensitivity and specificity: synthetic; only {tp + fn} results with and {tn + fp} "
            f"without the finding were compared, and {ENOUGH} of each are needed."
        )
        return
    total = tp + fp + tn + fn
    found |= {
        "prevalence": round((tp + fn) / total, 4),
        "sensitivity": round(tp / (tp + fn), 4),
        "specificity": round(tn / (tn + fp), 4),
    }
    notes.append(f"Prevalence, sensitivity and specificity: {total} results of live models against readers.")


def _delay(found: dict[str, Any], notes: list[str], since: datetime) -> None:
    runs = TriageRun.objects.filter(
        state=RunState.DONE, model_state=ModelState.LIVE, study__worklist_item__arrived_at__gte=since
    )
    waited = ExpressionWrapper(
        F("finished_at") - F("study__worklist_item__arrived_at"), output_field=DurationField()
    )
    mean = runs.aggregate(mean=Avg(waited), n=Count("pk"))
    if mean["n"] < ENOUGH or mean["mean"] is None:
        notes.append(
            f"AI's delay: the synthetic {found['ai_delay_minutes']:g} min; {_few(mean['n'], 'results')}."
        )
        return
    found["ai_delay_minutes"] = round(max(0.0, mean["mean"] / timedelta(minutes=1)), 1)
    notes.append(f"AI's delay: arrival to result, mean of {mean['n']}.")


def _few(number: int, what: str) -> str:
    return f"{number} {what} in 30 days are too few, {ENOUGH} are needed"
