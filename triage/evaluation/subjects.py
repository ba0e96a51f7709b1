"""The model under test: a registered version, or a bundle's folder as it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from triage import registry
from triage.bundles import Fingerprint, read_bundle
from triage.inference.analysis import Analysis
from triage.inference.host import process as models
from triage.models import ModelVersion
from triage.targets import TargetFinding, targets

Ask = Callable[[Sequence[Path]], Analysis]


class NoSuchModel(Exception):
    """Neither a registered model nor a bundle's folder; the message says what to do."""


@dataclass(frozen=True)
class Subject:
    """One model and how production treats it.

    Attributes:
        folder: of the bundle.
        pinned: its hashes: as registered, or as found where it is not registered.
        rules: conditions of its active routing rules.
    """

    name: str
    version: str
    folder: Path
    pinned: Fingerprint
    config: Mapping[str, Any]
    rules: tuple[Mapping[str, Any], ...]
    intended_use: str
    registered: bool

    @property
    def targets(self) -> tuple[TargetFinding, ...]:
        """What it looks for."""
        return targets(self.config)


def find_subject(model: str, version: str = "") -> Subject:
    """The newest registered version of a name, the one asked for, or the bundle in a folder.

    Raises:
        NoSuchModel: there is none.
        BundleRefused: the folder's bundle is not allowed.
    """
    if "/" in model:
        if not Path(model).is_dir():
            raise NoSuchModel(f"{model} is no folder")
        return _of_folder(Path(model))
    if row := _row(model, version):
        return Subject(
            name=row.name,
            version=row.version,
            folder=registry.folder_of(row),
            pinned=registry.pinned(row),
            config=row.config,
            rules=tuple(row.rules.filter(active=True).order_by("pk").values_list("conditions", flat=True)),
            intended_use=row.intended_use,
            registered=True,
        )
    folder = Path(settings.BUNDLES_DIR) / model
    if not version and folder.is_dir():
        return _of_folder(folder)
    wanted = f"{model} {version}".strip()
    raise NoSuchModel(f"no model {wanted}: manage.py models list tells which there are, or name a folder")


def production(subject: Subject, data: Path) -> Ask:
    """Ask as an inference worker does: a process of the model's own that sees nothing but `data`."""
    limits = models.Limits(
        seconds=settings.TRIAGE_RUN_SECONDS,
        memory_mb=settings.TRIAGE_MODEL_MEMORY_MB,
        readable=(data.resolve(),),
        isolated=settings.TRIAGE_ISOLATION_REQUIRED,
    )

    def ask(files: Sequence[Path]) -> Analysis:
        return models.analyse([f.resolve() for f in files], subject.folder, subject.pinned, limits=limits)

    return ask


def _row(name: str, version: str) -> ModelVersion | None:
    try:
        rows = ModelVersion.objects.filter(name=name).order_by("-registered_at", "-pk")
        return (rows.filter(version=version) if version else rows).first()
    except DatabaseError:
        return None  # no database here yet: the folder of bundles is all that is known


def _of_folder(folder: Path) -> Subject:
    files = read_bundle(folder.resolve())
    return Subject(
        name=files.name,
        version=files.version,
        folder=files.path,
        pinned=files.fingerprint,
        config=files.config,
        rules=(files.config["routing"],),
        intended_use=files.intended_use,
        registered=False,
    )
