"""From what a bundle says to rows and statements: one finding for each target, present or absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from highdicom import UID
from numpy.typing import NDArray
from pydicom.sr.coding import Code

from triage.inference.analysis import Analysis, Target
from triage.models import Finding, ModelVersion, TriageRun
from triage.results.statement import BRAIN, Statement
from triage.targets import TargetFinding, targets


class BadAnswer(Exception):
    """The bundle said something of a finding that it does not look for."""


@dataclass(frozen=True)
class Said:
    """A finding's unsaved row, what the DICOM objects tell of it, and its mask where there is one.

    Attributes:
        mask: bool [slice, row, column] of a finding that is present, at least one pixel set; else None.
        key: index of its key frame in the analysis' sources, or None.
    """

    finding: Finding
    statement: Statement
    mask: NDArray[np.bool_] | None
    key: int | None

    @property
    def present(self) -> bool:
        """At or above its threshold for ranking."""
        return self.finding.presence == Finding.Presence.PRESENT


def findings_of(run: TriageRun, analysis: Analysis) -> list[Said]:
    """What a run says, in the order of the bundle's findings.

    Thresholds and criticality are copied: what a finding meant does not change when a model does.

    Raises:
        BadAnswer: a target is not one of the bundle's.
    """
    looked_for = targets(run.model.config)
    by_name = {finding.name: (place, finding) for place, finding in enumerate(looked_for)}
    said = []
    for target in analysis.targets:
        if target.name not in by_name:
            raise BadAnswer(f"the bundle answered for {target.name!r}, which it does not look for")
        place, finding = by_name[target.name]
        said.append(_said(run, analysis, target, finding, first=place == 0))
    return said


def probability_of(said: Sequence[Said]) -> float:
    """Of the whole run: the highest of what is present, or of all where nothing is."""
    present = [one.finding.probability for one in said if one.present]
    return max(present or [one.finding.probability for one in said])


def _said(
    run: TriageRun, analysis: Analysis, target: Target, looked_for: TargetFinding, *, first: bool
) -> Said:
    model = run.model
    # The model's own row holds what its first finding ranks, alerts and matters.
    rank = model.rank_threshold if first else looked_for.rank_threshold
    present = target.probability >= rank
    finding = Finding(
        tracking_uid=str(UID()),
        name=looked_for.name,
        code=looked_for.code,
        scheme=looked_for.scheme,
        meaning=looked_for.meaning,
        criticality=model.criticality if first else looked_for.criticality,
        rank_threshold=rank,
        alert_threshold=model.alert_threshold if first else looked_for.alert_threshold,
        presence=Finding.Presence.PRESENT if present else Finding.Presence.ABSENT,
        probability=target.probability,
        probability_method=target.method[:120],
    )
    mask = target.mask if present and target.mask is not None and target.mask.any() else None
    key = analysis.key_of(target) if present else None
    if present:
        _describe(finding, run, analysis, target, key)
    return Said(finding, statement_of(model, finding), mask, key)


def _describe(finding: Finding, run: TriageRun, analysis: Analysis, target: Target, key: int | None) -> None:
    finding.subtype = target.subtype
    finding.side = target.side
    finding.volume_ml = None if target.volume_ml is None else round(target.volume_ml, 2)
    if target.largest_diameter_mm is not None:
        finding.largest_diameter_mm = round(target.largest_diameter_mm, 1)
    finding.centroid_lps_mm = target.centroid_lps_mm and list(target.centroid_lps_mm)
    finding.box_lps_mm = target.box_lps_mm and list(target.box_lps_mm)
    finding.midline_shift_mm = analysis.measurements.get("midline_shift_mm")
    finding.midline_shift_uncertainty_mm = analysis.measurements.get("midline_shift_uncertainty_mm")
    if target.mask is not None and target.mask.any():
        slices = np.flatnonzero(target.mask.any(axis=(1, 2)))
        finding.slice_from, finding.slice_to = int(slices[0]) + 1, int(slices[-1]) + 1
    elif key is not None and analysis.stack is not None:
        finding.slice_from = finding.slice_to = key + 1
    if key is not None and run.series is not None:
        finding.key_sop_instance_uid = analysis.sources[key].sop_instance_uid
        finding.key_series_instance_uid = run.series.series_instance_uid


def statement_of(model: ModelVersion, finding: Finding) -> Statement:
    """What the documents say of a finding, from its row."""
    site = model.config.get("site")
    return Statement(
        model=model.name,
        version=model.version,
        weights_sha256=model.weights_sha256,
        finding=Code(finding.code, finding.scheme, finding.meaning),
        present=finding.presence == Finding.Presence.PRESENT,
        probability=finding.probability,
        threshold=finding.rank_threshold or model.rank_threshold,
        volume_ml=finding.volume_ml,
        largest_diameter_mm=finding.largest_diameter_mm,
        side=finding.side,
        tracking_uid=finding.tracking_uid,
        software_version=f"Firstread {settings.VERSION}",
        site=Code(site["code"], site["scheme"], site["meaning"]) if site else BRAIN,
        probability_method=finding.probability_method,
        midline_shift_mm=finding.midline_shift_mm,
        midline_shift_uncertainty_mm=finding.midline_shift_uncertainty_mm,
        comparison=finding.comparison,
        growth_ml=finding.growth_ml,
    )
