"""`/api/simulations/`: asked for, listed, read; with figures of the site's own."""

from __future__ import annotations

import pytest

from worklist.simulation import playing
from worklist.simulation.models import Simulation

pytestmark = pytest.mark.django_db
SMALL = {"studies": 200, "replications": 2}


def test_a_simulation_is_asked_for_and_read_when_it_is_done(reader, other, django_assert_max_num_queries):
    asked = reader.post("/api/simulations/", {"name": "Nights", "parameters": SMALL}, status=201)
    assert (asked["state"], asked["result"], asked["mine"]) == ("waiting", None, True)
    assert asked["parameters"]["load"] == 0.8
    playing.play(simulation_id=int(asked["id"]))
    done = other.get(f"/api/simulations/{asked['id']}/")
    assert (done["state"], done["mine"], done["requested_by"]["username"]) == ("done", False, "anna")
    fifo, *_, firstread = done["result"]["orderings"]
    change = firstread["groups"]["diseased"]["mean_change"]
    assert fifo["groups"]["diseased"]["mean_change"] is None
    assert change["low"] < change["value"] < change["high"] < 0
    reader.post("/api/simulations/", {"parameters": SMALL}, status=201)
    with django_assert_max_num_queries(6):
        listed = other.get("/api/simulations/")["results"]
    assert [one["name"] for one in listed] == ["", "Nights"]
    assert "result" not in listed[0]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"load": 0.9, "arrivals_per_hour": 2}, "either the load or the arrivals"),
        ({"arrivals_per_hour": 60}, "must lie above 0 and below 1"),
        ({"studies": 100_000, "replications": 50}, "Ask for fewer"),
        ({"classes": []}, "class"),
        ({"prevalence": 1.2}, "Correct the fields"),
        ({"classes": [{"priority": "soon", "location": "er", "share": 1}]}, "Correct the fields"),
    ],
)
def test_a_department_that_cannot_be_is_refused_with_what_would_do(reader, parameters, said):
    problem = reader.post("/api/simulations/", {"parameters": parameters}, status=400)
    assert said in problem["detail"]
    assert not Simulation.objects.exists()


def test_too_many_at_once_are_refused(reader):
    for _ in range(3):
        reader.post("/api/simulations/", {"parameters": SMALL}, status=201)
    assert "Wait for one" in reader.post("/api/simulations/", {"parameters": SMALL}, status=409)["detail"]


def test_one_begins_with_synthetic_figures_or_with_the_sites_own(reader):
    synthetic = reader.get("/api/simulations/defaults/")
    assert synthetic["notes"] == []
    own = reader.get("/api/simulations/defaults/", from_log="true")
    assert own["parameters"] == synthetic["parameters"]
    assert "too few" in own["notes"][0]
    reader.post("/api/simulations/", {"parameters": own["parameters"]}, status=201)
