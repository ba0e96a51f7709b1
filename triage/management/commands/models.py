"""`manage.py models`: which AI is registered, and in what state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.transitions import LostRace
from triage import registry
from triage.bundles import BundleRefused
from triage.models import ModelState, ModelVersion


class Command(BaseCommand):
    help = "List, register and move models: list | add PATH | set-state NAME VERSION STATE | ensure-shipped"

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="all models, the newest last")
        add = actions.add_parser("add", help="register a bundle's folder, pinned by SHA-256")
        add.add_argument("path", type=Path)
        add.add_argument("--state", choices=["shadow", "live"], default="shadow")
        move = actions.add_parser("set-state", help="move a model to shadow, live or retired")
        move.add_argument("name")
        move.add_argument("version")
        move.add_argument("state", choices=["shadow", "live", "retired"])
        actions.add_parser("ensure-shipped", help="register the demonstration bundle unless it is there")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._act(options)
        except (BundleRefused, LostRace, ValueError) as error:
            raise CommandError(str(error)) from error

    def _act(self, options: dict[str, Any]) -> None:
        action = options["action"]
        if action == "add":
            self._say(registry.register_bundle(path=options["path"], state=options["state"]))
        elif action == "set-state":
            model = ModelVersion.objects.filter(name=options["name"], version=options["version"]).first()
            if model is None:
                raise CommandError(f"No model {options['name']} {options['version']}. See: models list")
            registry.set_state(model=model, state=ModelState(options["state"]))
            self._say(model)
        elif action == "ensure-shipped":
            self._ensure(options["verbosity"])
        else:
            for model in ModelVersion.objects.order_by("pk"):
                self._say(model)

    def _ensure(self, verbosity: int) -> None:
        try:
            model = registry.ensure_shipped()
        except BundleRefused as error:
            # The house starts all the same: studies are read without AI, and their runs say what is wrong.
            self.stderr.write(f"The demonstration model is not usable: {error}")
            return
        if verbosity:
            self._say(model)

    def _say(self, model: ModelVersion) -> None:
        self.stdout.write(
            f"{model.name} {model.version}  {model.state:<8} {model.finding_meaning}  "
            f"weights {model.weights_sha256[:12]}  configs {model.configs_sha256[:12]}"
        )
