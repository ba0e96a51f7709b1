"""`manage.py audit verify`: is the trail whole?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.audit import services


class Command(BaseCommand):
    help = "verify: walk the audit trail's hash chain and say whether it is intact."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["verify"])

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = services.verify()
        if not verdict.intact:
            raise CommandError("The audit trail is NOT intact.\n" + "\n".join(verdict.faults[:20]))
        self.stdout.write(f"The audit trail is intact: {verdict.events} events, head {verdict.head}")
