"""Does it hold for everybody? Cases by kind and size of the lesion, scanner, slice thickness, age and sex."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SIZES_ML: Final = (0.0, 1.0, 2.0, 5.0, 15.0, 30.0)
THICKNESSES_MM: Final = (0.0, 1.5, 3.0, 5.0)
AGES: Final = (0, 18, 40, 60, 75)
UNKNOWN: Final = "not known"


@dataclass(frozen=True)
class Judged:
    """One finding in one study: what is true and what the model said.

    Attributes:
        probability: None when the study was not analysed or failed.
        true_ml, found_ml: of the lesion, and of what the model marked.
        dice: of both masks, where there is a true one.
    """

    study: str
    present: bool
    probability: float | None
    subtype: str = ""
    true_ml: float | None = None
    found_ml: float | None = None
    dice: float | None = None
    traits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """A way to part the cases; `value` gives None to those that have no part in it."""

    name: str
    title: str
    value: Callable[[Judged], str | None]
    order: Callable[[str], Any] = str


def size_of(case: Judged) -> str | None:
    """Volume of the lesion in mL, in bands; only where there is one."""
    if not case.present:
        return None
    return UNKNOWN if case.true_ml is None else _band(case.true_ml, SIZES_ML, "mL")


def thickness_of(case: Judged) -> str:
    """Slice thickness in mm; an upper limit belongs to the thinner band."""
    value = _number(case, "slice_thickness_mm")
    if value is None:
        return UNKNOWN
    place = sum(value > limit + 1e-6 for limit in THICKNESSES_MM[1:])
    if place == len(THICKNESSES_MM) - 1:
        return f"above {THICKNESSES_MM[-1]:g} mm"
    low, high = THICKNESSES_MM[place], THICKNESSES_MM[place + 1]
    return f"up to {high:g} mm" if not low else f"above {low:g} to {high:g} mm"


def age_of(case: Judged) -> str:
    """Age in years."""
    value = _number(case, "age_years")
    return UNKNOWN if value is None else _band(value, AGES, "years")


def _band(value: float, limits: Sequence[float], unit: str) -> str:
    place = max(i for i, limit in enumerate(limits) if value >= limit or i == 0)
    if place == len(limits) - 1:
        return f"{limits[-1]:g} {unit} and more"
    return f"{limits[place]:g} to {limits[place + 1]:g} {unit}"


def _number(case: Judged, name: str) -> float | None:
    value = case.traits.get(name)
    return float(value) if isinstance(value, int | float) else None


def _leading_number(label: str) -> tuple[bool, bool, float]:
    words = [float(w) for w in label.replace("+", " ").split() if w.replace(".", "", 1).isdigit()]
    return label == UNKNOWN, label.startswith("above"), words[0] if words else 0.0


def _sex(case: Judged) -> str:
    return {"F": "female", "M": "male", "O": "other"}.get(str(case.traits.get("sex") or ""), UNKNOWN)


AXES: Final = (
    Axis("subtype", "Kind of lesion", lambda c: (c.subtype or UNKNOWN) if c.present else None),
    Axis("size", "Volume of the lesion", size_of, _leading_number),
    Axis("scanner", "Scanner", lambda c: str(c.traits.get("scanner") or UNKNOWN)),
    Axis("slice_thickness", "Slice thickness", thickness_of, _leading_number),
    Axis("age", "Age", age_of, _leading_number),
    Axis("sex", "Sex", _sex),
)


def parted(axis: Axis, cases: Sequence[Judged]) -> list[tuple[str, list[Judged]]]:
    """The cases by their value on an axis, in the axis's order; every case with a value is in one part."""
    parts: dict[str, list[Judged]] = {}
    for case in cases:
        value = axis.value(case)
        if value is not None:
            parts.setdefault(value, []).append(case)
    return sorted(parts.items(), key=lambda part: axis.order(part[0]))
