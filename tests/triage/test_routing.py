"""Which series a model looks at, and why not the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.routing import (
    Decision,
    Kernel,
    SeriesFacts,
    Verdict,
    body_part_of,
    check_conditions,
    consider,
    decide,
    kernel_of,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
RULE: dict[str, Any] = {
    "modality": "CT",
    "body_part_any": ["HEAD", "BRAIN", ""],
    "exclude_description_any": ["ANGIO", "CTA", "CONTRAST", "C+", "BONE", "FACE", "NECK"],
}
LIMITS: dict[str, Any] = {
    "modality": ["CT"],
    "slice_thickness_mm": [0.4, 8.0],
    "min_slices": 12,
    "image_types_excluded": ["ODD"],
    "coverage_mm": [80, 320],
    "manufacturer_exclude_any": ["acme"],
    "age_years": [18, 120],
}
HEAD = SeriesFacts(
    series_id=1,
    series_instance_uid="1.1",
    modality="CT",
    body_part_examined="HEAD",
    series_description="AX 5MM STD",
    sop_class_uid=CT,
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    kernel="STANDARD",
    slice_thickness_mm=5.0,
    slices=32,
    orientation="axial",
    age_years=71.0,
    series_number=2,
)


def look(**changes: Any) -> tuple[Verdict, str]:
    item = consider(replace(HEAD, **changes), [RULE], LIMITS)
    return item.verdict, item.reason


def test_a_plain_head_ct_fits() -> None:
    assert look() == (Verdict.FITS, "")


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"modality": "MR"}, Verdict.OTHER, "modality MR"),
        ({"body_part_examined": "CHEST"}, Verdict.OTHER, "body part CHEST"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, Verdict.OTHER, "localizer"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.66.4"}, Verdict.OTHER, "no images"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.67"}, Verdict.OTHER, "no images"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, Verdict.OTHER, "secondary capture"),
        ({"derived": True}, Verdict.OTHER, "made here"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7.2"}, Verdict.OTHER, "secondary capture"),
        ({"image_type": ("DERIVED", "SECONDARY", "SCREEN SAVE")}, Verdict.OTHER, "secondary capture"),
        ({"image_type": ("DERIVED", "SECONDARY", "MPR")}, Verdict.UNFIT, "a reformat"),
        ({"image_type": ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")}, Verdict.UNFIT, "a reformat"),
        ({"image_type": ("DERIVED", "SECONDARY", "MIP")}, Verdict.UNFIT, "a projection"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL")}, Verdict.UNFIT, "derived from other images"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "ODD")}, Verdict.UNFIT, "image type ODD"),
        ({"coverage_mm": 40.0}, Verdict.UNFIT, "40 mm covered, outside 80 to 320"),
        ({"manufacturer": "ACME Imaging"}, Verdict.UNFIT, "made by ACME Imaging"),
        ({"series_description": "CTA HEAD 1MM"}, Verdict.UNFIT, "CTA"),
        ({"series_description": "HEAD C+"}, Verdict.UNFIT, "C+"),
        ({"series_description": "W/WO CONTRAST"}, Verdict.UNFIT, "CONTRAST"),
        ({"series_description": "with and without contrast"}, Verdict.UNFIT, "CONTRAST"),
        ({"series_description": "BONE 1.25"}, Verdict.UNFIT, "BONE"),
        ({"contrast_agent": "IOHEXOL"}, Verdict.UNFIT, "contrast agent"),
        ({"kernel": "BONEPLUS"}, Verdict.UNFIT, "sharp kernel"),
        ({"slices": 11}, Verdict.UNFIT, "11 slices, fewer than 12"),
        ({"slice_thickness_mm": 10.0}, Verdict.UNFIT, "10 mm slices"),
        ({"age_years": 6.0}, Verdict.UNFIT, "6 years of age"),
        ({"series_description": "HEAD W/O CONTRAST"}, Verdict.FITS, ""),
        ({"series_description": "NON-CONTRAST"}, Verdict.FITS, ""),
        ({"series_description": "SURFACE"}, Verdict.FITS, ""),
        ({"body_part_examined": ""}, Verdict.FITS, ""),
        ({"age_years": None, "slice_thickness_mm": None, "coverage_mm": None}, Verdict.FITS, ""),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.77.1.4"}, Verdict.FITS, ""),
    ],
)
def test_each_series_gets_a_verdict_and_a_reason(
    changes: dict[str, Any], verdict: Verdict, reason: str
) -> None:
    got, why = look(**changes)
    assert got == verdict and reason in why


def test_without_a_body_part_an_excluded_word_claims_nothing_about_the_study() -> None:
    assert look(body_part_examined="", series_description="NECK 3MM")[0] == Verdict.OTHER
    unknown = replace(HEAD, body_part_examined="", series_description="X", study_description="THORAX")
    assert body_part_of(unknown) == "CHEST"


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("H31s", Kernel.SOFT),
        ("J40s", Kernel.SOFT),
        ("H60f", Kernel.SHARP),
        ("Br38", Kernel.SOFT),
        ("Hr59", Kernel.SHARP),
        ("FC26", Kernel.SOFT),
        ("FC30", Kernel.SHARP),
        ("FC81", Kernel.SHARP),
        ("UB", Kernel.SOFT),
        ("YC", Kernel.SHARP),
        ("STD+", Kernel.SOFT),
        ("BONEPLUS", Kernel.SHARP),
        ("", Kernel.UNKNOWN),
    ],
)
def test_kernels_of_four_vendors_are_told_apart(kernel: str, expected: Kernel) -> None:
    assert kernel_of(replace(HEAD, kernel=kernel)) == expected


def choose(*series: SeriesFacts) -> Decision:
    return decide(series, [RULE], LIMITS)


def test_of_several_reconstructions_the_original_soft_read_thickness_axial_one_is_chosen() -> None:
    thin = replace(HEAD, series_id=2, series_instance_uid="1.2", slice_thickness_mm=0.625, slices=280)
    bone = replace(HEAD, series_id=3, series_instance_uid="1.3", kernel="BONE")
    coronal = replace(
        HEAD, series_id=4, series_instance_uid="1.4", orientation="coronal",
        image_type=("DERIVED", "SECONDARY", "REFORMATTED"), slices=60,
    )  # fmt: skip
    scout = replace(HEAD, series_id=5, series_instance_uid="1.5", image_type=("LOCALIZER",), slices=2)
    decision = choose(scout, coronal, bone, thin, HEAD)
    assert decision.analyse and decision.chosen == HEAD
    assert len(decision.considered) == 5
    why = {item.facts.series_id: item.reason for item in decision.considered}
    assert why[1].startswith("chosen with") and "a soft kernel" in why[1] and "slices of 5 mm" in why[1]
    assert why[2].startswith("series 2 suits better") and "5 mm rather than slices of 0.625 mm" in why[2]
    assert (why[3], why[4], why[5]) == (
        "reconstructed with a sharp kernel", "a reformat of other images", "a localizer",
    )  # fmt: skip


def test_a_score_is_the_sum_of_parts_that_are_told_in_words() -> None:
    item = consider(HEAD, [RULE], LIMITS)
    assert [(part.about, part.points, part.text) for part in item.parts] == [
        ("origin", 30.0, "original images"),
        ("orientation", 20.0, "axial"),
        ("kernel", 20.0, "a soft kernel"),
        ("thickness", 20.0, "slices of 5 mm"),
        ("slices", 0.8, "32 slices"),
    ]
    assert item.score == 90.8


def test_of_two_equal_series_the_first_is_chosen_and_the_other_says_so() -> None:
    twin = replace(HEAD, series_id=2, series_instance_uid="1.2", series_number=7)
    decision = choose(twin, HEAD)
    assert decision.chosen == HEAD
    assert decision.considered[1].reason == "series 2 suits as well (90.8 points each) and comes first"


def test_a_rule_may_prefer_thin_sharp_slices() -> None:
    thin = replace(
        HEAD, series_id=2, series_instance_uid="1.2", slice_thickness_mm=0.625, slices=280, kernel="BONE"
    )
    rule = RULE | {
        "sharp_kernel_allowed": True,
        "prefer": {"slice_thickness_mm": [0.4, 1.0], "kernel": "sharp"},
    }
    assert decide([HEAD, thin], [rule], LIMITS).chosen == thin


@pytest.mark.parametrize(
    ("limits", "changes", "reason"),
    [
        ({"kernel": ["soft"]}, {"kernel": ""}, "a kernel that is unknown, not soft"),
        (
            {"manufacturer_any": ["GE", "Siemens"]},
            {"manufacturer": "Canon"},
            "made by Canon, not GE or Siemens",
        ),
        ({"manufacturer_any": ["GE"]}, {"manufacturer": ""}, "an unnamed manufacturer"),
        ({"manufacturer_any": ["GE"]}, {"manufacturer": "GE MEDICAL SYSTEMS"}, ""),
        ({"contrast": False}, {"contrast_agent": "IOHEXOL"}, "a contrast agent was given"),
        ({}, {"contrast_agent": "IOHEXOL"}, ""),
    ],
)
def test_limits_on_kernel_manufacturer_and_contrast_hold_whatever_a_rule_allows(
    limits: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    rule = RULE | {"contrast_allowed": True, "sharp_kernel_allowed": True}
    decision = decide([replace(HEAD, **changes)], [rule], LIMITS | limits)
    assert decision.analyse == (not reason) and reason in decision.reason


def test_the_second_of_two_frontal_radiographs_says_that_nobody_looked_at_it() -> None:
    rule = {"modality": ["DX", "CR"], "view_any": ["PA", "AP"], "derived_allowed": True}
    first = replace(
        HEAD, modality="DX", sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1", body_part_examined="CHEST",
        views=("PA",), slices=1, series_number=1, series_description="", slice_thickness_mm=None, kernel="",
        orientation="", coverage_mm=None,
    )  # fmt: skip
    again = replace(first, series_id=2, series_instance_uid="1.2.3.9", series_number=2, views=("AP",))
    portable = replace(
        again, series_id=3, series_instance_uid="1.2.3.10", series_number=3, image_type=("DERIVED", "PRIMARY")
    )
    lateral = replace(again, series_id=4, series_instance_uid="1.2.3.11", series_number=4, views=("LL",))
    decision = decide([lateral, portable, again, first], [rule], {"modality": ["DX"], "min_slices": 1})
    assert decision.chosen == first
    read, second, third, other = (item.reason for item in decision.considered)
    assert read.startswith("chosen with") and "1 image" in read and "slice" not in read.split(": ")[1]
    told = "not read, though it fits: this model reads one series of a study, and series 1 suits "
    assert second.startswith(told + "as well") and third.startswith(told + "better")
    assert other == "the view is LL, not PA or AP"


def test_a_rule_may_want_one_orientation_and_may_accept_reformats() -> None:
    coronal = replace(HEAD, orientation="coronal", image_type=("DERIVED", "SECONDARY", "MPR"))
    assert decide([coronal], [RULE | {"derived_allowed": True}], LIMITS).analyse
    axial_only = RULE | {"derived_allowed": True, "orientation_any": ["axial"]}
    assert decide([coronal], [axial_only], LIMITS).reason == "coronal slices, not axial"


def test_a_head_ct_outside_the_limits_is_not_analysed_with_every_reason() -> None:
    few = replace(HEAD, slices=4)
    thick = replace(HEAD, series_id=2, series_instance_uid="1.2", slice_thickness_mm=10.0)
    decision = choose(few, thick)
    assert decision.applicable and not decision.analyse
    assert "4 slices" in decision.reason and "10 mm" in decision.reason


def test_a_study_of_another_kind_is_not_the_models_business() -> None:
    assert not choose(replace(HEAD, modality="MR")).applicable
    assert not decide([HEAD], [], LIMITS).applicable
    assert not choose().applicable


def test_a_second_rule_may_accept_what_the_first_refuses() -> None:
    angiography = replace(HEAD, series_description="CTA")
    allowing = {"modality": "CT", "contrast_allowed": True}
    assert decide([angiography], [RULE, allowing], LIMITS).analyse


FACTS = st.builds(
    SeriesFacts,
    series_id=st.integers(1, 9),
    series_instance_uid=st.from_regex(r"1\.[1-9]{1,6}", fullmatch=True),
    modality=st.sampled_from(["CT", "MR", "SR", ""]),
    body_part_examined=st.sampled_from(["HEAD", "CHEST", "", "BRAIN", "??"]),
    series_description=st.sampled_from(["", "AX", "CTA", "BONE", "W/O CONTRAST", "C+"]),
    study_description=st.sampled_from(["", "HEAD", "CHEST"]),
    sop_class_uid=st.sampled_from([CT, "1.2.840.10008.5.1.4.1.1.7", ""]),
    image_type=st.sampled_from([(), ("ORIGINAL", "PRIMARY", "AXIAL"), ("DERIVED", "SECONDARY", "MPR")]),
    kernel=st.sampled_from(["", "STANDARD", "BONE", "H31s", "FC81"]),
    slice_thickness_mm=st.none() | st.floats(0.1, 20),
    slices=st.integers(0, 500),
    orientation=st.sampled_from(["", "axial", "coronal"]),
    age_years=st.none() | st.floats(0, 110),
    series_number=st.integers(0, 20),
    derived=st.booleans(),
)
STUDIES = st.lists(FACTS, max_size=6, unique_by=lambda facts: facts.series_instance_uid)


@given(STUDIES, st.randoms(use_true_random=False))
def test_the_order_of_series_never_matters(series: list[SeriesFacts], random: Any) -> None:
    shuffled = list(series)
    random.shuffle(shuffled)
    assert decide(series, [RULE], LIMITS) == decide(shuffled, [RULE], LIMITS)


@given(STUDIES)
def test_a_decision_is_one_of_three_and_says_why(series: list[SeriesFacts]) -> None:
    decision = choose(*series)
    verdicts = {item.verdict for item in decision.considered}
    assert decision.analyse == (Verdict.FITS in verdicts)
    assert decision.applicable == bool(verdicts & {Verdict.FITS, Verdict.UNFIT})
    assert bool(decision.reason) != decision.analyse
    assert len(decision.considered) == len(series)
    assert all(item.reason for item in decision.considered)
    if decision.analyse:
        assert decision.chosen is not None
        assert decision.chosen.modality == "CT" and decision.chosen.slices >= 12
        assert not decision.chosen.derived


@given(STUDIES, FACTS)
def test_a_further_series_never_takes_away_an_analysis(series: list[SeriesFacts], more: SeriesFacts) -> None:
    if choose(*series).analyse:
        assert choose(*series, more).analyse


@given(STUDIES, FACTS)
def test_adding_a_worse_series_never_changes_the_choice(series: list[SeriesFacts], more: SeriesFacts) -> None:
    before = choose(*series)
    if before.chosen is None or more.series_instance_uid in {s.series_instance_uid for s in series}:
        return
    verdicts = [Verdict.FITS, Verdict.UNFIT, Verdict.OTHER]
    best, item = before.considered[0], consider(more, [RULE], LIMITS)
    worse = (verdicts.index(item.verdict), -item.score) > (verdicts.index(best.verdict), -best.score)
    after = choose(*series, more)
    assert after.chosen == (before.chosen if worse else after.considered[0].facts)
    assert not worse or after.analyse == before.analyse


def test_unknown_conditions_are_refused() -> None:
    assert check_conditions(RULE) == []
    assert check_conditions({"prefer": {"colour": "red"}}) and check_conditions({"prefer": []})
    assert check_conditions({"prefer": {"slice_thickness_mm": [1]}})
    assert check_conditions({"prefer": {"kernel": "sharp"}, "orientation_any": ["axial"]}) == []
    assert check_conditions({"modalty": "CT"}) == ["modalty is no condition"]
    assert check_conditions({"body_part_any": "HEAD"}) and check_conditions([])
