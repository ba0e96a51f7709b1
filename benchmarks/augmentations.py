"""Does the demonstration model stay silent on the real head CT, however it is scanned?

    python benchmarks/augmentations.py [--count 200] [--seed 1] [--bundle FOLDER] [--series FOLDER] [--json FILE]

With --json the answers go into FILE, and a run that was stopped goes on from there. In docs/variants.json of the
bundle the model card finds them (manage.py train_ich_demo --evaluate).

Takes a series that is presumed to show no bleed (by default the real head CT of the reference data) and changes
it at random: noise, kernel, slice thickness, rotation of the head, each of them in about two of three scans.
Each variant goes the way of any series: slices -> regular volume -> input limits -> network -> findings. A
variant outside the input limits counts as refused, never as not flagged. Ends with 1 when any is flagged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pacs.synthetic.fields import rotation  # noqa: E402  (needs the path above)
from triage.inference.bundle import LoadedBundle, load_bundle  # noqa: E402
from triage.inference.engine import OutsideLimits, check_slices  # noqa: E402
from triage.inference.extract import extract  # noqa: E402
from triage.inference.guard import check_input  # noqa: E402
from triage.inference.slices import read_stack  # noqa: E402
from triage.inference.training.cases import bundle_stamp  # noqa: E402
from triage.inference.volume import SliceStack, VolumeError, to_regular  # noqa: E402

NAMES = ("noise", "kernel", "thickness", "rotation")


def vary(stack: SliceStack, rng: np.random.Generator) -> tuple[SliceStack, dict[str, str]]:
    """A variant of the stack, and what was changed in words."""
    chosen = [name for name in NAMES if rng.random() < 0.67] or [str(rng.choice(NAMES))]
    told: dict[str, str] = {}
    # As a scanner works: the head lies as it lies, slices are cut, reconstructed, and carry noise.
    if "rotation" in chosen:
        angles = tuple(float(rng.normal(0.0, spread)) for spread in (5.0, 4.0, 9.0))
        stack = turned(stack, angles)  # type: ignore[arg-type]
        told["rotation"] = "{:.1f}, {:.1f}, {:.1f} degrees".format(*angles)
    if "thickness" in chosen:
        thickness = float(rng.choice([1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0]))
        stack = resliced(stack, thickness)
        told["thickness"] = f"{thickness:g} mm"
    if "kernel" in chosen:
        strength = float(rng.uniform(-0.9, 0.4))
        stack = reconstructed(stack, strength)
        told["kernel"] = f"blur {-strength:.2f} mm" if strength < 0 else f"sharpened by {strength:.2f}"
    if "noise" in chosen:
        level = float(rng.uniform(1.0, 8.0))
        stack = noisy(stack, level, float(rng.uniform(0.3, 0.9)), rng)
        told["noise"] = f"{level:.1f} HU"
    return stack, told


def turned(stack: SliceStack, angles_deg: tuple[float, float, float]) -> SliceStack:
    """The head turned about its middle: the header's geometry turns, no pixel changes."""
    turn = rotation(angles_deg)
    middle = stack.positions.mean(axis=0)
    return replace(
        stack,
        positions=(stack.positions - middle) @ turn.T + middle,
        row_direction=turn @ stack.row_direction,
        column_direction=turn @ stack.column_direction,
    )


def resliced(stack: SliceStack, thickness_mm: float) -> SliceStack:
    """Even slices of another thickness: each the mean of the old slices, linear between them, over its depth."""
    depths = stack.depths_mm
    wanted = np.arange(depths[0], depths[-1] + 0.01, thickness_mm)
    steps = max(1, round(thickness_mm))
    pixels = np.zeros((len(wanted), *stack.pixels.shape[1:]), dtype=np.float32)
    for shift in ((np.arange(steps) + 0.5) / steps - 0.5) * thickness_mm:
        at = np.interp(wanted + shift, depths, np.arange(len(depths)))
        below = np.minimum(at.astype(int), len(depths) - 2)
        part = (at - below).astype(np.float32)[:, None, None]
        pixels += (stack.pixels[below] * (1.0 - part) + stack.pixels[below + 1] * part) / steps
    at = np.interp(wanted, depths, np.arange(len(depths)))
    positions = np.stack([np.interp(at, np.arange(len(depths)), axis) for axis in stack.positions.T], axis=1)
    nearest = np.rint(at).astype(int)
    return replace(
        stack,
        pixels=pixels,
        positions=positions,
        thickness_mm=np.full(len(wanted), thickness_mm),
        sources=tuple(stack.sources[i] for i in nearest),
    )


