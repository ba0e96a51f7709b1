"""`manage.py receiver`: the DICOM receiver as a process."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pacs.dimse.server import Receiver


class Command(BaseCommand):
    # Other commands check the settings; this one is started again in a hurry after a crash.
    requires_system_checks: list[str] = []
    help = "Serve C-ECHO and C-STORE until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.DICOM_HOST)
        parser.add_argument("--port", type=int, default=settings.DICOM_PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            receiver = Receiver(options["host"], options["port"])
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {options['host']}:{options['port']}: {error.strerror}. "
                "Choose another port with --port or FIRSTREAD_DICOM_PORT."
            ) from error
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        receiver.start()
        self.stdout.write(f"DICOM receiver {settings.AE_TITLE} listens on {options['host']}:{receiver.port}")
        self.stdout.flush()
        ended.wait()
        receiver.stop()
