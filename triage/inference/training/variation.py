"""Variation far beyond one scanner and one kind of head, so that texture alone never looks like blood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.fields import Array, NoiseField
from pacs.synthetic.heads import SyntheticHead
from pacs.synthetic.parameters import HeadParameters

#: Middle of the grey values of brain in HU, and how far grey and white matter lie from it.
_BRAIN_HU = 33.0
_BONE_HU = 150.0


def widened(p: HeadParameters, rng: np.random.Generator) -> HeadParameters:
    """The same head with tissue, bone, calcium and hardening drawn from much wider ranges than the demo's."""
    return replace(
        p,
        rotation_deg=tuple(2.0 * a for a in p.rotation_deg),  # type: ignore[arg-type]
        atrophy=float(np.clip(p.atrophy + rng.normal(0.0, 0.2), 0.0, 1.0)),
        skull_mm=float(rng.uniform(3.0, 13.0)),
        diploe_hu=float(rng.uniform(300, 1100)),
        table_hu=float(rng.uniform(800, 1900)),
        scalp_mm=float(rng.uniform(1.5, 12.0)),
        falx_hu=float(rng.uniform(40, 76)),
        sinus_hu=float(rng.uniform(42, 80)),
        white_hu=float(rng.normal(28.5, 2.0)),
        grey_hu=float(rng.normal(37.5, 2.2)),
        csf_hu=float(rng.uniform(0.0, 15.0)),
        leukoaraiosis=float(np.clip(p.leukoaraiosis + rng.normal(0.0, 0.2), 0.0, 1.0)),
        infarct=bool(rng.random() < 0.35),
        basal_calcium=bool(rng.random() < 0.3),
        falx_calcium=bool(rng.random() < 0.3),
        pineal_hu=float(rng.uniform(60, 450)) if rng.random() < 0.75 else 0.0,
        choroid_hu=float(rng.uniform(55, 400)) if rng.random() < 0.75 else 0.0,
        beam_hardening_hu=float(rng.uniform(0, 22)),
    )


def vary_tissue(head: SyntheticHead, rng: np.random.Generator) -> None:
    """Change ``head.hu`` in place by what no two scans share; call it after bleeds are inserted.

    Grey and white matter closer together or further apart, mottled tissue of any grain, gyri brighter in places,
    a rim below the skull brighter or darker (what is left of beam hardening), scatter and undershoot of bone.
    """
    hu = head.hu
    soft = (hu > -20.0) & (hu < _BONE_HU)
    if rng.random() < 0.5:
        hu += float(rng.uniform(-0.4, 0.7)) * np.clip(hu - _BRAIN_HU, -9.0, 9.0) * soft
    for _ in range(int(rng.integers(0, 3))):
        grain = float(np.exp(rng.uniform(np.log(1.2), np.log(9.0))))
        hu += float(rng.uniform(0.3, 2.2)) * _mottle(head, grain, rng) * soft
    if rng.random() < 0.3:
        bright = np.clip(NoiseField(rng, float(rng.uniform(25.0, 60.0))).at(head.points_mm) - 0.8, 0.0, 1.0)
        cortex = np.clip((hu - 33.0) / 4.0, 0.0, 1.0) * (hu < 44.0)
        hu += (float(rng.uniform(2.0, 9.0)) * bright * cortex).astype(np.float32)
    if rng.random() < 0.5:
        depth = np.clip(head.cavity_mm, 0.0, 60.0)
        rim = float(rng.uniform(-4.0, 9.0)) * np.exp(-depth / float(rng.uniform(2.0, 12.0)))
        hu += (rim * head.brain).astype(np.float32)
    if rng.random() < 0.5:
        reach = float(rng.uniform(1.5, 6.0))
        sigma = [float(rng.uniform(0.0, 4.0)) / head.spacing_mm[0], *(reach / s for s in head.spacing_mm[1:])]
        share = float(rng.uniform(0.003, 0.02)) * (-0.6 if rng.random() < 0.3 else 1.0)
        hu += share * ndimage.gaussian_filter(np.clip(hu - 100.0, 0.0, 1500.0), sigma) * soft


def _mottle(head: SyntheticHead, grain_mm: float, rng: np.random.Generator) -> Array:
    white = rng.standard_normal(head.hu.shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, [0.5 * grain_mm / s for s in head.spacing_mm], truncate=3.0)
    mottled: Array = smooth / float(smooth.std())
    return mottled


def vary_crop(hu: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Cheap changes of one crop [z, y, x] in HU, other ones each time it is shown."""
    if rng.random() < 0.25:
        soft = ndimage.gaussian_filter(hu, [0.0, *[float(rng.uniform(0.3, 0.7))] * 2])
        hu = soft if rng.random() < 0.5 else hu + float(rng.uniform(0.1, 0.5)) * np.clip(hu - soft, -60, 60)
    if rng.random() < 0.15:
        share = float(rng.uniform(0.1, 0.25))
        hu = ndimage.convolve1d(hu, [share, 1.0 - 2.0 * share, share], axis=0, mode="nearest")
    if rng.random() < 0.3:
        hu = hu + float(rng.uniform(-0.3, 0.5)) * np.clip(hu - _BRAIN_HU, -8.0, 8.0)
    if rng.random() < 0.4:
        ramp = [float(rng.normal(0.0, 1.5)) * np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in hu.shape]
        hu = hu + ramp[0][:, None, None] + ramp[1][:, None] + ramp[2]
    if rng.random() < 0.5:
        sigma = [float(rng.uniform(0.0, 0.9)), *[float(rng.uniform(0.4, 2.5))] * 2]
        blobs = ndimage.gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), sigma)
        hu = hu + blobs * float(rng.uniform(0.0, 3.0) / blobs.std())
    if rng.random() < 0.4:
        hu = hu + rng.standard_normal(hu.shape, dtype=np.float32) * float(rng.uniform(0.0, 5.0))
    varied: NDArray[np.float32] = hu * float(rng.uniform(0.95, 1.05)) + float(rng.normal(0.0, 1.8))
    return varied
