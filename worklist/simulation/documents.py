"""Parameters from a JSON document, and the result of a comparison as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worklist.simulation.comparing import Comparison, OrderingResult
from worklist.simulation.department import Department, StudyClass

MOST_PLAYED = 500_000
"""Studies that one simulation may draw, over all replications: about half a minute of one core."""


@dataclass(frozen=True)
class Parameters:
    """What is asked for: the department, and how much of it is played."""

    department: Department
    studies: int = 5_000
    replications: int = 10
    seed: int = 1


def defaults() -> dict[str, Any]:
    """The synthetic department that the command and the page begin with."""
    return as_document(Parameters(Department()))


def as_document(parameters: Parameters) -> dict[str, Any]:
    """JSON that `parameters_of` reads back."""
    department = dataclasses.asdict(parameters.department)
    del department["policy"]
    department["classes"] = list(department["classes"])
    return department | {
        "studies": parameters.studies,
        "replications": parameters.replications,
        "seed": parameters.seed,
    }


def parameters_of(document: Mapping[str, Any]) -> Parameters:
    """Parameters from a document; what it leaves out is as in the synthetic department.

    Raises:
        ValueError: what cannot be, and what would do.
    """
    said = dict(document)
    played = {name: int(said.pop(name)) for name in ("studies", "replications", "seed") if name in said}
    if "classes" in said:
        said["classes"] = tuple(StudyClass(**one) for one in said["classes"])
    if said.get("arrivals_per_hour") is not None:
        said.setdefault("load", None)
    parameters = Parameters(Department(**said), **played)
    if parameters.studies * parameters.replications > MOST_PLAYED:
        raise ValueError(
            f"{parameters.studies:,} studies in {parameters.replications} replications are more than "
            f"{MOST_PLAYED:,}. Ask for fewer of either, or use `manage.py simulate`, which has no limit."
        )
    return parameters


def result_document(comparison: Comparison, frontier: tuple[OrderingResult, ...]) -> dict[str, Any]:
    """What the page draws: minutes and shares."""
    department = comparison.department
    return {
        "utilisation": department.utilisation,
        "arrivals_per_hour": department.arrivals_per_minute * 60,
        "studies": comparison.studies,
        "replications": comparison.replications,
        "minutes": list(comparison.minutes),
        "orderings": [dataclasses.asdict(one) for one in comparison.orderings],
        "frontier": [point for one in frontier if (point := _point(one))],
    }


def _point(ordering: OrderingResult) -> dict[str, Any] | None:
    """What the diseased win, and what it costs the slowest of the others."""
    diseased, unflagged = ordering.groups.get("diseased"), ordering.groups.get("unflagged")
    if not diseased or not unflagged or diseased.mean_change is None or unflagged.p999_change is None:
        return None
    return {
        "name": ordering.name,
        "words": ordering.words,
        "diseased_mean_change": dataclasses.asdict(diseased.mean_change),
        "unflagged_p999_change": unflagged.p999_change,
    }
