"""What the archive's headers tell of a series, and what is made of a whole study with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from pacs.models import Study
from tests.triage.conftest import ball_series
from tests.triage.making import enhanced_of, make_stack
from triage import planning
from triage.facts import coverage_mm, facts_of
from triage.models import ModelVersion, TriagePlan

STRAIGHT = [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("orientation", "positions", "thickness", "expected"),
    [
        (STRAIGHT, [[0, 0, 0], [5, 5, 10], [0, 0, -30]], 5.0, 45.0),
        ([0, 1, 0, 0, 0, -1], [[0, 9, 9], [12, 0, 0]], None, 12.0),
        (STRAIGHT, [[0, 0, 0]], 5.0, None),
        (STRAIGHT, [[0, 0, 0], [0, 0, "?"]], 5.0, None),
        ([], [[0, 0, 0], [0, 0, 1]], 5.0, None),
    ],
)
def test_coverage_is_measured_along_the_normal(
    orientation: list[Any], positions: list[list[Any]], thickness: float | None, expected: float | None
) -> None:
    assert coverage_mm(orientation, positions, thickness) == expected


@pytest.mark.django_db(transaction=True)
def test_manufacturer_coverage_and_contrast_are_read_from_the_archive(stored: Callable[..., Study]) -> None:
    agent = Dataset()
    agent.CodeValue, agent.CodingSchemeDesignator, agent.CodeMeaning = "7140000", "SCT", "Iohexol"
    study_uid = generate_uid()
    plain = ball_series(StudyInstanceUID=study_uid, Manufacturer="ACME", ContrastBolusAgent="NONE")
    coded = ball_series(StudyInstanceUID=study_uid, ContrastBolusAgentSequence=Sequence([agent]))
    named = ball_series(StudyInstanceUID=study_uid, ContrastBolusAgent="OMNIPAQUE")
    study = stored(plain + coded + named)
    facts = {one.series_instance_uid: one for one in facts_of(study)}
    first, second, third = (facts[str(series[0].SeriesInstanceUID)] for series in (plain, coded, named))
    assert (first.manufacturer, first.contrast_agent) == ("ACME", "")
    assert (second.contrast_agent, third.contrast_agent) == ("Iohexol", "OMNIPAQUE")
    assert first.coverage_mm == pytest.approx(64.0, abs=0.5) and first.orientation == "axial"


@pytest.mark.django_db(transaction=True)
def test_an_enhanced_object_is_measured_over_all_its_frames(stored: Callable[..., Study]) -> None:
    stack = make_stack(
        centre=np.zeros(3), radius_mm=5.0, row_direction=np.array([1.0, 0, 0]), thickness_mm=5.0, size=16,
        column_direction=np.array([0, 1.0, 0]), depths_mm=np.arange(12) * 5.0,
    )  # fmt: skip
    (facts,) = facts_of(stored([enhanced_of(stack, [3, 0, 11, 5, 1, 2, 4, 6, 7, 8, 9, 10])]))
    assert facts.slices == 12 and facts.coverage_mm == pytest.approx(60.0)


@pytest.mark.django_db(transaction=True)
def test_a_study_of_many_series_is_planned_with_a_reason_for_each(
    bright: ModelVersion, stored: Callable[..., Study]
) -> None:
    study_uid = generate_uid()

    def series(number: int, count: int = 16, **values: object) -> list[Dataset]:
        return ball_series(slices=count, StudyInstanceUID=study_uid, SeriesNumber=number, **values)

    everything = [
        *series(1, 2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        *series(2, ConvolutionKernel="STANDARD"),
        *series(3, ConvolutionKernel="BONE"),
        *series(4, ImageType=["DERIVED", "SECONDARY", "MPR"]),
        *series(5, 1, SOPClassUID=SecondaryCaptureImageStorage),
        *series(6, ContrastBolusAgent="IOHEXOL"),
        *series(7, ConvolutionKernel="UNKNOWN"),
    ]
    planning.plan_runs(study_id=stored(everything).pk)
    (record,) = TriagePlan.objects.get().considered
    reasons = {entry["series_number"]: entry["reason"] for entry in record["series"]}
    assert reasons[2].startswith("chosen with")
    assert reasons == {
        1: "a localizer",
        2: reasons[2],
        3: "reconstructed with a sharp kernel",
        4: "a reformat of other images",
        5: "a secondary capture",
        6: "a contrast agent was given",
        7: "series 2 suits better, 90.4 against 75.4 points: "
        "a soft kernel rather than a kernel that nobody here knows",
    }
    assert [entry["chosen"] for entry in record["series"]] == [True] + [False] * 6
    assert record["model_state"] == "live" and len(record["series"][0]["parts"]) == 5