def reconstructed(stack: SliceStack, strength: float) -> SliceStack:
    """A softer kernel below zero (blur in mm), a sharper one above (share of what is finer than 1.6 mm)."""
    sigma = [0.0, *((-strength if strength < 0 else 1.6) / mm for mm in stack.pixel_spacing_mm)]
    soft = ndimage.gaussian_filter(stack.pixels, sigma)
    if strength < 0:
        return replace(stack, pixels=soft)
    return replace(stack, pixels=stack.pixels + strength * np.clip(stack.pixels - soft, -150.0, 150.0))


def noisy(stack: SliceStack, level_hu: float, grain_mm: float, rng: np.random.Generator) -> SliceStack:
    """More noise, of a grain of some tenths of a millimetre."""
    white = rng.standard_normal(stack.pixels.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter(white, [0.0, *(grain_mm / mm for mm in stack.pixel_spacing_mm)])
    return replace(stack, pixels=stack.pixels + grain * np.float32(level_hu / float(grain.std())))


def judge(stack: SliceStack, bundle: LoadedBundle) -> dict[str, Any]:
    """What the house says of a stack: refused with a reason, flagged, or not flagged."""
    limits = bundle.config["input_limits"]
    try:
        check_slices(stack, limits)
        regular = to_regular(stack, bundle.spacing_mm)
    except (OutsideLimits, VolumeError) as error:
        return {"result": "refused", "why": str(error)}
    reasons = check_input(regular.array, regular.spacing_mm, limits)
    if reasons:
        return {"result": "refused", "why": "; ".join(reasons)}
    probabilities = bundle.predict(regular.array)
    found = extract(probabilities, regular.spacing_mm, bundle.config, volume_hu=regular.array)
    flagged = found.probability >= float(bundle.config["rank_threshold"])
    return {
        "result": "flagged" if flagged else "not flagged",
        "probability": round(found.probability, 4),
        "suspicious_ml": round(found.volume_ml, 3),
    }


def begun(file: Path | None, bundle: str, seed: int) -> dict[str, Any]:
    """What an earlier run of the same bundle and seed left in ``file``, or a new start."""
    if file is not None and file.is_file():
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if (told.get("bundle"), told.get("seed")) == (bundle, seed):
            return told
    return {"bundle": bundle, "seed": seed, "variants": []}


def keep(file: Path | None, told: dict[str, Any]) -> None:
    """Write it so that a stopped run leaves whole files only."""
    if file is not None:
        unfinished = file.with_suffix(".part")
        unfinished.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(file)


def default_series() -> Path:
    """The real head CT, where the reference data is."""
    named = os.environ.get("FIRSTREAD_SHARED_DATA")
    return (Path(named) if named else PROJECT.parent / "shared" / "data") / "head_ct_ge"


def main() -> None:
    """Vary, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bundle", type=Path, default=PROJECT / "models" / "ich_demo")
    parser.add_argument("--series", type=Path, default=default_series())
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write every variant and its answer here")
    options = parser.parse_args()
    files = sorted(options.series.glob("*.dcm"))
    if not files:
        raise SystemExit(
            f"{options.series} holds no *.dcm: the reference data is absent, nothing was measured"
        )
    torch.set_num_threads(options.threads)
    bundle = load_bundle(options.bundle)
    original = read_stack(files)
    began = time.monotonic()
    told = begun(options.json, bundle_stamp(options.bundle), options.seed)
    told["original"] = original_answer = judge(original, bundle)
    print(
        f"as it is: {original_answer['result']}, {original_answer.get('why') or original_answer['probability']}"
    )
    varied: list[dict[str, Any]] = told["variants"]
    del varied[options.count :]
    for number in range(len(varied), options.count):
        stack, changed = vary(original, np.random.default_rng([options.seed, number]))
        varied.append({"changed": changed, **judge(stack, bundle)})
        if (number + 1) % 20 == 0 or number + 1 == options.count:
            print(f"{number + 1} of {options.count}, {time.monotonic() - began:.0f} s", flush=True)
            keep(options.json, told)
    print(f"\nmodel {bundle.metadata['name']} {bundle.metadata['version']}, {options.count} variants")
    print(f"{'':>12} {'flagged':>8} {'refused':>8} {'not flagged':>12}")
    for name in ("all", *NAMES):
        group = [a for a in varied if name == "all" or name in a["changed"]]
        counts = [sum(a["result"] == r for a in group) for r in ("flagged", "refused", "not flagged")]
        print(f"{name:>12} {counts[0]:>8} {counts[1]:>8} {counts[2]:>12}")
    highest = max((a["probability"] for a in varied if "probability" in a), default=None)
    print(f"highest probability {highest}, rank threshold {bundle.config['rank_threshold']}")
    for answer in varied:
        if answer["result"] != "not flagged":
            print(answer)
    if any(a["result"] == "flagged" for a in (original_answer, *varied)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
