"""How great should a flag's head start be? `python -m benchmarks.simulation`, about two minutes of one core.

One routine class, one reader, 10-minute exponential reads, prevalence 0.1, sensitivity and specificity 0.95:
for each head start and load, the change of the diseased patients' mean wait and of the unflagged's 99.9th
percentile against first in, first out on the same studies, beside strict priority. Seed 1.

    python -m benchmarks.simulation --limited [--replications 40] [--studies 100000]

the same for flags that go first within a limit for everybody else (worklist/simulation/limits.py), about ten minutes.
"""

from __future__ import annotations

import argparse

from worklist.queue.priority import LOCATIONS, PRIORITIES, Policy
from worklist.simulation.comparing import OrderingResult, compare
from worklist.simulation.department import Department, StudyClass
from worklist.simulation.limits import Limit
from worklist.simulation.orderings import FIFO, FIRSTREAD, STRICT, limited

HEAD_STARTS = (110, 170, 180, 200, 240, 300, 360, 470)
FINDING_MINUTES = 10
LIMITS = (Limit(), Limit(head_start_minutes=0), Limit(base_minutes=190, usual_times=3))


def policy(head_start: float) -> Policy:
    """Every order's target is the same, so that a flag brings a study forward by `head_start` minutes."""
    target = head_start + FINDING_MINUTES
    return Policy(
        version=f"head start {head_start} min",
        target_minutes={p: dict.fromkeys(LOCATIONS, target) for p in PRIORITIES},
        maximum_wait_minutes=dict.fromkeys(PRIORITIES, 1440),
        finding_minutes={"critical": FINDING_MINUTES},
    )


def line(name: str, load: float, result: OrderingResult) -> str:
    change = result.groups["diseased"].mean_change
    far = result.groups["unflagged"].p999_change
    assert change is not None and far is not None and change.low is not None and change.high is not None
    interval = f"[{change.low:+.1%}, {change.high:+.1%}]"
    return f"{load:4.1f}  {name:<18}{change.value:+7.1%}  {interval:<18}{far:+7.1%}"


def limits(replications: int, studies: int) -> None:
    """Print what limits do."""
    for load in (0.8, 0.9):
        department = Department(load=load, classes=(StudyClass("routine", "inpatient"),))
        for limit in LIMITS:
            result = compare(
                department,
                studies=studies,
                replications=replications,
                seed=1,
                orderings=(FIFO, limited(limit)),
            )
            name = f"{limit.base_minutes:g}+{limit.usual_times:g}x, {limit.head_start_minutes:g}"
            print(line(name, load, result.orderings[1]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limited", action="store_true")
    parser.add_argument("--replications", type=int, default=40)
    parser.add_argument("--studies", type=int, default=100_000)
    options = parser.parse_args()
    print("load  order             diseased, mean  [95 %]   unflagged, p99.9")
    if options.limited:
        limits(options.replications, options.studies)
        return
    for load in (0.8, 0.9):
        for head_start in HEAD_STARTS:
            department = Department(
                load=load, policy=policy(head_start), classes=(StudyClass("routine", "inpatient"),)
            )
            wanted = (FIFO, FIRSTREAD) if head_start != HEAD_STARTS[-1] else (FIFO, FIRSTREAD, STRICT)
            result = compare(department, studies=50_000, replications=10, seed=1, orderings=wanted)
            for ordering in result.orderings[1:]:
                name = f"{head_start} min" if ordering.name == "firstread" else "strict"
                print(line(name, load, ordering), flush=True)


if __name__ == "__main__":
    main()
