"""`manage.py destinations add|list|test`: where signed reports go."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pacs.models import LocationClass, RemoteNode
from worklist.reports.outgoing import destinations, selectors, transports
from worklist.reports.outgoing.models import Destination, DestinationKind, WebhookContent

SECRET_VARIABLE = "FIRSTREAD_DESTINATION_SECRET"  # noqa: S105  (a name, no secret)


class Command(BaseCommand):
    help = "Add, list or test the destinations of signed reports."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("list", help="all of them, with what waits")
        test = what.add_parser("test", help="does it answer? sends no report")
        test.add_argument("name")
        add = what.add_parser("add", help="a new one; it gets what is signed from now on")
        add.add_argument("name")
        add.add_argument("--kind", required=True, choices=DestinationKind.values)
        add.add_argument("--modality", action="append", default=[], help="only these; repeat (all)")
        add.add_argument("--location", action="append", default=[], choices=LocationClass.values)
        add.add_argument("--host", default="", help="hl7")
        add.add_argument("--port", type=int, help="hl7")
        add.add_argument("--tls", action="store_true", help="hl7")
        add.add_argument("--ca", metavar="FILE", help="hl7: PEM of the authority that vouches for it")
        for side in ("sending", "receiving"):
            add.add_argument(f"--{side}-application", default="", help="hl7")
            add.add_argument(f"--{side}-facility", default="", help="hl7")
        add.add_argument("--node", help="dicom: name of a registered node")
        add.add_argument("--url", default="", help="fhir-webhook; the secret is asked for")
        add.add_argument("--content", choices=WebhookContent.values, default=WebhookContent.REFERENCE.value)

    def handle(self, *args: Any, **options: Any) -> None:
        match options["what"]:
            case "list":
                self._list()
            case "test":
                self._test(options["name"])
            case _:
                self._add(options)

    def _list(self) -> None:
        found = list(selectors.destinations())
        if not found:
            self.stdout.write("No destination yet. Reports stay here, and go to whoever asks by FHIR.")
        for one in found:
            state = "active" if one.active else "off"
            if one.active and one.failing_since:
                state = f"does not answer since {one.failing_since:%d %b %H:%M} UTC"
            counts = f"{one.waiting} waiting, {one.dead} given up"  # type: ignore[attr-defined]
            self.stdout.write(f"{one.name}\t{one.kind}\t{transports.address_of(one)}\t{state}\t{counts}")

    def _test(self, name: str) -> None:
        destination = Destination.objects.select_related("node").filter(name=name).first()
        if destination is None:
            raise CommandError(f"There is no destination {name}. `destinations list` names them.")
        ok, told = destinations.test(destination=destination, by=None, channel="command")
        if not ok:
            raise CommandError(told)
        self.stdout.write(told)

    def _add(self, options: dict[str, Any]) -> None:
        values = {
            name: options[name]
            for name in (
                *("name", "kind", "host", "port", "tls", "url", "content"),
                *("sending_application", "sending_facility", "receiving_application", "receiving_facility"),
            )
        } | {"modalities": options["modality"], "location_classes": options["location"]}
        if options["ca"]:
            values["ca_certificate"] = Path(options["ca"]).read_text(encoding="ascii")
        if options["node"]:
            values["node"] = RemoteNode.objects.filter(name=options["node"]).first()
            if values["node"] is None:
                raise CommandError(f"No node is registered as {options['node']}.")
        secret = self._secret() if options["kind"] == DestinationKind.WEBHOOK else ""
        try:
            made = destinations.add(values=values, secret=secret, by=None, channel="command")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(
            f"{made.name} gets what is signed from now on. Try it: destinations test {made.name}"
        )

    def _secret(self) -> str:
        """From the environment or the keyboard, never from the command line, which others can read."""
        given = os.environ.get(SECRET_VARIABLE, "")
        if given or not sys.stdin.isatty():
            return given
        return getpass.getpass("Secret that both sides know: ")
