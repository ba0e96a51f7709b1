"""`manage.py up`: start and keep the whole house on this machine until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import stat
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from foundation.accounts.models import Role, User
from foundation.accounts.services import create_user
from pacs.models import Study
from pacs.services.associations import forget_associations
from triage import runs
from worklist.operations import launch, measures, processes
from worklist.operations.addresses import reachable
from worklist.operations.supervisor import Supervisor

DEMO_USERS: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    ("radiologist", "Demo Radiologist One", (Role.RADIOLOGIST,), False),
    ("radiologist2", "Demo Radiologist Two", (Role.RADIOLOGIST,), False),
    ("er", "Demo ER Nurse", (Role.ER_STAFF,), False),
    ("qa", "Demo QA Reviewer", (Role.QA_REVIEWER,), False),
    ("admin", "Demo Administrator", (Role.PACS_ADMINISTRATOR,), True),
)


class Command(BaseCommand):
    # Checks import every address; what they could find, `./test` found before.
    requires_system_checks = ()
    help = "Start Valkey, web, DICOM receiver, workers and beat; bring back what dies; end all on Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        launch.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._launch = launch.current()
        except launch.CannotStart as error:
            raise CommandError(str(error)) from None
        self._awaits_result = False
        self._next_look = 0.0
        self._start(self._launch.supervisor)
        while not self._launch.stopping:
            self._launch.supervisor.poll()
            self._tell_first_result()
            time.sleep(0.2)

    def _start(self, supervisor: Supervisor) -> None:
        self._migrate(supervisor)
        first_start = self._fresh = not User.objects.exists()
        demo_choice = os.environ.get("FIRSTREAD_DEMO", "")
        passwords = self._first_users(demo_choice != "0") if first_start else {}
        if not self._wait_for_page(supervisor):
            return
        call_command("models", "ensure-shipped", verbosity=0)
        self._announce(passwords)
        supervisor.start(processes.receiver(before_start=forget_associations))
        # A run that no living worker holds is free again: only this supervisor starts inference here.
        supervisor.start(
            processes.worker(
                "inference",
                concurrency=settings.INFERENCE_WORKERS,
                before_start=runs.release_abandoned,
            )
        )
        supervisor.start(processes.worker("default", concurrency=2))
        supervisor.start(processes.beat(self._launch.run_dir))
        self._wait_for_health(supervisor)
        if demo_choice == "1" or (demo_choice != "0" and not Study.objects.exists()):
            launch.say("The demo department starts sending: open the worklist and watch. Ctrl-C ends all.")
            supervisor.start(processes.demo())
            self._awaits_result = measures.first_result_seconds() is None

    def _migrate(self, supervisor: Supervisor) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            # An older database was put in place: nobody shall meet it before it is migrated.
            if self._launch.web is not None:
                supervisor.end(self._launch.web)
                self._launch.web = None
            call_command("migrate", verbosity=0, interactive=False)
            self._launch.step("database ready")
        launch.remember_schema(self._launch.run_dir)
        if self._launch.web is None:
            supervisor.start(processes.web())

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
        while not self._launch.stopping and time.monotonic() < deadline:
            supervisor.poll()
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own http address)
                    if answer.status == 200:
                        target = (
                            measures.FRESH_START_TARGET_S if self._fresh else measures.SECOND_START_TARGET_S
                        )
                        self._launch.step(f"page answers (target {target} s)")
                        return True
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        if not self._launch.stopping:
            launch.say(f"The page does not answer. Read {settings.DATA_DIR / 'logs' / 'web.log'}.")
        return not self._launch.stopping

    def _wait_for_health(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + 60
        while not self._launch.stopping and time.monotonic() < deadline:
            supervisor.poll()
            try:
                with urllib.request.urlopen(f"{self._address()}healthz", timeout=5):  # noqa: S310
                    self._launch.step("receiver, workers and beat serve")
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        if not self._launch.stopping:
            launch.say(f"Not everything serves yet: look at {self._address()}healthz")

    def _tell_first_result(self) -> None:
        """Once in a demo: how long the first AI result took."""
        if not self._awaits_result or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + 1.0
        seconds = measures.first_result_seconds()
        if seconds is not None:
            self._awaits_result = False
            launch.say(
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
