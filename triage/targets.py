"""What a bundle looks for, read from `configs/firstread.json` in either of its two forms.

One finding: `finding` with `rank_threshold`, `alert_threshold`, `criticality` and `probability` beside it.
Several: a list `findings`, each with its own; what an entry leaves out is taken from the top level.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CRITICALITIES = ("critical", "urgent", "normal")
NAME_LENGTH = 64


@dataclass(frozen=True)
class TargetFinding:
    """One finding that a bundle looks for.

    Attributes:
        name: unique in the bundle, for people and files: "intracranial-hemorrhage", "epidural".
        code, scheme, meaning: the coded concept.
        subtype: in words, or "".
        criticality: critical, urgent or normal.
        rank_threshold: from this probability a finding is present and raises the study.
        alert_threshold: from this probability it alerts.
        output: channel of the network's answer, counted from 0.
        probability: how the answer becomes a probability, as the bundle says; may be empty.
    """

    name: str
    code: str
    scheme: str
    meaning: str
    subtype: str
    criticality: str
    rank_threshold: float
    alert_threshold: float
    output: int
    probability: Mapping[str, Any]


def targets(config: Mapping[str, Any]) -> tuple[TargetFinding, ...]:
    """The findings of a bundle's configuration, in its order; the first is the one that names the model.

    Raises KeyError, TypeError or ValueError for a configuration that `target_faults` complains of.
    """
    return tuple(_target(entry, config, place) for place, entry in enumerate(_entries(config)))


def target_faults(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the findings of a configuration, in words."""
    entries = config.get("findings", [config["finding"]] if "finding" in config else [])
    if "finding" in config and "findings" in config:
        return ["configs/firstread.json has both finding and findings: keep one"]
    if not isinstance(entries, list) or not entries:
        return ["configs/firstread.json lacks finding"]
    faults: list[str] = []
    for place, entry in enumerate(entries):
        where = f"findings[{place}]" if "findings" in config else "finding"
        faults += [f"{where}: {fault}" for fault in _faults(entry, config)]
    if faults:
        return faults
    found = targets(config)
    for what, values in (
        ("name", [target.name for target in found]),
        ("output", [str(target.output) for target in found]),
    ):
        faults += [
            f"findings: {what} {value} stands twice"
            for value in sorted(set(values))
            if values.count(value) > 1
        ]
    return faults


def _entries(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(config["findings"]) if "findings" in config else [config["finding"]]


def _target(entry: Mapping[str, Any], config: Mapping[str, Any], place: int) -> TargetFinding:
    meaning = str(entry["meaning"])
    return TargetFinding(
        name=str(entry.get("name") or _slug(meaning))[:NAME_LENGTH],
        code=str(entry["code"]),
        scheme=str(entry["scheme"]),
        meaning=meaning,
        subtype=str(entry.get("subtype", "")),
        criticality=str(entry.get("criticality", config.get("criticality", "critical"))),
        rank_threshold=float(entry.get("rank_threshold", config.get("rank_threshold", 0))),
        alert_threshold=float(entry.get("alert_threshold", config.get("alert_threshold", 0))),
        output=int(entry.get("output", place)),
        probability=dict(entry.get("probability", config.get("probability", {}))),
    )


def _faults(entry: Any, config: Mapping[str, Any]) -> list[str]:
    if not isinstance(entry, dict):
        return ["must be an object"]
    faults = []
    for key, most in (("code", 32), ("scheme", 16), ("meaning", 120)):
        value = entry.get(key)
        if not isinstance(value, str) or not 0 < len(value.strip()) <= most:
            faults.append(f"needs a {key} of at most {most} characters")
    for key in ("name", "subtype"):
        value = entry.get(key, "")
        if not isinstance(value, str) or len(value) > NAME_LENGTH:
            faults.append(f"{key} must be a text of at most {NAME_LENGTH} characters")
    for key in ("rank_threshold", "alert_threshold"):
        threshold: Any = entry.get(key, config.get(key))
        if not _number(threshold) or not 0.0 < float(threshold) <= 1.0:
            faults.append(f"{key} must lie above 0 and be at most 1")
    if entry.get("criticality", config.get("criticality", "critical")) not in CRITICALITIES:
        faults.append("criticality must be critical, urgent or normal")
    output = entry.get("output", 0)
    if not isinstance(output, int) or isinstance(output, bool) or output < 0:
        faults.append("output must be the number of a channel, counted from 0")
    if not isinstance(entry.get("probability", config.get("probability", {})), dict):
        faults.append("probability must be an object")
    return faults


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "finding"
