"""What differs from one procedural head to the next, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pacs.synthetic.fields import Triple


@dataclass(frozen=True)
class HeadParameters:
    """One head: sizes relative to an average adult, lengths in mm, angles in degrees, grey values in HU."""

    seed: int
    age: int
    sex: str
    scale: Triple
    rotation_deg: Triple
    offset_mm: Triple
    atrophy: float
    ventricle_size: float
    ventricle_skew: float
    skull_mm: float
    diploe_hu: float
    table_hu: float
    scalp_mm: float
    white_hu: float
    grey_hu: float
    csf_hu: float
    falx_hu: float
    sinus_hu: float
    leukoaraiosis: float
    pineal_hu: float
    choroid_hu: float
    falx_calcium: bool
    basal_calcium: bool
    infarct: bool
    beam_hardening_hu: float
    noise_hu: float
    sharpness: float
    head_rest: bool


def draw_parameters(seed: int, age: int | None = None, sex: str | None = None) -> HeadParameters:
    """Draw one head; the same seed gives the same head. ``age`` in years (18 to 95), ``sex`` M or F."""
    rng = np.random.default_rng([seed, 11])
    drawn_age = int(np.clip(rng.normal(62, 18), 18, 95))
    drawn_sex = "M" if rng.random() < 0.5 else "F"
    years = drawn_age if age is None else age
    male = (drawn_sex if sex is None else sex) == "M"
    size = rng.normal(1.02 if male else 0.97, 0.025)
    index = rng.normal(0.0, 0.03)
    atrophy = float(np.clip((years - 40) / 55 + rng.normal(0, 0.15), 0.0, 1.0))
    return HeadParameters(
        seed=seed,
        age=years,
        sex="M" if male else "F",
        scale=(float(size * (1 + index)), float(size * (1 - index)), float(size * rng.normal(1.0, 0.02))),
        rotation_deg=(float(rng.normal(0, 5)), float(rng.normal(0, 3)), float(rng.normal(0, 5))),
        offset_mm=(float(rng.normal(0, 5)), float(rng.normal(0, 6)), float(rng.normal(0, 3))),
        atrophy=atrophy,
        ventricle_size=float(np.clip(0.75 + 0.75 * atrophy + rng.normal(0, 0.14), 0.55, 1.8)),
        ventricle_skew=float(rng.normal(0, 0.1)),
        skull_mm=float(np.clip(rng.normal(6.5, 1.1), 4.0, 10.0)),
        diploe_hu=float(rng.uniform(450, 900)),
        table_hu=float(rng.uniform(1200, 1700)),
        scalp_mm=float(np.clip(rng.normal(5.0, 1.6), 2.0, 10.0)),
        white_hu=float(rng.normal(28.5, 1.0)),
        grey_hu=float(rng.normal(37.5, 1.0)),
        csf_hu=float(rng.normal(6.0, 1.5)),
        falx_hu=float(rng.uniform(44, 62)),
        sinus_hu=float(rng.uniform(45, 66)),
        leukoaraiosis=float(np.clip(rng.normal(atrophy - 0.3, 0.25), 0.0, 1.0)),
        pineal_hu=float(rng.uniform(80, 350)) if rng.random() < 0.6 else 0.0,
        choroid_hu=float(rng.uniform(70, 300)) if rng.random() < 0.65 else 0.0,
        falx_calcium=bool(rng.random() < 0.12),
        basal_calcium=bool(rng.random() < 0.1),
        infarct=bool(rng.random() < 0.12),
        beam_hardening_hu=float(rng.uniform(3, 11)),
        noise_hu=float(rng.uniform(3.2, 5.5)),
        sharpness=float(rng.uniform(0.35, 0.75)),
        head_rest=bool(rng.random() < 0.92),
    )
