"""Train, calibrate and measure the hemorrhage subtype demonstration, models/ich_subtype_demo."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from triage.inference.training.card import pin_weights
from triage.inference.training.demo_cards import write_card
from triage.inference.training.demos import finish, head_studies, train_subtypes
from triage.inference.training.fit import use_threads


class Command(BaseCommand):
    help = (
        "Trains the hemorrhage subtype demonstration on synthetic images, calibrates it, measures it on held-out DICOM "
        "studies and writes its model card. With --evaluate it takes the weights that are there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--evaluate", action="store_true", help="only calibrate, measure, write the card")
        parser.add_argument(
            "--bundle", type=Path, default=Path(settings.BASE_DIR) / "models" / "ich_subtype_demo"
        )
        parser.add_argument("--heads", type=int, default=220, help="heads to make for training")
        parser.add_argument("--epochs", type=int, default=9)
        parser.add_argument("--calibrate-studies", type=int, default=80)
        parser.add_argument("--test-studies", type=int, default=120)
        parser.add_argument("--threads", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        bundle: Path = options["bundle"]
        if not (bundle / "configs" / "inference.json").is_file():
            raise CommandError(f"{bundle} is no bundle: configs/inference.json is missing")
        use_threads(options["threads"])
        fitted = None
        if not options["evaluate"]:
            fitted = train_subtypes(bundle, heads=options["heads"], epochs=options["epochs"])
        self.stdout.write(f"weights SHA-256 {pin_weights(bundle)}")
        results = finish(
            bundle,
            head_studies,
            calibration=options["calibrate_studies"],
            test=options["test_studies"],
            fitted=fitted,
            command=f"manage.py train_ich_subtype_demo --heads {options['heads']} --epochs {options['epochs']}",
        )
        write_card(bundle, results)
        for name, both in results["findings"].items():
            part = both["rank"]
            self.stdout.write(
                f"{name}: sensitivity {part['sensitivity']['value']}, specificity {part['specificity']['value']}, "
                f"AUC {part['auc']}"
            )
