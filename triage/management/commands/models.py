"""`manage.py models`: which AI is registered, in what state, and who decided it."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition, LostRace
from triage import fetching, intake, registry
from triage.bundles import BundleRefused, fingerprint, targets
from triage.models import ModelVersion
from triage.shipped import ensure_beside

REFUSALS = (
    BundleRefused,
    IllegalTransition,
    LostRace,
    registry.DecisionRefused,
    registry.NotApproved,
    registry.NotPermitted,
)


class Command(BaseCommand):
    help = "Models: list | show | fingerprint | add | fetch | approve | set-state | ensure-shipped"

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="all models, the newest last")
        actions.add_parser("ensure-shipped", help="register the demonstration bundle unless it is there")
        mark = actions.add_parser("fingerprint", help="the SHA-256 of a bundle's folder, for add")
        mark.add_argument("path", type=Path)
        add = actions.add_parser("add", help="check a bundle and register it as a draft")
        add.add_argument("source", help="a folder, a .zip or .tar.gz, or an https:// or file:// address")
        add.add_argument(
            "--sha256", required=True, help="of the archive; of a folder what `fingerprint` prints"
        )
        add.add_argument("--name", default="", help="otherwise the bundle's folder's")
        add.add_argument("--as", dest="user", default="", help="the PACS administrator who answers for it")
        add.add_argument("--reason", default="Added at the server's command line")
        fetch = actions.add_parser("fetch", help="get a shipped bundle's weights by hash; it becomes a draft")
        fetch.add_argument("name", help="blast_ct")
        fetch.add_argument("--from", dest="folder", type=Path, help="a folder with the files, off line")
        fetch.add_argument("--as", dest="user", default="", help="the PACS administrator who answers for it")
        self._on_a_model(actions.add_parser("show", help="everything about a model, and its decisions"))
        approve = actions.add_parser("approve", help="say that a shadow model may go live")
        self._on_a_model(approve)
        self._decided(approve)
        move = actions.add_parser("set-state", help="move a model to shadow, live or retired")
        self._on_a_model(move)
        move.add_argument("state", choices=["shadow", "live", "retired"])
        self._decided(move)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._act(options["action"], options)
        except REFUSALS as error:
            raise CommandError(str(error)) from error

    def _act(self, action: str, options: dict[str, Any]) -> None:
        if action == "list":
            for model in ModelVersion.objects.order_by("pk"):
                self._say(model)
        elif action == "ensure-shipped":
            self._ensure(options["verbosity"])
        elif action == "fingerprint":
            self.stdout.write(fingerprint(options["path"]).combined)
        elif action == "add":
            self._add(options)
        elif action == "fetch":
            by = _user(options["user"]) if options["user"] else None
            self._say(fetching.fetch_bundle(name=options["name"], folder=options["folder"], by=by))
        elif action == "show":
            self._show(_model(options))
        else:
            model, by = _model(options), _user(options["user"])
            if action == "approve":
                registry.approve(model=model, by=by, reason=options["reason"])
                self.stdout.write(f"{by.username} approved {model} for live; another person moves it.")
            else:
                registry.set_state(model=model, state=options["state"], by=by, reason=options["reason"])
                self._say(model)

    def _add(self, options: dict[str, Any]) -> None:
        by = _user(options["user"]) if options["user"] else None
        reason = options["reason"] if by else f"{options['reason']} (as {getpass.getuser()} of the server)"
        self._say(
            intake.add_bundle(
                source=options["source"],
                sha256=options["sha256"],
                name=options["name"],
                by=by,
                reason=reason,
            )
        )

    def _ensure(self, verbosity: int) -> None:
        try:
            models = [registry.ensure_shipped(), *ensure_beside()]
        except BundleRefused as error:
            # The house starts all the same: studies are read without AI, and their runs say what is wrong.
            self.stderr.write(f"The demonstration model is not usable: {error}")
            return
        if verbosity:
            for model in models:
                self._say(model)

    def _show(self, model: ModelVersion) -> None:
        self._say(model)
        self.stdout.write(f"  intended use  {model.intended_use or 'not stated'}")
        self.stdout.write(f"  folder        {registry.folder_of(model)}")
        self.stdout.write(f"  source        {model.source or 'not recorded'}")
        self.stdout.write(f"  weights       {model.weights_sha256}")
        self.stdout.write(f"  configs       {model.configs_sha256}")
        self.stdout.write(f"  input limits  {json.dumps(model.config.get('input_limits', {}))}")
        for target in targets(model.config):
            self.stdout.write(
                f"  looks for     {target.meaning} ({target.scheme} {target.code}), {target.criticality}: "
                f"ranks from {target.rank_threshold:g}, alerts from {target.alert_threshold:g}"
            )
        for decision in model.decisions.select_related("by"):
            moved = f" {decision.from_state} -> {decision.to_state}" if decision.to_state else ""
            self.stdout.write(
                f"  {decision.at:%Y-%m-%d %H:%M} UTC  {decision.by or 'the house'}: {decision.action}{moved}: "
                f"{decision.reason}"
            )

    def _say(self, model: ModelVersion) -> None:
        self.stdout.write(
            f"{model.name} {model.version}  {model.state:<8} {model.finding_meaning}  "
            f"weights {model.weights_sha256[:12]}  configs {model.configs_sha256[:12]}"
        )

    @staticmethod
    def _on_a_model(parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("version")

    @staticmethod
    def _decided(parser: CommandParser) -> None:
        parser.add_argument("--as", dest="user", required=True, help="the PACS administrator who decides")
        parser.add_argument("--reason", required=True, help="why; it stands on record")


def _model(options: dict[str, Any]) -> ModelVersion:
    model = ModelVersion.objects.filter(name=options["name"], version=options["version"]).first()
    if model is None:
        raise CommandError(f"No model {options['name']} {options['version']}. See: models list")
    return model


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"No user {username}. See: manage.py adduser")
    return user
