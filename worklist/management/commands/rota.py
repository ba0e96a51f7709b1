"""`manage.py rota`: who is on duty now, and calendar files in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from worklist.rota import importing, selectors
from worklist.rota.models import Duty, ReadingGroup
from worklist.rota.wording import gap_in_words, shift_in_words
from worklist.rota.zones import site_zone


class Command(BaseCommand):
    help = "Say who is on duty, or take a calendar file (.ics) into the rota."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("now", help="who is on duty, and when nobody is in the next seven days")
        take = what.add_parser("import", help="add, change and cancel shifts as the file plans them")
        take.add_argument("file", type=Path)
        take.add_argument("--dry-run", action="store_true", help="say what would happen, and do nothing")
        take.add_argument("--duty", choices=Duty.values, default=Duty.READING.value, help="unless said there")
        take.add_argument("--group", help="name of the group, unless an event names one")
        take.add_argument("--department", default="", help="of on-call shifts, unless an event names one")
        take.add_argument(
            "--complete",
            action="store_true",
            help="the file is the whole plan of this duty and group: cancel what an earlier one planned",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "now":
            self._now()
        else:
            self._import(options)

    def _now(self) -> None:
        now, zone = timezone.now(), site_zone()
        shifts = [one for duty in Duty.values for one in selectors.on_duty(at=now, duty=duty)]
        for shift in shifts:
            self.stdout.write(shift_in_words(shift, zone))
        if not shifts:
            self.stdout.write("No shift stands now.")
        for gap in selectors.gaps(start=now):
            self.stdout.write(f"! {gap_in_words(gap, zone)}")

    def _import(self, options: dict[str, Any]) -> None:
        group = None
        if options["group"]:
            group = ReadingGroup.objects.filter(name__iexact=options["group"], active=True).first()
            if group is None:
                names = ", ".join(ReadingGroup.objects.filter(active=True).values_list("name", flat=True))
                raise CommandError(f"There is no group {options['group']}. There are: {names or 'none yet'}.")
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        try:
            done = importing.import_calendar(
                content=content,
                defaults=importing.Defaults(
                    duty=options["duty"],
                    group=group,
                    department=options["department"],
                    complete=options["complete"],
                ),
                zone=site_zone(),
                dry_run=options["dry_run"],
                by=None,
                channel="command",
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        would = "would be " if options["dry_run"] else ""
        for word, lines in (("added", done.added), ("changed", done.changed), ("cancelled", done.cancelled)):
            self.stdout.write(f"{len(lines)} {would}{word}")
            for line in lines:
                self.stdout.write(f"  {line}")
        for line in done.kept:
            self.stdout.write(f"left as decided here: {line}")
        for what, why in done.unmatched:
            self.stdout.write(f"! not taken: {what}: {why}")
        self.stdout.write(f"{done.unchanged} unchanged, {done.over} over")
