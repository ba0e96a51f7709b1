"""After a crash, disk and database agree again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.audit.models import AuditEvent
from pacs import storage
from pacs.models import Instance
from pacs.services.reconcile import reconcile_archive
from tests.pacs.conftest import encoded, make_dataset

pytestmark = pytest.mark.django_db


def _orphan(content: bytes) -> Path:
    path = storage.path_of_key(storage.new_key(storage.OBJECTS))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_whose_commit_never_came_is_indexed() -> None:
    dataset = make_dataset()
    orphan = _orphan(encoded(dataset))
    found = reconcile_archive(grace_seconds=0)
    assert len(found.indexed) == 1
    assert Instance.objects.get().sop_instance_uid == dataset.SOPInstanceUID
    assert not orphan.exists()
    assert storage.path_of(Instance.objects.get()).is_file()
    again = reconcile_archive(grace_seconds=0)
    assert (again.indexed, again.removed, again.missing) == ([], [], [])


def test_a_file_whose_object_came_again_is_removed(store: Callable) -> None:
    dataset = make_dataset()
    store(dataset)
    orphan = _orphan(encoded(dataset))
    assert len(reconcile_archive(grace_seconds=0).removed) == 1
    assert not orphan.exists()
    assert Instance.objects.count() == 1


def test_young_files_are_left_to_their_writers(archive: Path) -> None:
    orphan = _orphan(encoded(make_dataset()))
    part = storage.new_incoming()
    part.write_bytes(b"half")
    found = reconcile_archive()
    assert (found.indexed, found.removed) == ([], [])
    assert orphan.exists()
    assert part.exists()


def test_what_a_killed_writer_left_is_removed(archive: Path) -> None:
    storage.new_incoming().write_bytes(b"half")
    assert len(reconcile_archive(grace_seconds=0).removed) == 1
    assert list((archive / "incoming").iterdir()) == []


def test_a_row_without_its_file_is_told(store: Callable) -> None:
    store(make_dataset())
    instance = Instance.objects.get()
    storage.path_of(instance).unlink()
    assert reconcile_archive().missing == [instance.storage_key]
    reconcile_archive()
    assert AuditEvent.objects.filter(outcome=12, detail__instance=instance.pk).count() == 1


@pytest.mark.parametrize("key", ["../secret", "objects/../x", "/etc/passwd", "objects/20260101/0000/a.dcm"])
def test_a_key_that_the_archive_did_not_make_opens_nothing(key: str) -> None:
    with pytest.raises(ValueError, match="no storage key"):
        storage.path_of_key(key)
