"""`manage.py import PATH…`: files, folders and zip archives into the archive."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pacs import storage
from pacs.services import IncomingInstance, Outcome, Source, store_instances
from pacs.services.folders import UnreadableArchive, find
from pacs.services.store import BATCH


class Command(BaseCommand):
    help = "Store DICOM files, the files of folders, and the content of zip archives. Nothing is moved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path)
        parser.add_argument("--quiet", action="store_true", help="No progress, only the summary.")

    def handle(self, *args: Any, **options: Any) -> None:
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._progress = not options["quiet"] and sys.stderr.isatty()
        self._unreadable: list[str] = []
        batch: list[IncomingInstance] = []
        for item in self._items(options["paths"]):
            batch.append(item)
            if len(batch) == BATCH:
                self._store(batch)
                batch = []
        if batch:
            self._store(batch)
        self._summary()

    def _items(self, paths: list[Path]) -> Iterator[IncomingInstance]:
        for path in paths:
            try:
                yield from find(path)
            except FileNotFoundError as error:
                raise CommandError(f"{path} does not exist.") from error
            except UnreadableArchive as error:
                self._unreadable.append(f"{path}: {error}")
            except storage.StorageFull as error:
                self._unreadable.append(f"{path}: {error}")
                return

    def _store(self, batch: list[IncomingInstance]) -> None:
        for result in store_instances(batch, source=Source(label="import", channel="command")):
            self._counts[result.outcome] += 1
            if result.outcome in {Outcome.QUARANTINED, Outcome.REFUSED}:
                self._reasons[result.detail] += 1
        if self._progress:
            sys.stderr.write(f"\r{sum(self._counts.values())} files")
            sys.stderr.flush()

    def _summary(self) -> None:
        if self._progress:
            sys.stderr.write("\r")
        counted = ", ".join(f"{self._counts[outcome]} {outcome}" for outcome in Outcome)
        self.stdout.write(counted)
        for detail, number in self._reasons.most_common():
            self.stdout.write(f"  {number} x {detail}")
        for line in self._unreadable:
            self.stdout.write(f"  {line}")
        if self._counts[Outcome.REFUSED] or self._unreadable:
            raise CommandError("Not everything could be taken; see above.")
