"""Train, calibrate and evaluate the demonstration bundle models/ich_demo."""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from triage.inference.training.anatomy import shared_data
from triage.inference.training.calibrate import calibrate
from triage.inference.training.card import pin_weights, write_results, write_training
from triage.inference.training.evaluate import evaluate
from triage.inference.training.fit import SEED, train, use_threads
from triage.inference.training.samples import FIRST_SEED, write_samples


class Command(BaseCommand):
    help = (
        "Trains the demonstration bundle on bleeds inserted into synthetic and average heads, calibrates it and "
        "writes its model card. With --evaluate it only measures the weights that are there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--evaluate", action="store_true", help="only evaluate and write the card")
        parser.add_argument(
            "--calibrate", action="store_true", help="only calibrate, evaluate, write the card"
        )
        parser.add_argument("--bundle", type=Path, default=Path(settings.BASE_DIR) / "models" / "ich_demo")
        parser.add_argument("--minutes", type=float, default=36.0, help="training time in minutes")
        parser.add_argument(
            "--peak-rate",
            type=float,
            help="highest learning rate: 0.0015 from nothing, 0.0006 with --continue",
        )
        parser.add_argument("--heads", type=int, default=280, help="base heads to make for training")
        parser.add_argument("--scans-per-head", type=int, default=6)
        parser.add_argument("--calibrate-heads", type=int, default=40)
        parser.add_argument("--test-heads", type=int, default=100)
        parser.add_argument("--threads", type=int, default=2)
        parser.add_argument("--keep", type=Path, help="folder that keeps judged scans: a stopped run goes on")
        parser.add_argument("--samples", type=Path, help="folder that keeps training scans between runs")
        parser.add_argument("--continue", dest="go_on", action="store_true", help="start from these weights")

    def handle(self, *args: Any, **options: Any) -> None:
        bundle: Path = options["bundle"]
        if not (bundle / "configs" / "inference.json").is_file():
            raise CommandError(f"{bundle} is no bundle: configs/inference.json is missing")
        use_threads(options["threads"])
        if shared_data() is None:
            self.stdout.write(
                "Reference data absent (FIRSTREAD_SHARED_DATA or ../shared/data): procedural heads only, and "
                "the card will lack the real head CT, the average brain and the phantoms."
            )
        if not (options["evaluate"] or options["calibrate"]):
            if options["samples"] is None:
                with tempfile.TemporaryDirectory(prefix="ich-demo-") as folder:
                    self._train(bundle, Path(folder), options)
            else:
                self._train(bundle, options["samples"], options)
        self.stdout.write(f"weights SHA-256 {pin_weights(bundle)}")
        if not options["evaluate"]:
            config = calibrate(
                bundle, options["calibrate_heads"], processes=options["threads"], kept=options["keep"]
            )
            self.stdout.write(
                f"thresholds: rank {config['rank_threshold']}, alert {config['alert_threshold']}"
            )
        results = evaluate(bundle, options["test_heads"], processes=options["threads"], kept=options["keep"])
        write_results(bundle, results)
        for name in ("sensitivity", "specificity"):
            part = results["rank"][name]
            self.stdout.write(
                f"{name}: {part['value']} ({part['low']} to {part['high']}), {part['of']} scans"
            )
        for answer in results["reference_cases"]:
            self.stdout.write(f"{answer['name']}: {answer['result']} (expected: {answer['expected']})")

    def _train(self, bundle: Path, samples: Path, options: dict[str, Any]) -> None:
        spacing = _spacing(bundle)
        made = write_samples(
            samples,
            "train",
            range(options["heads"]),
            options["scans_per_head"],
            spacing,
            processes=options["threads"],
        )
        self.stdout.write(f"made {made} training scans in {samples}")
        weights = bundle / "models" / "model.pt"
        goes_on: bool = options["go_on"]
        peak_rate = options["peak_rate"] or (6e-4 if goes_on else 1.5e-3)
        steps = train(
            bundle,
            samples,
            weights,
            minutes=options["minutes"],
            start_from=weights if goes_on else None,
            peak_rate=peak_rate,
            workers=options["threads"],
        )
        run = {
            "command": "manage.py train_ich_demo" + (" --continue" if goes_on else ""),
            "heads": options["heads"],
            "scans": options["heads"] * options["scans_per_head"],
            "minutes": options["minutes"],
            "threads": options["threads"],
            "steps": steps,
            "peak_rate": peak_rate,
            "seed": SEED,
            "first_head_seed": FIRST_SEED["train"],
        }
        write_training(bundle, run, goes_on=goes_on)
        self.stdout.write(f"trained {steps} steps")


def _spacing(bundle: Path) -> tuple[float, float, float]:
    z, y, x = json.loads((bundle / "configs" / "firstread.json").read_text(encoding="utf-8"))["spacing_mm"]
    return float(z), float(y), float(x)
