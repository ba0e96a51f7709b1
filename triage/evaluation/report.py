"""The report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from triage.evaluation.charts import (
    calibration_chart,
    interval_bar,
    probabilities_chart,
    roc_chart,
    volume_chart,
)
from triage.evaluation.gallery import MODEL_COLOUR, TRUE_COLOUR, Picture

SMALL: Final = 10
"""Fewer cases than this are marked as few."""
_STYLE = """
:root{color-scheme:light dark;--ground:#f6f7f9;--sheet:#fff;--ink:#15181d;--quiet:#5a6270;--line:#d9dde3;
--accent:#1d5fbf;--ai:#7a3fd1;--present:#c2571a;--absent:#7f8896;--warn:#8a5a00;--warn-ground:#fff4dc}
@media (prefers-color-scheme:dark){:root{--ground:#0f1115;--sheet:#171a20;--ink:#e6e8eb;--quiet:#9aa3b0;
--line:#2b313b;--accent:#6ea8fe;--ai:#b388ff;--present:#f0915a;--absent:#7f8896;--warn:#ffc857;
--warn-ground:#2a2314}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}h2{font-size:20px;margin:40px 0 12px}
h3{font-size:15px;margin:26px 0 8px}p{margin:6px 0}.quiet{color:var(--quiet)}small{color:var(--quiet)}
.banner{border-left:4px solid var(--warn);background:var(--warn-ground);padding:10px 14px;margin:16px 0;
border-radius:4px}
.hash{font:12px ui-monospace,monospace;color:var(--quiet);overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px;margin:12px 0}
.tile,.chart,figure{background:var(--sheet);border:1px solid var(--line);border-radius:8px}
.tile{padding:12px 14px}.tile b{display:block;font-size:24px;line-height:1.3;font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:12px}
.chart{padding:10px 12px}.chart h3{margin:0 0 4px}.chart svg{width:100%;height:auto;display:block}
svg text{fill:var(--quiet);font:11px system-ui,sans-serif}svg .axis,svg .note{fill:var(--ink)}
svg .grid{stroke:var(--line);stroke-width:1}svg .faint{fill:none;stroke:var(--quiet);stroke-dasharray:3 4}
svg .curve{fill:none;stroke:var(--ai);stroke-width:2}svg .whisker{stroke:var(--accent);stroke-width:1.6}
svg .point{fill:var(--accent)}svg .present{fill:var(--present)}svg .absent{fill:var(--absent)}
svg .threshold{fill:none;stroke:var(--ai);stroke-width:1.4;stroke-dasharray:5 3}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;background:var(--sheet);
border:1px solid var(--line);border-radius:8px}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:middle}
th{font-weight:600;color:var(--quiet);font-size:13px}td.n,th.n{text-align:right}
tr.axis th{color:var(--ink);background:var(--ground)}tr:last-child td{border-bottom:0}
.bar{vertical-align:middle;margin-right:8px}td{white-space:nowrap}td.wrap{white-space:normal}.few{color:var(--warn)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:12px}
figure{margin:0;overflow:hidden}figure img{width:100%;display:block;background:#000}
figcaption{padding:8px 12px 10px;font-size:13px}figcaption b{display:block;overflow-wrap:anywhere}
.key{display:inline-block;width:18px;border-top:3px solid;vertical-align:middle;margin:0 6px 0 12px}
@media print{body{background:#fff}figure,.tile,.chart,table{break-inside:avoid}}
"""


def page(document: Mapping[str, Any], pictures: Mapping[tuple[str, str], Picture]) -> str:
    """The report.

    Args:
        document: from `triage.evaluation.results.document`.
        pictures: of failures, by finding and study; a failure without one is named in the table.
    """
    model, data = document["model"], document["dataset"]
    title = f"{model['name']} {model['version']} on {data['name']}"
    findings = "".join(_finding(f, document, pictures) for f in document["findings"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}: evaluation</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>"
        f'<p class="quiet">Evaluation of {escape(document["made_at"])} by {escape(document["software"])}</p>'
        f"{_banner(data)}"
        f"<p>{escape(model['intended_use'])}</p>"
        f'<p class="hash">weights SHA-256 {model["weights_sha256"]}<br>'
        f"configuration SHA-256 {model['configs_sha256']}<br>labels SHA-256 {data['labels_sha256']}</p>"
        f"{_counts(document)}{findings}{_not_answered(document)}{_method(document)}</main></body></html>\n"
    )


def honesty(data: Mapping[str, Any]) -> str:
    """What the images are, in a sentence."""
    if data["synthetic"] == data["asked"]:
        return "Synthetic images: this says nothing about patients."
    if data["synthetic"]:
        return (
            f"{data['synthetic']} of {data['asked']} studies are synthetic: "
            "what follows mixes them with others and says little about patients."
        )
    return "One set of studies at one time: another site, scanner or patient may differ."


def percent(share: Mapping[str, Any] | None) -> str:
    """Value and interval in per cent."""
    if share is None or share["value"] is None:
        return "not measured"
    return f"{100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f})"


def _banner(data: Mapping[str, Any]) -> str:
    return f'<p class="banner"><b>{escape(honesty(data))}</b> Not a cleared medical device.</p>'


def _counts(document: Mapping[str, Any]) -> str:
    counts, data, seconds = document["counts"], document["dataset"], document["seconds_a_study"]
    pace = f"{seconds['median']:.1f} s" if seconds["median"] else "none"
    spread = f"median; 95 % within {seconds['p95']:.1f} s; " if seconds["median"] else ""
    tiles = [
        ("Studies", f"{data['asked']}", f"of {data['studies']} in the set"),
        ("Analysed", f"{counts['analysed']}", "every figure below is about these"),
        (
            "Not analysed",
            f"{counts['not_analysed']}",
            "outside the model's limits; never counted as negative",
        ),
        ("Failed", f"{counts['failed']}", "never counted as negative"),
        ("Time a study", pace, spread + escape(document["model"]["runtime"] or "no runtime told")),
    ]
    return '<div class="tiles">' + "".join(_tile(*tile) for tile in tiles) + "</div>"


def _tile(name: str, value: str, note: str) -> str:
    return f'<div class="tile"><span class="quiet">{name}</span><b>{value}</b><small>{note}</small></div>'


def _finding(
    finding: Mapping[str, Any], document: Mapping[str, Any], pictures: Mapping[tuple[str, str], Picture]
) -> str:
    name = escape(finding["code"]["meaning"])
    if len(document["findings"]) > 1:
        name += f" <small>{escape(finding['name'])}</small>"
    answered = finding["answered"]
    head = f"<h2>{name}</h2><p>{answered['positives']} analysed with it, {answered['negatives']} without.</p>"
    if not answered["positives"] or not answered["negatives"]:
        head += '<p class="few">Without cases of both kinds some of the figures do not exist.</p>'
    return (
        head
        + _points(finding, document["prevalence"])
        + _charts(finding, document)
        + "".join((_strata(finding), _failures(finding, pictures)))
    )


def _points(finding: Mapping[str, Any], prevalence: float) -> str:
    auc = finding["auc"]
    tiles = [("Area under the ROC curve", _plain(auc), escape(auc["method"]) if auc else "")]
    if finding["dice"]:
        dice = finding["dice"]
        tiles.append(
            ("Dice, mean", _plain(dice), f"median {dice['median']:.2f}, {dice['of']} lesions with a mask")
        )
    names = ["", *(f"{p['name']}, from {p['threshold']:g}" for p in finding["operating_points"])]
    head = "".join(f"<th>{escape(n)}</th>" for n in names)
    rows = []
    for key, title in (
        ("sensitivity", "Sensitivity"),
        ("specificity", "Specificity"),
        ("ppv", f"PPV where {100 * prevalence:g} % have it"),
        ("npv", f"NPV where {100 * prevalence:g} % have it"),
        ("found_of_all", "Found of all with it, answered or not"),
    ):
        cells = "".join(f"<td>{_share(p[key])}</td>" for p in finding["operating_points"])
        rows.append(f"<tr><td>{title}</td>{cells}</tr>")
    return (
        '<div class="tiles">'
        + "".join(_tile(*tile) for tile in tiles)
        + f'</div><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
    )


def _plain(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return "not measured"
    return f"{share['value']:.3f} <small>({share['low']:.3f} to {share['high']:.3f})</small>"


def _share(share: Mapping[str, Any] | None) -> str:
    if share is None or share["value"] is None:
        return '<span class="quiet">no cases</span>'
    of = f" <small>{share['hits']} of {share['of']}</small>" if "of" in share else ""
    few = ' <span class="few">few</span>' if 0 < share.get("of", SMALL) < SMALL else ""
    return f"{interval_bar(share)}{percent(share)}{of}{few}"


def _charts(finding: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    name = finding["name"]
    told = [
        (case["said"][name]["probability"], case["truth"][name]["present"])
        for case in document["cases"]
        if name in case["said"] and name in case["truth"]
    ]
    if not told:
        return ""
    thresholds = [(p["name"], p["threshold"]) for p in finding["operating_points"]]
    calibration = finding["calibration"]
    notes = [
        f"{title}: Brier score {c['brier']:.3f}, calibration error {c['ece']:.3f}"
        for title, c in (
            ("as they are", calibration["as_is"]),
            (f"weighted to {100 * document['prevalence']:g} %", calibration["at_prevalence"]),
        )
        if c
    ]
    charts = [
        ("ROC curve", roc_chart(finding), "Dots: the operating points with their intervals."),
        ("Calibration", calibration_chart(finding), "; ".join(notes)),
        (
            "Probabilities told",
            probabilities_chart(told, thresholds),
            '<span class="key" style="border-color:var(--present)"></span>with it'
            '<span class="key" style="border-color:var(--absent)"></span>without it',
        ),
    ]
    if finding["volumes"]:
        charts.append(("Volume", volume_chart(finding["volumes"]), "Flagged lesions; a dot is a study."))
    return (
        '<h3>Charts</h3><div class="charts">'
        + "".join(
            f'<div class="chart"><h3>{t}</h3>{svg}<small>{note}</small></div>' for t, svg, note in charts
        )
        + "</div>"
    )


def _strata(finding: Mapping[str, Any]) -> str:
    if not finding["strata"]:
        return ""
    rows, axis = [], ""
    with_dice = any(row["dice"] for row in finding["strata"])
    for row in finding["strata"]:
        if row["axis"] != axis:
            axis = row["axis"]
            rows.append(f'<tr class="axis"><th colspan="{5 + with_dice}">{escape(row["title"])}</th></tr>')
        dice = f"<td>{row['dice']['value']:.2f}</td>" if row["dice"] else "<td></td>"
        rows.append(
            f"<tr><td class=wrap>{escape(row['value'])}</td><td class=n>{row['cases']}</td>"
            f"<td class=n>{row['not_answered'] or ''}</td><td>{_share(row['sensitivity'])}</td>"
            f"<td>{_share(row['specificity'])}</td>{dice if with_dice else ''}</tr>"
        )
    return (
        "<h3>For whom it holds, at the rank threshold</h3><div class=wide><table><tr><th></th>"
        "<th class=n>cases</th><th class=n>not answered</th><th>sensitivity</th><th>specificity</th>"
        f"{'<th>mean Dice</th>' if with_dice else ''}</tr>{''.join(rows)}</table></div>"
    )


def _failures(finding: Mapping[str, Any], pictures: Mapping[tuple[str, str], Picture]) -> str:
    failures: Sequence[Mapping[str, Any]] = finding["failures"]
    if not failures:
        return "<h3>Failures</h3><p>No miss and no false flag at the rank threshold.</p>"
    missed = sum(f["kind"] == "missed" for f in failures)
    colours = [
        f'<span class="key" style="border-color:rgb{colour}"></span>{name}'
        for name, colour in (("true outline", TRUE_COLOUR), ("marked by the model", MODEL_COLOUR))
    ]
    shown = [(f, pictures.get((finding["name"], f["study"]))) for f in failures]
    figures = "".join(_figure(f, p) for f, p in shown if p)
    rest = [f for f, p in shown if p is None]
    table = "".join(f"<li>{escape(f['study'])}: {_caption(f)}</li>" for f in rest)
    return (
        f"<h3>Failures: {missed} missed, {len(failures) - missed} flagged falsely</h3>"
        f"<p class=quiet>The slice that tells most.{''.join(colours)}</p>"
        f'<div class="gallery">{figures}</div>' + (f"<p>Not shown:</p><ul>{table}</ul>" if table else "")
    )


def _figure(failure: Mapping[str, Any], picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure><img alt="slice {picture.slice_number} of {picture.of}" '
        f'src="data:image/png;base64,{data}"><figcaption><b>{escape(failure["study"])}</b>'
        f"{_caption(failure)}<br><small>slice {picture.slice_number} of {picture.of}</small>"
        "</figcaption></figure>"
    )


def _caption(failure: Mapping[str, Any]) -> str:
    parts = [failure["kind"], escape(failure["subtype"])]
    if failure["true_ml"] is not None:
        parts.append(f"{failure['true_ml']:.1f} mL")
    if failure["kind"] == "false flag" and failure["found_ml"]:
        parts.append(f"{failure['found_ml']:.1f} mL marked")
    parts.append(f"probability {failure['probability']:.2f}")
    return ", ".join(filter(None, parts))


def _not_answered(document: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td class=n>{r['studies']}</td><td>{escape(r['state'].replace('_', ' '))}</td>"
        f"<td class=wrap>{escape(r['reason'])}</td></tr>"
        for r in document["not_answered"]
    )
    if not rows:
        return ""
    return (
        "<h2>Not answered</h2><div class=wide><table><tr><th class=n>studies</th><th></th><th>reason</th></tr>"
        f"{rows}</table></div>"
    )


def _method(document: Mapping[str, Any]) -> str:
    return (
        "<h2>How this was measured</h2><p>Series were chosen and refused by the rules that production uses, and "
        "the images went through the same engine. Intervals cover 95 %: Wilson's for shares; DeLong's on the "
        "logit scale for the area under the curve, Newcombe's where the groups are wholly apart; for "
        "predictive values draws of sensitivity and specificity from their Jeffreys posteriors at a prevalence "
        f"of {100 * document['prevalence']:g} %; bootstrap for mean Dice. A lesion in a study that was not "
        "analysed counts in no sensitivity, but in the share found of all.</p>"
    )
