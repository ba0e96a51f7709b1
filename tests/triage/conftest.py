"""A small archive for each test, a bundle that marks the very bright, and studies that hold a bright ball."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from foundation import events
from pacs.models import Study, StudyState
from pacs.services import IncomingInstance, Source, store_instances
from pacs.services.datasets import encode
from tests.triage.making import datasets_of, make_bright_bundle, make_stack
from triage import registry
from triage.models import ModelVersion

os.environ.setdefault("FIRSTREAD_TORCH_THREADS", "1")


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: object) -> Path:
    """An empty archive folder."""
    folder = tmp_path / "archive"
    settings.ARCHIVE_DIR = folder  # type: ignore[attr-defined]
    settings.MINIMUM_FREE_DISK_MB = 1  # type: ignore[attr-defined]
    return folder


@pytest.fixture
def bundles(tmp_path: Path, settings: object) -> Path:
    """An empty folder of bundles."""
    folder = tmp_path / "models"
    folder.mkdir()
    settings.BUNDLES_DIR = folder  # type: ignore[attr-defined]
    settings.ADDED_BUNDLES_DIR = tmp_path / "added"  # type: ignore[attr-defined]
    return folder


@pytest.fixture
def bright(db: None, bundles: Path) -> ModelVersion:
    """A live model that marks what is above 1500 HU."""
    return registry.register_bundle(path=make_bright_bundle(bundles), state="live")


def ball_series(*, radius_mm: float = 14.0, slices: int = 16, **values: object) -> list[Dataset]:
    """An axial head series of 4 mm slices, tilted, with a ball at (10, -5, 8) mm unless its radius is 0."""
    stack = make_stack(
        centre=np.array([10.0, -5.0, 8.0]),
        radius_mm=radius_mm or 0.01,
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 0.9483237, -0.3173047]),
        depths_mm=(np.arange(slices) - slices / 2) * 4.0,
        thickness_mm=4.0,
        tilt_shift=0.33,
        size=40,
        pixel_mm=2.5,
    )
    return datasets_of(stack, **values)


def put(datasets: list[Dataset]) -> list[str]:
    """Into the archive, by the one write path; returns the outcomes."""
    items = [IncomingInstance(data=encode(dataset)) for dataset in datasets]
    return [str(result.outcome) for result in store_instances(items, source=Source("TEST", "system"))]


def complete(study: Study) -> Study:
    """As the completeness rule does once nothing arrives any more, without its news."""
    study.refresh_from_db()
    if study.state != StudyState.COMPLETE:
        study.state, study.completed_at = StudyState.COMPLETE, study.last_instance_at
        study.save(update_fields=["state", "completed_at"])
    return study


@pytest.fixture
def stored() -> Callable[..., Study]:
    """stored(datasets) -> the complete study that they make."""

    def make(datasets: list[Dataset]) -> Study:
        assert set(put(datasets)) == {"stored"}
        return complete(Study.objects.get(study_instance_uid=datasets[0].StudyInstanceUID))

    return make


@pytest.fixture
def news(monkeypatch: pytest.MonkeyPatch) -> list[events.Event]:
    """What triage publishes and hears, in order of commit."""
    heard: list[events.Event] = []
    kinds = (events.SendingPaused, events.TriagePlanned, events.TriageStarted, events.TriageRunFinished)
    for kind in kinds:
        monkeypatch.setitem(events._handlers, kind, [heard.append])
    return heard
