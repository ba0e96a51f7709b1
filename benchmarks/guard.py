"""What the guard before the models refuses: heads that it must let in, and what no head model is made for.

    python benchmarks/guard.py [--heads 100] [--odd 4]

Ordinary synthetic heads, half of them with a bleed, go through the same steps as a study (slices, regular
grid, limits of models/ich_demo), then heads with contrast medium, metal, motion, cut off or turned over, a
chest, phantoms and pictures. Where the real reference data is at hand, its scans are told too. Refusals of
ordinary heads are false; odd inputs that are let in are missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pacs.synthetic.heads import SyntheticHead, make_head  # noqa: E402
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion  # noqa: E402
from pacs.synthetic.oddities import add_contrast, add_metal, make_phantom, make_torso  # noqa: E402
from triage.inference.guard import check_input, check_stack  # noqa: E402
from triage.inference.slices import read_stack  # noqa: E402
from triage.inference.volume import FrameSource, SliceStack, to_regular  # noqa: E402

CONFIG = json.loads((PROJECT / "models" / "ich_demo" / "configs" / "firstread.json").read_text())
SHARED_DATA = PROJECT.parent / "shared" / "data"
#: Slices of 5 mm, 246 mm across, as the synthetic studies have them.
SPACING_MM = (5.0, 1.95, 1.95)
SHAPE = (32, 126, 126)


@dataclass(frozen=True)
class Case:
    """A series of native slices and what it shows."""

    kind: str
    stack: SliceStack


def refusals(stack: SliceStack, limits: dict[str, Any] = CONFIG["input_limits"]) -> list[str]:
    """Why the guard refuses native slices; empty when it lets them in."""
    regular = to_regular(stack, tuple(CONFIG["spacing_mm"]))
    return check_stack(stack, limits) + check_input(regular.array, regular.spacing_mm, limits)


def axial_stack(hu: NDArray[np.floating[Any]], spacing_mm: tuple[float, float, float]) -> SliceStack:
    """Straight axial slices from an array [slice, row, column] in HU."""
    count = len(hu)
    positions = np.zeros((count, 3))
    positions[:, 2] = np.arange(count) * spacing_mm[0]
    return SliceStack(
        pixels=np.asarray(hu, dtype=np.float32),
        positions=positions,
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing_mm=(spacing_mm[1], spacing_mm[2]),
        thickness_mm=np.full(count, spacing_mm[0]),
        sources=tuple(FrameSource(f"1.2.{i}") for i in range(count)),
    )


def head_slices(
    seed: int, change: Callable[[SyntheticHead], None] = lambda head: None
) -> NDArray[np.float32]:
    """Slices [slice, row, column] in HU of a synthetic head with noise, changed before the noise."""
    head = make_head(seed, SPACING_MM, SHAPE)
    change(head)
    noise = np.random.default_rng([seed, 71]).normal(0.0, head.parameters.noise_hu, head.hu.shape)
    return (head.hu + noise).astype(np.float32)


def ordinary(count: int) -> Iterator[Case]:
    """Heads that must be let in: every second one with a bleed."""
    for number in range(count):
        seed = 40_000 + number
        kind = LESION_KINDS[number // 2 % len(LESION_KINDS)] if number % 2 else None

        def bleed(head: SyntheticHead, kind: str | None = kind, seed: int = seed) -> None:
            if kind is not None:
                insert_lesion(head, kind, 4.0 + seed % 7 * 9.0, seed)

        yield Case("ordinary head", axial_stack(head_slices(seed, bleed), SPACING_MM))


def odd(seeds: range = range(50_000, 50_004)) -> Iterator[Case]:
    """What must be refused."""
    for seed in seeds:
        for hu in (150.0, 250.0, 350.0):
            made = head_slices(seed, partial(add_contrast, vessel_hu=hu))
            yield _case(f"contrast, vessels of {hu:g} HU", made)
        for radius in (3.0, 6.0, 10.0):
            made = head_slices(seed, partial(add_metal, radius_mm=radius, seed=seed))
            yield _case(f"metal of {2 * radius:g} mm with streaks", made)
        plain = head_slices(seed)
        yield _case("motion, every slice by 3 mm", moved(plain, 3.0, seed))
        yield _case("motion, one slice by 8 mm", one_moved(plain, 8.0))
        yield _case("cut off at the left", plain[:, :, 44:])
        yield _case("cut off in front", plain[:, 38:])
        yield _case("without the top 45 mm", plain[:-9])
        yield _case("without the base 55 mm", plain[11:])
        yield _case("upside down", plain[::-1])
        yield _case("front to back", plain[:, ::-1])
        yield _case("on its side", plain.transpose(0, 2, 1))
        yield _case("picture of 8 bits", np.clip(plain / 80.0 * 255.0, 0, 255))
        yield _case("values without their offset", plain + 1024.0)
        for height in (120.0, 200.0, 280.0):
            torso = make_torso(seed, (5.0, 2.0, 2.0), height)
            yield Case(f"chest, {height:g} mm", axial_stack(torso, (5.0, 2.0, 2.0)))
        for filling in (0.0, 35.0):
            phantom = make_phantom(seed, (5.0, 2.0, 2.0), filling)
            yield Case(f"phantom filled with {filling:g} HU", axial_stack(phantom, (5.0, 2.0, 2.0)))


def moved(slices: NDArray[np.float32], by_mm: float, seed: int) -> NDArray[np.float32]:
    """Every slice somewhere else: normally distributed steps with a deviation of `by_mm`."""
    rng = np.random.default_rng([seed, 72])
    steps = np.rint(rng.normal(0.0, by_mm, (len(slices), 2)) / SPACING_MM[1]).astype(int)
    return np.stack([np.roll(p, tuple(s), (0, 1)) for p, s in zip(slices, steps, strict=True)])


def one_moved(slices: NDArray[np.float32], by_mm: float) -> NDArray[np.float32]:
    """A slice from the middle moved sideways."""
    changed = slices.copy()
    middle = len(slices) // 2
    changed[middle] = np.roll(changed[middle], round(by_mm / SPACING_MM[2]), 1)
    return changed


def _case(kind: str, slices: NDArray[np.floating[Any]]) -> Case:
    return Case(kind, axial_stack(slices, SPACING_MM))


def main() -> None:
    """Print what is refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=100)
    parser.add_argument("--odd", type=int, default=4, help="odd inputs of each kind")
    arguments = parser.parse_args()
    heads = arguments.heads
    false = [why for case in ordinary(heads) if (why := refusals(case.stack))]
    print(f"ordinary synthetic heads: {len(false)} of {heads} refused", flush=True)
    for why in false:
        print("  ", "; ".join(why))
    if (SHARED_DATA / "head_ct_ge").is_dir():
        real = read_stack(sorted((SHARED_DATA / "head_ct_ge").glob("*.dcm")))
        print("real head CT:", "; ".join(refusals(real)) or "let in")
        turned = replace(real, pixels=np.ascontiguousarray(real.pixels[::-1]))
        print("real head CT, slices in reverse:", "; ".join(refusals(turned)) or "let in")
        turned = replace(real, pixels=np.ascontiguousarray(real.pixels[:, ::-1]))
        print("real head CT, front to back:", "; ".join(refusals(turned)) or "let in")
        _print_reference()
    else:
        print(f"real head CT and reference phantoms: not here ({SHARED_DATA})")
    print(f"\n{'odd input':38} refused   first reason")
    rows: dict[str, list[list[str]]] = {}
    for case in odd(range(50_000, 50_000 + arguments.odd)):
        rows.setdefault(case.kind, []).append(refusals(case.stack))
    for kind, answers in rows.items():
        refused = [why for why in answers if why]
        print(f"{kind:38} {len(refused):2} of {len(answers):2}   {refused[0][0] if refused else ''}")
    missed = sum(not why for answers in rows.values() for why in answers)
    print(f"\nfalse refusals {len(false)} of {heads}; missed {missed} of {sum(map(len, rows.values()))}")


def _print_reference() -> None:
    from triage.inference.training.reference_cases import reference_cases

    for case in reference_cases(SHARED_DATA, CONFIG["spacing_mm"]):
        why = check_input(case.volume, CONFIG["spacing_mm"], CONFIG["input_limits"])
        print(f"{case.name}:", "; ".join(why) or "let in")


if __name__ == "__main__":
    main()
