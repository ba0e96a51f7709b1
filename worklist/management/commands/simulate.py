"""`manage.py simulate`: what would each way to order the list do in a department?"""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from worklist.queue.priority import CRITICALITIES
from worklist.simulation.comparing import Comparison, Mean, OrderingResult, compare
from worklist.simulation.department import READ_SHAPES, Department, StudyClass


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Play a department under several orders of the reading list and print the waiting times."

    def add_arguments(self, parser: CommandParser) -> None:
        plain = Department()
        how_busy = parser.add_mutually_exclusive_group()
        how_busy.add_argument("--load", type=float, help="share of the readers' time, below 1 (0.8)")
        how_busy.add_argument("--arrivals-per-hour", type=float, metavar="STUDIES")
        parser.add_argument("--readers", type=int, default=plain.readers)
        parser.add_argument("--read-minutes", type=float, default=plain.read_minutes, help="mean (10)")
        parser.add_argument("--read-shape", choices=READ_SHAPES, default=plain.read_shape)
        parser.add_argument("--read-variation", type=float, default=plain.read_variation)
        parser.add_argument("--prevalence", type=float, default=plain.prevalence)
        parser.add_argument("--sensitivity", type=float, default=plain.sensitivity)
        parser.add_argument("--specificity", type=float, default=plain.specificity)
        parser.add_argument("--ai-delay-minutes", type=float, default=plain.ai_delay_minutes)
        parser.add_argument("--criticality", choices=CRITICALITIES, default=plain.criticality)
        parser.add_argument(
            "--classes",
            type=_classes,
            default=plain.classes,
            metavar="PRIORITY/LOCATION=SHARE,…",
            help="the mix of orders, e.g. stat/er=2,routine/inpatient=8 (routine/inpatient=1)",
        )
        parser.add_argument("--studies", type=int, default=20_000, help="in a replication (20000)")
        parser.add_argument("--replications", type=int, default=10, help="independent draws (10)")
        parser.add_argument("--seed", type=int, default=1, help="equal seeds give equal figures (1)")
        parser.add_argument("--json", action="store_true", help="for programs; minutes and shares")

    def handle(self, *args: Any, **options: Any) -> None:
        load, arrivals = options["load"], options["arrivals_per_hour"]
        fields = {f.name for f in dataclasses.fields(Department)} - {"load", "arrivals_per_hour", "policy"}
        try:
            department = Department(
                load=Department.load if load is None and arrivals is None else load,
                arrivals_per_hour=arrivals,
                **{name: options[name] for name in fields},
            )
            result = compare(
                department,
                studies=options["studies"],
                replications=options["replications"],
                seed=options["seed"],
                progress=self._progress,
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(result), indent=2))
        else:
            self.stdout.write(_table(result))

    def _progress(self, share: float) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{share:4.0%} played", ending="\n" if share >= 1 else "")


def _classes(text: str) -> tuple[StudyClass, ...]:
    classes = []
    for part in text.split(","):
        order, _, share = part.partition("=")
        priority, _, location = order.strip().partition("/")
        try:
            classes.append(StudyClass(priority, location, float(share or 1)))
        except ValueError:
            raise ArgumentTypeError(f"{part!r} is not PRIORITY/LOCATION=SHARE") from None
    return tuple(classes)


def _table(result: Comparison) -> str:
    d = result.department
    lines = [
        f"Load {d.utilisation:.2f} ({60 * d.arrivals_per_minute:.1f} studies an hour), {d.readers} reader(s), "
        f"{d.read_minutes:g} min a read ({d.read_shape}), AI after {d.ai_delay_minutes:g} min",
        f"Prevalence {d.prevalence:g}, sensitivity {d.sensitivity:g}, specificity {d.specificity:g}; "
        f"{result.replications} x {result.studies:,} studies, seed {result.seed}",
        "Minutes from arrival to the start of reading; [95 % interval]; changes against first in, first out",
        "",
        f"{'':<22}{'group':<20}{'mean':>8} {'':<18}{'change':>7}{'median':>8}{'p95':>8}{'p99.9':>8}{'change':>8}"
        f"{'longest':>9}{'breach':>8}",
    ]
    for ordering in result.orderings:
        lines.extend(_rows(ordering))
    lines.append("")
    lines.extend(
        f"{o.words + ':':<24}{o.pushed_back:6.1%} read later than first in, first out would have, on average by "
        f"{o.pushed_back_minutes:.1f} min, at most {o.pushed_back_longest:.0f}"
        for o in result.orderings
        if o.name != "fifo"
    )
    return "\n".join(lines)


def _rows(ordering: OrderingResult) -> list[str]:
    rows: list[str] = []
    of_classes = {name: groups["all"] for name, groups in ordering.classes.items() if "all" in groups}
    for name, group in (ordering.groups | of_classes).items():
        change = "" if group.mean_change is None else f"{group.mean_change.value:+.0%}"
        far = "" if group.p999_change is None else f"{group.p999_change:+.1%}"
        rows.append(
            f"{ordering.words if not rows else '':<22}{name:<20}{group.mean.value:8.1f} "
            f"{_interval(group.mean):<18}{change:>7}{group.median:8.1f}{group.p95:8.1f}{group.p999:8.1f}"
            f"{far:>8}{group.longest:9.0f}{group.breached:8.2%}"
        )
    return rows


def _interval(mean: Mean) -> str:
    return "" if mean.low is None or mean.high is None else f"[{mean.low:.1f}, {mean.high:.1f}]"
