"""One list, its readers and the studies of a draw, as discrete events (SimPy)."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from worklist.simulation.department import Department, Studies
from worklist.simulation.limits import Limit, last_kept
from worklist.simulation.orderings import Ordering


def play(department: Department, studies: Studies, ordering: Ordering) -> NDArray[np.float64]:
    """Minutes from arrival to the start of reading, shape (N,).

    A free reader takes the first of the list and reads it to its end: nothing is interrupted. The list
    empties after the last arrival, so every study is read. No `simpy.PriorityResource`: a request there
    keeps its place, and here the AI's answer moves a study that already waits.
    """
    env = simpy.Environment()
    arrived: list[float] = studies.arrived.tolist()
    reading: list[float] = studies.reading.tolist()
    flagged: list[bool] = studies.flagged.tolist()
    kinds = [department.classes[n] for n in studies.kind]
    delay = department.ai_delay_minutes
    started: list[float | None] = [None] * len(studies)
    waiting: list[tuple[Any, int]] = []
    idle: list[simpy.Event] = []
    told: set[int] = set()
    limit, pace = ordering.limit, department.read_minutes / department.readers
    usual, begun = 0.0, 0

    def enter(study: int, known: float | None) -> None:
        place = ordering.place(department, kinds[study], arrived[study], known)
        if known is not None and limit is not None:
            place = within(limit, study, place)
            told.add(study)
        heapq.heappush(waiting, (place, study))
        if idle:
            idle.pop().succeed()

    def within(limit: Limit, flagged_one: int, place: tuple[bool, float, float]) -> tuple[bool, float, float]:
        # A study that was told of later stands in the heap twice; its first place is the one that counts.
        places: dict[int, tuple[bool, float, float]] = {}
        for stands, other in sorted(waiting):
            if started[other] is None and other != flagged_one:
                places.setdefault(other, stands)
        ahead = list(places)
        waited = [None if other in told else env.now - arrived[other] for other in ahead]
        kept = last_kept(waited, limit_minutes=limit.minutes(usual), pace_minutes=pace)
        if kept is None:
            return place
        own = arrived[flagged_one]
        first, at, _ = places[ahead[kept]]
        return first, min(at, own - limit.head_start_minutes) if first else at, own

    def answer(event: simpy.Event) -> None:
        # Its former place stays in the heap; whoever comes upon it there skips it as started.
        assert event.value is not None
        study = int(event.value)
        if started[study] is None:
            enter(study, arrived[study] + delay)

    def arrivals() -> Generator[simpy.Event, Any, None]:
        for study, at in enumerate(arrived):
            yield env.timeout(max(0.0, at - env.now))
            enter(study, at if flagged[study] and delay == 0 else None)
            if flagged[study] and delay > 0:
                known = env.timeout(delay, value=study)
                assert known.callbacks is not None
                known.callbacks.append(answer)

    def reader() -> Generator[simpy.Event, Any, None]:
        nonlocal usual, begun
        while True:
            while waiting:
                _, study = heapq.heappop(waiting)
                if started[study] is None:
                    started[study] = env.now
                    if limit is not None:
                        begun += 1
                        usual = limit.remember(usual, begun, env.now - arrived[study])
                    yield env.timeout(reading[study])
            free = env.event()
            idle.append(free)
            yield free

    for _ in range(department.readers):
        env.process(reader())
    env.process(arrivals())
    env.run()
    return np.maximum(np.array(started, dtype=np.float64) - studies.arrived, 0.0)
