"""A simulation that is asked for is played once, survives a dead worker, and says why it fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.audit.models import AuditEvent
from worklist.simulation import playing, services
from worklist.simulation.documents import as_document, defaults, parameters_of
from worklist.simulation.models import Simulation, SimulationState

pytestmark = pytest.mark.django_db
SMALL = {"studies": 200, "replications": 2}


@pytest.fixture
def reader(make_user):
    return make_user("radiologist")


def ask(reader, **parameters):
    return services.request_simulation(name="Nights", parameters=SMALL | parameters, by=reader)


def test_a_simulation_is_asked_for_played_and_shown_side_by_side(reader):
    mix = [{"priority": "stat", "location": "er", "share": 1}, {"priority": "routine", "location": "icu"}]
    simulation = ask(reader, arrivals_per_hour=4.5, classes=mix)
    assert simulation.state == SimulationState.WAITING
    assert AuditEvent.objects.latest("pk").detail == {"what": "simulation", "simulation": simulation.pk}
    playing.play(simulation_id=simulation.pk)
    simulation.refresh_from_db()
    assert (simulation.state, simulation.progress, simulation.attempts) == ("done", 1.0, 1)
    result = simulation.result
    assert result["arrivals_per_hour"] == pytest.approx(4.5)
    assert [one["name"] for one in result["orderings"]] == ["fifo", "order", "strict", "firstread"]
    for ordering in result["orderings"]:
        assert set(ordering["classes"]) == {"stat/er", "routine/icu"}
        waiting = [one["value"] for one in ordering["groups"]["all"]["waiting"]]
        assert len(waiting) == len(result["minutes"]) == playing.CURVE_POINTS
        assert waiting == sorted(waiting, reverse=True)
    frontier = {point["name"]: point for point in result["frontier"]}
    assert set(frontier) >= {"head-start-30", "head-start-480", "strict", "firstread"}
    sooner, latest = frontier["head-start-480"], frontier["head-start-30"]
    assert sooner["diseased_mean_change"]["value"] < latest["diseased_mean_change"]["value"] < 0


def test_playing_it_twice_changes_nothing(reader):
    simulation = ask(reader)
    playing.play(simulation_id=simulation.pk)
    before = Simulation.objects.get()
    playing.play(simulation_id=simulation.pk)
    after = Simulation.objects.get()
    assert (after.finished_at, after.attempts) == (before.finished_at, before.attempts)


def test_nobody_takes_a_simulation_that_somebody_plays_until_that_ones_lease_ran_out(reader, monkeypatch):
    simulation = ask(reader)
    first = playing._take(simulation.pk)
    playing.play(simulation_id=simulation.pk)
    assert Simulation.objects.get().state == SimulationState.RUNNING
    Simulation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    playing.play(simulation_id=simulation.pk)
    assert Simulation.objects.get().state == SimulationState.DONE
    # The first was only slow: it must not write over the second's result.
    playing.end(first, "fail", error="late")
    assert Simulation.objects.get().state == SimulationState.DONE
    monkeypatch.setattr(playing, "PROGRESS_SECONDS", 0.0)
    with pytest.raises(playing._Superseded):
        playing._compare(first)


def test_progress_is_told_and_keeps_the_lease(reader, monkeypatch):
    monkeypatch.setattr(playing, "PROGRESS_SECONDS", 0.0)
    simulation = playing._take(ask(reader).pk)
    Simulation.objects.update(lease_until=timezone.now())
    playing._compare(simulation)
    simulation.refresh_from_db()
    assert simulation.progress == 1.0
    assert simulation.lease_until > timezone.now() + timedelta(seconds=30)


def test_the_sweep_wakes_what_was_forgotten_and_gives_up_what_kills_its_workers(
    reader, monkeypatch, django_capture_on_commit_callbacks
):
    sent: list[int] = []
    monkeypatch.setattr("worklist.simulation.tasks.play.apply_async", lambda args: sent.extend(args))
    with django_capture_on_commit_callbacks(execute=True):
        fresh, forgotten, died, deadly = (ask_of(reader, number) for number in range(4))
    long_ago = timezone.now() - timedelta(minutes=10)
    Simulation.objects.filter(pk=forgotten.pk).update(created_at=long_ago)
    Simulation.objects.filter(pk=died.pk).update(state="running", attempts=1, lease_until=long_ago)
    Simulation.objects.filter(pk=deadly.pk).update(state="running", attempts=3, lease_until=long_ago)
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert services.wake_waiting() == 2
    assert sent == [forgotten.pk, died.pk]
    deadly.refresh_from_db()
    assert (deadly.state, fresh.state) == ("failed", "waiting")
    assert "fewer studies" in deadly.error


def ask_of(reader, number):
    Simulation.objects.filter(state="waiting").update(requested_by=None)
    return ask(reader, seed=number)


def test_a_person_has_a_few_unfinished_at_most(reader, make_user):
    for _ in range(services.MOST_UNFINISHED):
        ask(reader)
    with pytest.raises(services.TooMany, match="Wait for one"):
        ask(reader)
    ask(make_user("radiologist"))


@pytest.mark.parametrize("wrong", [{"load": 1.5}, {"studies": 100_000, "replications": 6}, {"readers": 0}])
def test_what_cannot_be_is_refused_and_not_written(reader, wrong):
    with pytest.raises(ValueError):
        ask(reader, **wrong)
    assert not Simulation.objects.exists()


def test_a_document_of_parameters_is_read_back_as_it_was():
    assert as_document(parameters_of(defaults())) == defaults()
    said = {"arrivals_per_hour": 3.0, "read_shape": "lognormal", "seed": 9}
    document = as_document(parameters_of(said))
    assert document["load"] is None
    assert as_document(parameters_of(document)) == document
