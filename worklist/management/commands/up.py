"""`manage.py up`: start and keep the whole house on this machine until Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import stat
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from foundation.accounts.models import Role, User
from foundation.accounts.services import create_user
from pacs.models import Study
from triage import runs
from worklist.operations import measures, processes
from worklist.operations.addresses import reachable
from worklist.operations.health import port_is_free
from worklist.operations.supervisor import Supervisor

DEMO_USERS: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    ("radiologist", "Demo Radiologist One", (Role.RADIOLOGIST,), False),
    ("radiologist2", "Demo Radiologist Two", (Role.RADIOLOGIST,), False),
    ("er", "Demo ER Nurse", (Role.ER_STAFF,), False),
    ("qa", "Demo QA Reviewer", (Role.QA_REVIEWER,), False),
    ("admin", "Demo Administrator", (Role.PACS_ADMINISTRATOR,), True),
)
# (option, variable, setting) in the order of `./run --help`
OPTIONS = (
    ("host", "FIRSTREAD_HOST"),
    ("port", "FIRSTREAD_PORT"),
    ("dicom_port", "FIRSTREAD_DICOM_PORT"),
    ("data_dir", "FIRSTREAD_DATA_DIR"),
)


class Command(BaseCommand):
    # Checks import every address; what they could find, `./test` found before.
    requires_system_checks = ()
    help = "Start Valkey, web, DICOM receiver, workers and beat; bring back what dies; end all on Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", help=f"address to listen on (now {settings.HTTP_HOST})")
        parser.add_argument("--port", help=f"port of the page (now {settings.HTTP_PORT})")
        parser.add_argument("--dicom-port", help=f"port of the DICOM receiver (now {settings.DICOM_PORT})")
        parser.add_argument("--data-dir", help=f"data folder (now {settings.DATA_DIR})")
        demo = parser.add_mutually_exclusive_group()
        demo.add_argument("--demo", dest="demo", action="store_const", const="1", help="play the demo now")
        demo.add_argument("--no-demo", dest="demo", action="store_const", const="0", help="never play it")

    def handle(self, *args: Any, **options: Any) -> None:
        self._restart_with_options(options)
        self._began = time.monotonic()
        started_at = float(os.environ.get("FIRSTREAD_RUN_STARTED", time.time()))
        self._before = max(0.0, time.time() - started_at)
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        run_dir = settings.DATA_DIR / "run"
        lock = self._lock(run_dir)
        for host, port, what in (
            (settings.HTTP_HOST, settings.HTTP_PORT, "--port"),
            (settings.DICOM_HOST, settings.DICOM_PORT, "--dicom-port"),
        ):
            if not port_is_free(host, port):
                raise CommandError(f"Port {port} on {host} is taken. Choose another one with {what}.")

        broker = processes.prepare_broker(run_dir)
        supervisor = Supervisor(
            logs=settings.DATA_DIR / "logs",
            environment={"FIRSTREAD_BROKER_URL": broker.url, "PYTHONUNBUFFERED": "1"},
            cwd=settings.BASE_DIR,
            say=self._say,
        )
        self._stopping = False
        self._awaits_result = False
        self._next_look = 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            self._start(supervisor, broker, run_dir)
            while not self._stopping:
                supervisor.poll()
                self._tell_first_result()
                time.sleep(0.2)
        finally:
            began = time.monotonic()
            supervisor.stop()
            self._say(f"All ended in {time.monotonic() - began:.1f} s. The next start goes on from here.")
            lock.close()

    def _start(self, supervisor: Supervisor, broker: processes.Broker, run_dir: Path) -> None:
        supervisor.start(processes.valkey(broker))
        self._migrate()
        supervisor.start(processes.web())
        first_start = self._fresh = not User.objects.exists()
        demo_choice = os.environ.get("FIRSTREAD_DEMO", "")
        passwords = self._first_users(demo_choice != "0") if first_start else {}
        if not self._wait_for_page(supervisor):
            return
        call_command("models", "ensure-shipped", verbosity=0)
        self._announce(passwords)
        supervisor.start(processes.receiver())
        # A run that no living worker holds is free again: only this supervisor starts inference here.
        supervisor.start(processes.worker("inference", concurrency=1, before_start=runs.release_abandoned))
        supervisor.start(processes.worker("default", concurrency=2))
        supervisor.start(processes.beat(run_dir))
        self._wait_for_health(supervisor)
        if demo_choice == "1" or (demo_choice != "0" and not Study.objects.exists()):
            self._say("The demo department starts sending: open the worklist and watch. Ctrl-C ends all.")
            supervisor.start(processes.demo())
            self._awaits_result = measures.first_result_seconds() is None

    def _restart_with_options(self, options: dict[str, Any]) -> None:
        """Settings are read once from the environment: put the flags there and start over."""
        changed = {
            variable: str(Path(options[name]).resolve()) if name == "data_dir" else str(options[name])
            for name, variable in OPTIONS
            if options.get(name)
        }
        if options.get("demo"):
            changed["FIRSTREAD_DEMO"] = options["demo"]
        changed = {name: value for name, value in changed.items() if os.environ.get(name) != value}
        if changed:
            environment = {**os.environ, **changed}
            program = [sys.executable, str(settings.BASE_DIR / "manage.py"), "up"]
            os.execve(sys.executable, program, environment)  # noqa: S606  (our own interpreter)

    def _lock(self, run_dir: Path) -> Any:
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / "up.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(
                f"Firstread already runs on {settings.DATA_DIR}. End it first, or choose another --data-dir."
            ) from None
        return file

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=0, interactive=False)
            self._step("database ready")

    def _first_users(self, with_demo: bool) -> dict[str, str]:
        passwords: dict[str, str] = {}
        for username, name, roles, is_staff in DEMO_USERS:
            if not with_demo and username != "admin":
                continue
            passwords[username] = secrets.token_urlsafe(12)
            user = create_user(
                username=username,
                password=passwords[username],
                roles=list(roles),
                display_name=name if with_demo else "Administrator",
                is_staff=is_staff,
            )
            if is_staff:
                user.is_superuser = True
                user.save(update_fields=["is_superuser"])
        path = settings.DATA_DIR / "passwords.txt"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(handle, "w") as file:
            file.writelines(f"{name} {password}\n" for name, password in passwords.items())
        return passwords

    def _wait_for_page(self, supervisor: Supervisor) -> bool:
        url = f"{self._address()}accounts/login/"
        deadline = time.monotonic() + 60
        while not self._stopping and time.monotonic() < deadline:
            supervisor.poll()
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own http address)
                    if answer.status == 200:
                        target = (
                            measures.FRESH_START_TARGET_S if self._fresh else measures.SECOND_START_TARGET_S
                        )
                        self._step(f"page answers (target {target} s)")
                        return True
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        if not self._stopping:
            self._say(f"The page does not answer. Read {settings.DATA_DIR / 'logs' / 'web.log'}.")
        return not self._stopping

    def _wait_for_health(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + 60
        while not self._stopping and time.monotonic() < deadline:
            supervisor.poll()
            try:
                with urllib.request.urlopen(f"{self._address()}healthz", timeout=5):  # noqa: S310
                    self._step("receiver, workers and beat serve")
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        if not self._stopping:
            self._say(f"Not everything serves yet: look at {self._address()}healthz")

    def _tell_first_result(self) -> None:
        """Once in a demo: how long the first AI result took."""
        if not self._awaits_result or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + 1.0
        seconds = measures.first_result_seconds()
        if seconds is not None:
            self._awaits_result = False
            self._say(
                f"First AI result {seconds:.1f} s after its study's last image"
                f" (target {measures.FIRST_RESULT_TARGET_S} s)"
            )

    def _announce(self, passwords: dict[str, str]) -> None:
        path = settings.DATA_DIR / "passwords.txt"
        lines = [
            "",
            f"  Worklist   {self._address()}",
            f"  DICOM      AE title {settings.AE_TITLE}, {settings.DICOM_HOST}:{settings.DICOM_PORT}",
            f"  Data       {settings.DATA_DIR}",
        ]
        if passwords:
            lines.append(f"  One-time passwords of the first users (also in {path}):")
            lines += [f"    {name:<14} {password}" for name, password in passwords.items()]
        elif path.exists():
            lines.append(f"  Passwords  {path}")
        lines += ["", "  Not a cleared medical device. The shipped weights are for demonstration only.", ""]
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()

    def _address(self) -> str:
        return f"http://{reachable(settings.HTTP_HOST)}:{settings.HTTP_PORT}/"

    def _step(self, what: str) -> None:
        self._say(f"[{self._before + time.monotonic() - self._began:5.1f} s] {what}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
