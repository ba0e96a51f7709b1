"""What the commands that train a demonstration classifier have in common."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from triage.inference.training.card import pin_weights
from triage.inference.training.demo_cards import write_card
from triage.inference.training.demos import finish
from triage.inference.training.fit import use_threads


class TrainDemo(BaseCommand):
    """Trains, calibrates and measures one bundle, and writes its card.

    Attributes:
        bundle: its folder's name below models/; the command is `train_<bundle>`.
        amount: name of the option that counts what is made for training, and its default.
        epochs, calibrate_studies, test_studies: defaults.
        train: (bundle folder, epochs=…, <amount>=…) -> what was fitted.
        studies: makes the held-out studies, as triage.inference.training.demos.finish wants them.
    """

    bundle: ClassVar[str]
    amount: ClassVar[tuple[str, int]]
    epochs: ClassVar[int]
    calibrate_studies: ClassVar[int]
    test_studies: ClassVar[int]
    train: ClassVar[Callable[..., Any]]
    studies: ClassVar[Callable[..., Any]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        name, default = self.amount
        parser.add_argument("--evaluate", action="store_true", help="only calibrate, measure, write the card")
        parser.add_argument("--bundle", type=Path, default=Path(settings.BASE_DIR) / "models" / self.bundle)
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{name} to make for training")
        parser.add_argument("--epochs", type=int, default=self.epochs)
        parser.add_argument("--calibrate-studies", type=int, default=self.calibrate_studies)
        parser.add_argument("--test-studies", type=int, default=self.test_studies)
        parser.add_argument("--threads", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        bundle: Path = options["bundle"]
        name, _ = self.amount
        made, epochs = options[name], options["epochs"]
        if not (bundle / "configs" / "inference.json").is_file():
            raise CommandError(f"{bundle} is no bundle: configs/inference.json is missing")
        use_threads(options["threads"])
        fitted = None
        if not options["evaluate"]:
            fitted = self.train(bundle, epochs=epochs, **{name: made})
        self.stdout.write(f"weights SHA-256 {pin_weights(bundle)}")
        results = finish(
            bundle,
            self.studies,
            calibration=options["calibrate_studies"],
            test=options["test_studies"],
            fitted=fitted,
            command=f"manage.py train_{self.bundle} --{name} {made} --epochs {epochs}",
        )
        write_card(bundle, results)
        for finding, both in results["findings"].items():
            part = both["rank"]
            self.stdout.write(
                f"{finding}: sensitivity {part['sensitivity']['value']}, "
                f"specificity {part['specificity']['value']}, AUC {part['auc']}"
            )
