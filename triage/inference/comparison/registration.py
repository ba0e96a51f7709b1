"""Lay the head of an earlier CT on that of a new one: rigid, by SimpleITK, on a coarse grid.

A registration is believed only when the skulls lie on each other afterwards: another patient's head, a failed
optimiser or a scan of another part shows there, and raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from triage.inference.volume import AIR_HU, RegularVolume

Points = NDArray[np.float64]

GRID_MM: Final = (4.0, 3.0, 3.0)
BONE_HU: Final = 250.0
TISSUE_HU: Final = -200.0
# Of the new head's skull, the share that the earlier scan must show.
LEAST_SHARED: Final = 0.6
# Median and 90th percentile distance between the two skulls' bone, in mm.
FARTHEST_MEDIAN_MM: Final = 1.0
FARTHEST_P90_MM: Final = 2.8
# A share of the voxels tells as much about six numbers, in a tenth of the time.
_SAMPLED = 0.25
_SEED = 4
_WINDOW_HU = (-200.0, 900.0)
_STARTS_MM = (0.0, -18.0, 18.0)


class NotRegistered(Exception):
    """The two scans do not lie on each other; the message says why, without patient text."""


@dataclass(frozen=True)
class Alignment:
    """From patient coordinates of the new scan to those of the earlier one, in mm.

    Attributes:
        matrix, shift: earlier = matrix @ new + shift.
        skull_median_mm, skull_p90_mm: how far the skulls lie apart afterwards.
        shared: share of the new skull that the earlier scan shows.
    """

    matrix: Points
    shift: Points
    skull_median_mm: float
    skull_p90_mm: float
    shared: float

    def to_prior(self, points: Points) -> Points:
        """LPS points (mm) of the new scan, float64 [..., 3], as points of the earlier one."""
        return np.asarray(points @ self.matrix.T + self.shift)

    def to_current(self, points: Points) -> Points:
        """The way back."""
        return np.asarray((points - self.shift) @ self.matrix)


def align(current: RegularVolume, prior: RegularVolume, *, threads: int = 2) -> Alignment:
    """Find the rigid transform between two head CTs on grids of about GRID_MM.

    Raises:
        NotRegistered: no skull, too little in common, or the skulls do not lie on each other.
    """
    if min((v.array > BONE_HU).sum() for v in (current, prior)) < 500:
        raise NotRegistered("one of the scans shows no skull")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    fixed, moving = _image(current), _image(prior)
    best, best_value = None, np.inf
    for start in _STARTS_MM:
        # Scans rarely cover the same heights: the middle of a head says little about where it starts.
        transform, value = _optimise(fixed, moving, _start(current, prior, start), coarse=True)
        if value < best_value:
            best, best_value = transform, value
    assert best is not None
    final, _ = _optimise(fixed, moving, best, coarse=False)
    matrix = np.array(final.GetMatrix()).reshape(3, 3)
    centre = np.array(final.GetCenter())
    shift = np.array(final.GetTranslation()) + centre - matrix @ centre
    return _checked(current, prior, matrix, shift)


def _image(volume: RegularVolume) -> sitk.Image:
    low, high = _WINDOW_HU
    image = sitk.GetImageFromArray((np.clip(volume.array, low, high) - low).astype(np.float32) / (high - low))
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_lps_mm)
    return image


def _start(current: RegularVolume, prior: RegularVolume, along_mm: float) -> sitk.Euler3DTransform:
    here, there = _middle(current), _middle(prior)
    transform = sitk.Euler3DTransform()
    transform.SetCenter(here.tolist())
    transform.SetTranslation((there - here + np.array([0.0, 0.0, along_mm])).tolist())
    return transform


def _middle(volume: RegularVolume) -> Points:
    """Middle of the bone in x and y, and of its upper end in z: the vertex is the part that most scans show."""
    bone = np.argwhere(volume.array > BONE_HU)
    z = float(np.percentile(bone[:, 0], 90))
    return volume.points_of(np.array([z, bone[:, 1].mean(), bone[:, 2].mean()]))


def _optimise(
    fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform, *, coarse: bool
) -> tuple[sitk.Euler3DTransform, float]:
    transform = sitk.Euler3DTransform(start)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4.0 if coarse else 1.5,
        minStep=0.1 if coarse else 0.01,
        numberOfIterations=20 if coarse else 60,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-6,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    if not coarse:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(_SAMPLED, seed=_SEED)
    method.SetShrinkFactorsPerLevel([4 if coarse else 1])
    method.SetSmoothingSigmasPerLevel([4.0 if coarse else 1.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:
        if coarse:
            return transform, np.inf
        raise NotRegistered("the scans do not overlap") from error
    return transform, float(method.GetMetricValue())


def _checked(current: RegularVolume, prior: RegularVolume, matrix: Points, shift: Points) -> Alignment:
    """The alignment, when the new skull lies on the earlier one; raises NotRegistered."""
    bone = _outline(current)
    there = prior.voxels_of(bone @ matrix.T + shift)
    inside = np.all((there >= 0.0) & (there <= np.array(prior.array.shape) - 1.0), axis=1)
    shared = float(inside.mean())
    if shared < LEAST_SHARED:
        raise NotRegistered(f"the earlier scan shows only {shared:.0%} of this head")
    skull = prior.array > BONE_HU
    distance = ndimage.distance_transform_edt(~skull, prior.spacing_mm)
    away = ndimage.map_coordinates(distance, there[inside].T, order=1, mode="nearest")
    back = _outline(prior)
    here = current.voxels_of((back - shift) @ matrix)
    within = np.all((here >= 0.0) & (here <= np.array(current.array.shape) - 1.0), axis=1)
    distance = ndimage.distance_transform_edt(~(current.array > BONE_HU), current.spacing_mm)
    away = np.r_[away, ndimage.map_coordinates(distance, here[within].T, order=1, mode="nearest")]
    median, p90 = (float(np.percentile(away, q)) for q in (50, 90))
    if median > FARTHEST_MEDIAN_MM or p90 > FARTHEST_P90_MM:
        raise NotRegistered(
            f"the skulls do not lie on each other: {median:.1f} mm apart, a tenth {p90:.1f} mm"
        )
    return Alignment(matrix, shift, median, p90, shared)


def _outline(volume: RegularVolume) -> Points:
    """LPS points of the outer and inner surface of bone, float64 [n, 3]."""
    bone = volume.array > BONE_HU
    edge = bone & ~ndimage.binary_erosion(bone, border_value=1)
    voxels = np.argwhere(edge & (volume.array > AIR_HU))
    return volume.points_of(voxels[:: max(1, len(voxels) // 6000)])
