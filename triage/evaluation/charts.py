"""Charts as inline SVG: colours come from the page's variables, so they follow its light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

WIDTH: Final = 340
HEIGHT: Final = 320
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 12, 12, 44


class _Plot:
    """A square of data coordinates with axes; `scale` maps data to 0..1 along each axis."""

    def __init__(self, title: str, across: str, up: str, ticks: Sequence[tuple[float, str]]) -> None:
        self.parts: list[str] = []
        self.title, self.across, self.up, self.ticks = title, across, up, ticks

    def x(self, share: float) -> float:
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, share: float) -> float:
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def add(self, element: str) -> None:
        self.parts.append(element)

    def line(self, points: Sequence[tuple[float, float]], style: str) -> None:
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.add(f'<polyline class="{style}" points="{path}"/>')

    def dot(self, at: tuple[float, float], style: str, text: str, radius: float = 4.0) -> None:
        self.add(
            f'<circle class="{style}" cx="{self.x(at[0]):.1f}" cy="{self.y(at[1]):.1f}" r="{radius:.1f}">'
            f"<title>{escape(text)}</title></circle>"
        )

    def whisker(self, x: float, low: float, high: float) -> None:
        self.add(
            f'<line class="whisker" x1="{self.x(x):.1f}" x2="{self.x(x):.1f}" '
            f'y1="{self.y(low):.1f}" y2="{self.y(high):.1f}"/>'
        )

    def label(self, at: tuple[float, float], text: str, anchor: str = "start") -> None:
        self.add(
            f'<text class="note" x="{self.x(at[0]):.1f}" y="{self.y(at[1]):.1f}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def svg(self) -> str:
        grid = "".join(
            f'<line class="grid" x1="{self.x(v):.1f}" x2="{self.x(v):.1f}" y1="{self.y(0):.1f}" '
            f'y2="{self.y(1):.1f}"/><line class="grid" x1="{self.x(0):.1f}" x2="{self.x(1):.1f}" '
            f'y1="{self.y(v):.1f}" y2="{self.y(v):.1f}"/>'
            f'<text x="{self.x(v):.1f}" y="{self.y(0) + 15:.1f}" text-anchor="middle">{escape(text)}</text>'
            f'<text x="{self.x(0) - 6:.1f}" y="{self.y(v) + 4:.1f}" text-anchor="end">{escape(text)}</text>'
            for v, text in self.ticks
        )
        middle = (self.y(0) + self.y(1)) / 2
        names = (
            f'<text class="axis" x="{self.x(0.5):.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{escape(self.across)}</text>"
            f'<text class="axis" x="12" y="{middle:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 12 {middle:.1f})">{escape(self.up)}</text>'
        )
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            f"{grid}{''.join(self.parts)}{names}</svg>"
        )


_SHARES: Final = [(v / 4, f"{25 * v}") for v in range(5)]


def roc_chart(finding: Mapping[str, Any]) -> str:
    """The ROC curve with the operating points and their intervals."""
    plot = _Plot("ROC curve", "false positive rate, %", "sensitivity, %", _SHARES)
    plot.line([(0, 0), (1, 1)], "faint")
    steps: list[tuple[float, float]] = []
    for _, fpr, sensitivity in finding["roc"]:
        if steps:
            steps.append((fpr, steps[-1][1]))
        steps.append((fpr, sensitivity))
    plot.line(steps, "curve")
    seen: list[tuple[float, float]] = []
    for point in finding["operating_points"]:
        found, spared = point["sensitivity"], point["specificity"]
        if found["value"] is None or spared["value"] is None:
            continue
        at = (1 - spared["value"], found["value"])
        plot.whisker(at[0], found["low"], found["high"])
        left, right = 1 - spared["high"], 1 - spared["low"]
        plot.add(
            f'<line class="whisker" x1="{plot.x(left):.1f}" x2="{plot.x(right):.1f}" '
            f'y1="{plot.y(at[1]):.1f}" y2="{plot.y(at[1]):.1f}"/>'
        )
        plot.dot(at, "point", f"{point['name']}: probability {point['threshold']:g} and above")
        if at not in seen:
            names = [
                p["name"]
                for p in finding["operating_points"]
                if (p["sensitivity"]["value"], p["specificity"]["value"]) == (found["value"], spared["value"])
            ]
            plot.label((at[0] + 0.03, at[1] - 0.06), " and ".join(names))
        seen.append(at)
    return plot.svg()


def calibration_chart(finding: Mapping[str, Any]) -> str:
    """Share that had the finding against the probability told; the area of a dot is its number of cases."""
    plot = _Plot("Calibration", "probability told, %", "had it, %", _SHARES)
    plot.line([(0, 0), (1, 1)], "faint")
    bins = finding["calibration"]["bins"]
    most = max((b["number"] for b in bins), default=1)
    for b in bins:
        plot.whisker(b["mean"], b["observed"]["low"], b["observed"]["high"])
    for b in bins:
        text = f"{b['positives']} of {b['number']} between {b['low']:.1f} and {b['high']:.1f}"
        plot.dot((b["mean"], b["observed"]["value"]), "point", text, 3.0 + 5.0 * (b["number"] / most) ** 0.5)
    return plot.svg()


def probabilities_chart(cases: Sequence[tuple[float, bool]], thresholds: Sequence[tuple[str, float]]) -> str:
    """How many with and without the finding got which probability; thresholds as lines."""
    plot = _Plot("Probabilities", "probability told, %", "share of their group, %", _SHARES)
    bins = 20
    for present, style in ((False, "absent"), (True, "present")):
        values = [p for p, y in cases if y == present]
        for index in range(bins) if values else ():
            share = sum(min(int(p * bins), bins - 1) == index for p in values) / len(values)
            if not share:
                continue
            left = plot.x((index + (0.5 if present else 0.0)) / bins)
            width = (plot.x(1) - plot.x(0)) / bins / 2 - 0.5
            plot.add(
                f'<rect class="{style}" x="{left:.1f}" y="{plot.y(share):.1f}" width="{width:.1f}" '
                f'height="{plot.y(0) - plot.y(share):.1f}"><title>{share:.0%} of those '
                f"{'with' if present else 'without'} it: {index / bins:.2f} to {(index + 1) / bins:.2f}"
                "</title></rect>"
            )
    for place, (name, threshold) in enumerate(thresholds):
        plot.line([(threshold, 0), (threshold, 1)], "threshold")
        right = threshold > 0.8
        at = (threshold - 0.015 if right else threshold + 0.015, 0.95 - 0.07 * place)
        plot.label(at, name, "end" if right else "start")
    return plot.svg()


def volume_chart(volumes: Sequence[Mapping[str, Any]]) -> str:
    """Volume marked against true volume, both in mL on a logarithmic scale; the line is equality."""
    ticks = [(0.0, "0.3"), (1 / 3, "2"), (2 / 3, "14"), (1.0, "100")]
    plot = _Plot("Volumes", "true volume, mL", "volume marked, mL", ticks)
    plot.line([(0, 0), (1, 1)], "faint")
    for v in volumes:
        at = (_log(v["true_ml"]), _log(v["found_ml"]))
        plot.dot(at, "present", f"{v['study']}: {v['true_ml']:.1f} mL, marked {v['found_ml']:.1f} mL", 3.5)
    return plot.svg()


def interval_bar(share: Mapping[str, Any], width: int = 84) -> str:
    """A share as a dot on a line from 0 to 1 with its interval, to stand in a row of a table."""
    if share["value"] is None:
        return ""
    x = {k: 5 + share[k] * (width - 10) for k in ("value", "low", "high")}
    return (
        f'<svg class="bar" viewBox="0 0 {width} 16" width="{width}" height="16" aria-hidden="true">'
        f'<line class="grid" x1="5" x2="{width - 5}" y1="8" y2="8"/>'
        f'<line class="whisker" x1="{x["low"]:.1f}" x2="{x["high"]:.1f}" y1="8" y2="8"/>'
        f'<circle class="point" cx="{x["value"]:.1f}" cy="8" r="3.5"/></svg>'
    )


def _log(ml: float) -> float:
    low, high = math.log(0.3), math.log(100.0)
    return min(1.0, max(0.0, (math.log(max(ml, 0.3)) - low) / (high - low)))
