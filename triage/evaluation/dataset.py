"""A labelled folder of studies: one sub-folder a study with its DICOM files, and what is in each.

Labels stand in `labels.csv` or in `truth.json`; both are read row by row, and every bad row is told.

labels.csv, one row a study and finding; only the first two columns must be there:

    study        the sub-folder
    present      1, yes or true; 0, no or false
    finding      name of the model's target; without it, its only one
    subtype, volume_ml, mask        for the strata, and the mask's file (triage/evaluation/masks.py)

truth.json, a list as `manage.py demo --write` makes it, one object a study:

    folder       the sub-folder
    lesion       kind of lesion, or null; present for a target of that name or subtype, and for one of none
    volume_ml, mask                 as above
    findings     instead of `lesion`: {target: true | false | {"present", "subtype", "volume_ml", "mask"}}
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from triage.targets import TargetFinding

_YES: Final = {"1", "yes", "true", "y", "present", "positive"}
_NO: Final = {"0", "no", "false", "n", "absent", "negative"}
_COLUMNS: Final = {"study", "present", "finding", "subtype", "volume_ml", "mask", "comment"}
_MOST_FAULTS: Final = 50


class DatasetRefused(Exception):
    """The folder cannot be used; the message lists what is wrong, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        shown = list(faults[:_MOST_FAULTS])
        if len(faults) > _MOST_FAULTS:
            shown.append(f"... and {len(faults) - _MOST_FAULTS} more")
        super().__init__("\n".join(shown))


@dataclass(frozen=True)
class Truth:
    """What is known about one finding in one study.

    Attributes:
        volume_ml: of the lesion, where it is known.
        mask: file of its mask, where there is one.
    """

    present: bool
    subtype: str = ""
    volume_ml: float | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class LabelledStudy:
    """One study of the set: its folder and what is known, by name of the target."""

    name: str
    folder: Path
    truths: Mapping[str, Truth]


@dataclass(frozen=True)
class Dataset:
    """The whole set; `labels_sha256` is of the file of labels."""

    name: str
    folder: Path
    studies: tuple[LabelledStudy, ...]
    labels_sha256: str


@dataclass
class _Reading:
    """Rows as they are read: by study and target, and what is wrong."""

    folder: Path
    targets: Sequence[TargetFinding]
    truths: dict[str, dict[str, Truth]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, where: str, study: str, target: str, truth: Truth) -> None:
        known = self.truths.setdefault(study, {})
        if target in known:
            self.faults.append(f"{where}: {study} has two labels for {target}")
        known[target] = truth


def read_dataset(folder: Path, targets: Sequence[TargetFinding]) -> Dataset:
    """Read a labelled folder for a model that looks for `targets`.

    Raises:
        DatasetRefused: no labels, bad rows, or studies that are not there.
    """
    if not folder.is_dir():
        raise DatasetRefused([f"{folder} is no folder"])
    labels = next((folder / name for name in ("labels.csv", "truth.json") if (folder / name).is_file()), None)
    if labels is None:
        raise DatasetRefused([f"{folder} has neither labels.csv nor truth.json"])
    reading = _Reading(folder, targets)
    (_read_csv if labels.suffix == ".csv" else _read_json)(labels, reading)
    if not reading.truths and not reading.faults:
        reading.faults.append(f"{labels.name} has no row")
    if reading.faults:
        raise DatasetRefused(reading.faults)
    return Dataset(
        name=folder.resolve().name,
        folder=folder,
        studies=tuple(
            LabelledStudy(name, folder / name, truths) for name, truths in sorted(reading.truths.items())
        ),
        labels_sha256=hashlib.sha256(labels.read_bytes()).hexdigest(),
    )


def _read_csv(path: Path, reading: _Reading) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        columns = {name.strip().lower() for name in rows.fieldnames or []}
        if missing := {"study", "present"} - columns:
            reading.faults.append(f"{path.name}: no column {' and '.join(sorted(missing))} in its first line")
            return
        if unknown := columns - _COLUMNS:
            reading.faults.append(f"{path.name}: no such column: {', '.join(sorted(unknown))}")
        for row in rows:
            values = {str(key).strip().lower(): str(value or "").strip() for key, value in row.items()}
            where = f"{path.name}, line {rows.line_num}"
            study = _study(values["study"], where, reading)
            target = _named(values.get("finding", ""), where, reading)
            truth = _truth(values, where, reading)
            if study and target and truth is not None:
                reading.add(where, study, target, truth)


def _read_json(path: Path, reading: _Reading) -> None:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reading.faults.append(f"{path.name} is not JSON: {error}")
        return
    if not isinstance(entries, list):
        reading.faults.append(f"{path.name} must hold a list with one object a study")
        return
    for number, entry in enumerate(entries, start=1):
        where = f"{path.name}, entry {number}"
        if not isinstance(entry, dict):
            reading.faults.append(f"{where}: is no object")
            continue
        study = _study(str(entry.get("folder") or ""), where, reading)
        for target, truth in _of_entry(entry, where, reading):
            if study and truth is not None:
                reading.add(where, study, target, truth)


def _of_entry(entry: Mapping[str, Any], where: str, reading: _Reading) -> Iterator[tuple[str, Truth | None]]:
    if isinstance(entry.get("findings"), dict):
        for name, value in entry["findings"].items():
            if target := _named(str(name), where, reading):
                said = value if isinstance(value, dict) else {"present": value}
                yield target, _truth(said, where, reading)
        return
    if "lesion" not in entry:
        reading.faults.append(f"{where}: has neither lesion nor findings")
        return
    lesion = entry["lesion"]
    for finding in reading.targets:
        meant = finding.subtype or (finding.name if len(reading.targets) > 1 else "")
        present = lesion is not None and (not meant or str(lesion) == meant)
        yield (
            finding.name,
            _truth({**entry, "present": present, "subtype": str(lesion or "")}, where, reading)
            if present
            else Truth(False),
        )


def _study(name: str, where: str, reading: _Reading) -> str:
    if not name or Path(name).name != name or not (reading.folder / name).is_dir():
        reading.faults.append(f"{where}: no study in folder {name!r}")
        return ""
    return name


def _named(name: str, where: str, reading: _Reading) -> str:
    names = [target.name for target in reading.targets]
    if not name and len(names) == 1:
        return names[0]
    if name in names:
        return name
    what = f"no finding {name!r}" if name else "names no finding"
    reading.faults.append(f"{where}: {what}; the model looks for {', '.join(names)}")
    return ""


def _truth(values: Mapping[str, Any], where: str, reading: _Reading) -> Truth | None:
    said = str(values.get("present", "")).strip().lower()
    if said not in _YES | _NO:
        reading.faults.append(f"{where}: present is {said!r}, neither 1 nor 0")
        return None
    volume = values.get("volume_ml")
    try:
        volume_ml = None if volume in (None, "") else float(str(volume))
    except ValueError:
        volume_ml = -1.0
    if volume_ml is not None and not 0.0 <= volume_ml < 1e5:
        reading.faults.append(f"{where}: volume_ml is {volume!r}, no volume")
        return None
    mask = str(values.get("mask") or "")
    path = reading.folder / mask if mask else None
    if path is not None and not (path.resolve().is_relative_to(reading.folder.resolve()) and path.is_file()):
        reading.faults.append(f"{where}: no mask in {mask!r}")
        return None
    present = said in _YES
    return Truth(present, str(values.get("subtype") or ""), volume_ml if present else None, path)
