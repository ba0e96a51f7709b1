"""A bleed in two scans of one head is known, grown or new; in two heads it is not compared."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pacs.models import Study
from pacs.selectors import instance_paths
from pacs.services import store_derived
from pacs.synthetic.datasets import SyntheticPatient
from pacs.synthetic.heads import make_head
from pacs.synthetic.studies import make_study
from tests.triage.making import rotation
from tests.worklist.making import make_model, make_run
from tests.worklist.making import make_study as make_study_row
from triage.comparing import compared, earlier_finding
from triage.comparison_words import against_prior
from triage.findings import Said, findings_of, statement_of
from triage.inference.analysis import Analysis, Target
from triage.inference.comparison import process
from triage.inference.comparison.overlap import groups_of
from triage.inference.comparison.registration import GRID_MM, Alignment, NotRegistered, align
from triage.inference.comparison.request import Answer, Pair, Request, decode, encode
from triage.inference.comparison.rule import judge
from triage.inference.volume import FrameSource, RegularVolume, SliceStack, to_regular
from triage.models import Comparison, Finding, ModelVersion, TriageRun
from triage.results.headers import read_headers
from triage.results.seg import make_seg
from triage.targets import targets

SPACING = (5.0, 2.0, 2.0)
LEFT, RIGHT = (32.0, -20.0, 30.0), (-35.0, 15.0, 35.0)
MOVED = ((4.0, -3.0, 7.0), (6.0, -9.0, 8.0))


@lru_cache(maxsize=3)
def head(seed: int) -> RegularVolume:
    made = make_head(seed, SPACING)
    return RegularVolume(made.hu, SPACING, made.origin_lps_mm)


def ball(volume: RegularVolume, centre: tuple[float, float, float], ml: float) -> NDArray[np.bool_]:
    """A ball of that volume around a patient coordinate."""
    points = volume.points_of(np.moveaxis(np.indices(volume.array.shape), 0, -1))
    away = np.linalg.norm(points - np.array(centre), axis=-1)
    mask = np.zeros(volume.array.shape, dtype=bool)
    count = round(ml * 1000.0 / float(np.prod(SPACING)))
    mask.ravel()[np.argsort(away.ravel(), kind="stable")[:count]] = True
    return mask


def scan(
    seed: int,
    *bleeds: tuple[tuple[float, float, float], float],
    moved: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    noise: int = 1,
) -> tuple[SliceStack, NDArray[np.bool_], float]:
    """A scan of a head with balls of blood; `moved` is how it lies otherwise: degrees and mm."""
    volume = head(seed)
    masks = [ball(volume, *bleed) for bleed in bleeds]
    mask = np.any(masks, axis=0)
    hu = np.where(mask, 65.0, volume.array)
    if moved is not None:
        turn, shift = rotation(moved[0]), np.array(moved[1])
        voxels = np.moveaxis(np.indices(hu.shape), 0, -1)
        index = np.moveaxis(volume.voxels_of((volume.points_of(voxels) - shift) @ turn), -1, 0)
        hu = ndimage.map_coordinates(hu, index, order=1, cval=-1000.0)
        mask = ndimage.map_coordinates(mask.astype(np.float32), index, order=1) >= 0.5
    hu = hu + 4.0 * np.random.default_rng(noise).standard_normal(hu.shape)
    x, y, z = volume.origin_lps_mm
    stack = SliceStack(
        pixels=hu.astype(np.float32),
        positions=np.array([[x, y, z + k * SPACING[0]] for k in range(len(hu))]),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing_mm=(SPACING[1], SPACING[2]),
        thickness_mm=np.full(len(hu), SPACING[0]),
        sources=tuple(FrameSource(f"1.2.{noise}.{k}") for k in range(len(hu))),
    )
    return stack, mask, float(sum(ml for _, ml in bleeds))


def aligned(now: SliceStack, before: SliceStack) -> Alignment:
    return align(to_regular(now, GRID_MM), to_regular(before, GRID_MM))


@pytest.fixture(scope="module")
def alignment() -> Alignment:
    """Of the first head as it lay then, and turned and moved as it lies now."""
    return aligned(scan(1, (LEFT, 10.0), moved=MOVED, noise=2)[0], scan(1, (LEFT, 10.0))[0])


def test_a_turned_head_is_laid_on_the_earlier_one_to_a_millimetre(alignment: Alignment) -> None:
    turn, shift = rotation(MOVED[0]), np.array(MOVED[1])
    then = np.array([[0.0, 0, 0], LEFT, RIGHT, (0, -70, 20), (0, 70, 20), (0, 0, 70)])
    now = then @ turn.T + shift
    assert np.linalg.norm(alignment.to_prior(now) - then, axis=1).max() < 1.5
    assert np.allclose(alignment.to_current(alignment.to_prior(now)), now)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ([(LEFT, 10.0)], "known"),
        ([(LEFT, 18.0)], "grown"),
        ([(RIGHT, 10.0)], "new"),
        ([(LEFT, 10.0), (RIGHT, 2.0)], "new"),
        ([(LEFT, 5.0)], "known"),
    ],
)
def test_the_same_bleed_is_known_a_larger_one_grown_and_another_place_new(alignment, now, state):
    verdict = judge(
        groups_of(now=scan(1, *now, moved=MOVED, noise=2), before=scan(1, (LEFT, 10.0)), alignment=alignment)
    )
    assert verdict.state == state
    if state == "grown":
        assert verdict.growth_ml == pytest.approx(8.0, abs=0.1)


def test_two_old_bleeds_that_became_one_are_compared_with_both(alignment: Alignment) -> None:
    near = (LEFT[0], LEFT[1] + 24.0, LEFT[2])
    between = (LEFT[0], LEFT[1] + 12.0, LEFT[2])
    (group,) = groups_of(
        now=scan(1, (LEFT, 6.0), (near, 6.0), (between, 6.0), moved=MOVED, noise=2),
        before=scan(1, (LEFT, 6.0), (near, 6.0)),
        alignment=alignment,
    )
    assert group.before_ml == pytest.approx(12.0, abs=0.2)
    assert judge([group]).state == "grown"


def test_another_patients_head_is_not_believed() -> None:
    with pytest.raises(NotRegistered, match="do not lie on each other"):
        aligned(scan(1, (LEFT, 10.0))[0], scan(24, (LEFT, 10.0))[0])


def test_a_scan_without_a_skull_is_not_believed() -> None:
    empty = RegularVolume(np.full((20, 60, 60), -1000.0, dtype=np.float32), GRID_MM, (0.0, 0.0, 0.0))
    with pytest.raises(NotRegistered, match="no skull"):
        align(empty, empty)


def test_a_finding_where_the_earlier_scan_shows_nothing_is_not_compared(alignment: Alignment) -> None:
    stack, mask, ml = scan(1, (LEFT, 10.0))
    low = SliceStack(**{**vars_of(stack), "pixels": stack.pixels[:20], "positions": stack.positions[:20],
                        "thickness_mm": stack.thickness_mm[:20], "sources": stack.sources[:20]})  # fmt: skip
    with pytest.raises(NotRegistered, match="does not show all"):
        groups_of(
            now=scan(1, ((30.0, -20.0, 45.0), 10.0), moved=MOVED, noise=2),
            before=(low, mask[:20], ml),
            alignment=alignment,
        )


def vars_of(stack: SliceStack) -> dict[str, object]:
    """The fields of a stack, without what it cached."""
    return {name: getattr(stack, name) for name in SliceStack.__dataclass_fields__}


def test_a_request_survives_its_way_to_the_process() -> None:
    mask = np.random.default_rng(3).random((3, 5, 7)) > 0.5
    request = Request([Path("a")], [Path("b")], [("1.2", 1)], [Pair(mask, 3.5, Path("s"), 2, 1.25)])
    again = decode(encode(request))
    assert (again.pairs[0].mask == mask).all()
    assert again.pairs[0].seg == Path("s").absolute() and again.sources == [("1.2", 1)]


@pytest.mark.parametrize("failure", ["hangs", "dies", "babbles"])
def test_whatever_happens_to_the_process_the_answer_is_not_compared(failure, monkeypatch):
    def run(*args: object, **options: object) -> object:
        if failure == "hangs":
            raise subprocess.TimeoutExpired("child", 30)
        if failure == "dies":
            raise subprocess.CalledProcessError(-9, "child")
        return subprocess.CompletedProcess([], 0, stdout=b"no json", stderr=b"")

    monkeypatch.setattr(process.subprocess, "run", run)
    request = Request([], [], [], [Pair(np.ones((1, 1, 1), bool), 1.0, Path("s"), 1, 1.0)] * 2)
    answers = process.compare(request)
    assert [answer.state for answer in answers] == ["not_compared"] * 2
    assert all(isinstance(answer, Answer) and answer.reason for answer in answers)


PATIENT = SyntheticPatient("SYN-PRIOR-1", "SYNTHETIC^Prior", date(1950, 1, 1), "F")


def filed(
    stored: Callable[..., Study], model: ModelVersion, seed: int, day: int, ml: float, shift_mm: float = 0.0
) -> Finding:
    """A scan of the one patient with a bleed of that volume, read and answered as a worker does."""
    made = make_study(
        seed,
        "intraparenchymal" if ml else None,
        ml,
        patient=PATIENT,
        acquired_at=datetime(2026, 3, day, 8, tzinfo=UTC),
        matrix=256,
        slices=30,
    )
    for dataset in made.datasets:
        x, y, z = (float(v) for v in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x + shift_mm, y, z - 2 * shift_mm]
    study = stored(made.datasets[::-1])
    series = study.series.get(derived=False)
    uids = [str(dataset.SOPInstanceUID) for dataset in made.datasets]
    run = TriageRun.objects.create(
        study=study, series=series, model=model, input_instance_uids=uids, model_state="live", state="done",
        input_hash=f"{day:064d}",
    )  # fmt: skip
    target = Target(
        name=targets(model.config)[0].name,
        probability=0.9 if ml else 0.1,
        volume_ml=ml or None,
        mask=made.mask if ml else None,
    )
    sources = tuple(FrameSource(uid) for uid in uids)
    analysis = Analysis((target,), sources, None, "0" * 64)
    paths = [path for _, path in instance_paths(series)]
    (one,) = compared(run, findings_of(run, analysis), sources, paths)
    if one.mask is not None:
        seg = make_seg([(one.statement, one.mask)], sources, read_headers(paths))
        assert [str(result.outcome) for result in store_derived([seg], "triage")] == ["stored"]
        run.seg_sop_instance_uid, one.finding.segment_number = str(seg.SOPInstanceUID), 1
        run.save()
    assert one.statement.comparison == one.finding.comparison
    one.finding.run = run
    one.finding.save()
    return one.finding


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_patients_next_scans_are_compared_with_the_newest_one_that_was_answered(
    bright: ModelVersion, stored: Callable[..., Study]
) -> None:
    nothing = filed(stored, bright, 5, 1, 0.0)
    assert (nothing.presence, nothing.comparison, nothing.prior_finding) == ("absent", "", None)
    first = filed(stored, bright, 5, 2, 10.0)
    assert (first.comparison, first.prior_finding) == (Comparison.NEW, nothing)
    known = filed(stored, bright, 5, 3, 10.0, shift_mm=6.0)
    assert (known.comparison, known.prior_finding) == (Comparison.KNOWN, first)
    assert known.growth_ml == pytest.approx(0.0, abs=0.01)
    grown = filed(stored, bright, 5, 4, 18.0)
    assert (grown.comparison, grown.prior_finding) == (Comparison.GROWN, known)
    assert grown.growth_ml == pytest.approx(8.0, abs=0.01)
    # Filed under the wrong patient: the skull says so, and nobody is told that it is known.
    strange = filed(stored, bright, 77, 5, 18.0)
    assert (strange.comparison, strange.prior_finding) == (Comparison.NOT_COMPARED, grown)
    assert strange.growth_ml is None


@pytest.mark.django_db
def test_only_what_the_same_patients_readers_could_see_is_compared_with() -> None:
    patient = None
    live, shadow = make_model(), make_model("shadow")
    newest: Finding | None = None
    for day, model in ((1, live), (2, live), (3, shadow)):
        study = make_study_row(study_date=f"2026030{day}", patient=patient)
        patient = study.patient
        finding = make_run(study, model, probability=0.9).findings.get()
        newest = finding if model is live else newest
    stranger = make_study_row(study_date="20260304")
    make_run(stranger, live, probability=0.9)
    now = make_run(make_study_row(study_date="20260305", patient=patient), live, probability=0.9)
    assert earlier_finding(now, now.findings.get()) == newest
    in_shadow = make_run(now.study, shadow, probability=0.9)
    seen = earlier_finding(in_shadow, in_shadow.findings.get())
    assert seen is not None and seen.run.model == shadow
    other_code = Finding(code="36118008", scheme="SCT")
    assert earlier_finding(now, other_code) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "state", "words"),
    [
        (0.9, Comparison.KNOWN, "also told of the scan of 1 Mar 2026, place and size not compared"),
        (0.1, Comparison.NEW, "new since 1 Mar 2026"),
        (None, "", ""),
    ],
)
def test_what_a_classifier_said_of_the_prior_too_is_known_by_presence_and_never_grown(
    before: float | None, state: str, words: str
) -> None:
    model = make_model(kind="classification")
    prior = make_study_row(study_date="20260301")
    if before is not None:
        make_run(prior, model, probability=before).findings.update(volume_ml=None)
    run = make_run(make_study_row(study_date="20260302", patient=prior.patient), model, probability=0.95)
    finding = run.findings.get()
    finding.volume_ml = None
    (one,) = compared(run, [Said(finding, statement_of(model, finding), None, None)], [], [])
    assert (finding.comparison, finding.growth_ml, one.statement.comparison) == (state, None, state)
    assert against_prior(finding) == words
