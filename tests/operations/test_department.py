"""The simulated department repeats itself with new patients."""

from datetime import datetime

from worklist.operations.department import HOUR, cases


def test_every_patient_of_a_long_day_is_another_one() -> None:
    day = cases(3 * len(HOUR))
    began = datetime(2026, 1, 5, 8, 30)
    assert (
        len({case.accession_number(began) for case in day}) == len({case.number for case in day}) == len(day)
    )
    assert all(len(case.accession_number(began)) <= 16 for case in day)  # SH


def test_the_hour_has_bleeds_in_routine_and_stat_orders_and_clean_heads_in_both() -> None:
    kinds = {(case.priority, case.lesion is not None) for case in HOUR}
    assert {("routine", True), ("stat", True), ("routine", False), ("stat", False)} <= kinds


def test_a_given_pace_replaces_all_pauses_but_the_first() -> None:
    assert [case.pause_s for case in cases(3, 1.5)] == [0.0, 1.5, 1.5]
