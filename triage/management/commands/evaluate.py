"""`manage.py evaluate MODEL DIR`: how good a model is on a labelled folder of studies, with intervals."""

from __future__ import annotations

import logging
import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from triage.bundles import BundleRefused
from triage.evaluation import runner, shelf, store
from triage.evaluation.card import update_card
from triage.evaluation.dataset import Dataset, DatasetRefused, read_dataset
from triage.evaluation.masks import MaskUnreadable
from triage.evaluation.report import percent
from triage.evaluation.results import document
from triage.evaluation.subjects import NoSuchModel, Subject, find_subject, production
from triage.inference.host import process as models


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1.0:
        raise ArgumentTypeError("the prevalence must lie between 0 and 1")
    return value


class Command(BaseCommand):
    help = "Measure a model on a folder of labelled studies; writes report.html and report.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="a registered model's name, or a bundle's folder (with a slash)")
        parser.add_argument("dataset", type=Path, help="folder of studies with labels.csv or truth.json")
        parser.add_argument("--model-version", default="", help="instead of the newest registered")
        parser.add_argument("--prevalence", type=_share, default=0.1, help="for PPV and NPV (0.1)")
        parser.add_argument("--out", type=Path, metavar="DIR", help="where to, instead of the data folder")
        parser.add_argument("--resume", action="store_true", help="go on with a run that was broken off")
        parser.add_argument("--limit", type=int, help="only the first studies")
        parser.add_argument(
            "--card", action="store_true", help="write the result into the bundle's model card"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What models say of themselves at work would stand in the middle of the progress bar.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        try:
            self._evaluate(options)
        except (NoSuchModel, BundleRefused, DatasetRefused, MaskUnreadable) as error:
            raise CommandError(str(error)) from error

    def _evaluate(self, options: dict[str, Any]) -> None:
        subject = find_subject(options["model"], options["model_version"])
        dataset = read_dataset(options["dataset"], subject.targets)
        folder: Path = options["out"] or shelf.folder_for(
            shelf.slug(subject.name, subject.version), dataset.name
        )
        if (folder / runner.ANSWERS).is_file() and not options["resume"]:
            raise CommandError(
                f"{folder} holds answers already: add --resume to go on, or choose another --out."
            )
        self.stdout.write(f"{subject.name} {subject.version} on {len(dataset.studies)} studies -> {folder}")
        try:
            self._ask(subject, dataset, folder, options["limit"])
        except KeyboardInterrupt:
            raise CommandError("Broken off. The answers so far are kept: go on with --resume.") from None
        finally:
            models.stop()
        answers = runner.read_answers(folder)
        wanted = {study.name for study in dataset.studies[: options["limit"]]}
        result = document(
            subject,
            dataset,
            {name: answer for name, answer in answers.items() if name in wanted},
            folder,
            prevalence=options["prevalence"],
            software=f"Firstread {settings.VERSION}",
        )
        store.write(folder, result, dataset, answers)
        self._tell(result, folder)
        if options["card"]:
            self.stdout.write(f"  card    {update_card(subject.folder, result)}")

    def _ask(self, subject: Subject, dataset: Dataset, folder: Path, limit: int | None) -> None:
        alive, shown = sys.stderr.isatty(), time.monotonic()
        for step in runner.run(subject, dataset, production(subject, dataset.folder), folder, limit=limit):
            last, start = step.done == step.of, "\r" if alive else ""
            if not alive and not last and time.monotonic() - shown < 10.0:
                continue
            shown = time.monotonic()
            done = round(24 * step.done / step.of)
            minutes, seconds = divmod(round(step.seconds_left), 60)
            self.stderr.write(
                f"{start}[{'#' * done}{'.' * (24 - done)}] {step.done} of {step.of}, "
                f"{minutes}:{seconds:02d} to go, {step.answer.study}: {step.answer.state}   ",
                ending="\n" if last or not alive else "",
            )
            self.stderr.flush()

    def _tell(self, result: dict[str, Any], folder: Path) -> None:
        counts = result["counts"]
        self.stdout.write(
            f"{counts['analysed']} analysed, {counts['not_analysed']} not analysed, {counts['failed']} failed"
        )
        for finding in result["findings"]:
            self.stdout.write(finding["code"]["meaning"])
            for point in finding["operating_points"]:
                self.stdout.write(
                    f"  {point['name']} from {point['threshold']:g}: sensitivity {percent(point['sensitivity'])}, "
                    f"specificity {percent(point['specificity'])}, PPV {percent(point['ppv'])}"
                )
            if finding["auc"]:
                self.stdout.write(
                    "  area under the ROC curve {value:.3f} ({low:.3f} to {high:.3f})".format(
                        **finding["auc"]
                    )
                )
        self.stdout.write(f"  report  {folder / shelf.PAGE}\n  figures {folder / shelf.DOCUMENT}")
