"""The moves of runs and of model versions."""

from foundation.transitions import Machine
from triage.models import ModelState, RunState

RUN = Machine(
    name="triage run",
    table={
        (RunState.WAITING, "take"): RunState.RUNNING,
        # Only after the lease ran out or its holder died: see triage.runs.take.
        (RunState.RUNNING, "take"): RunState.RUNNING,
        (RunState.RUNNING, "finish"): RunState.DONE,
        (RunState.RUNNING, "refuse"): RunState.NOT_ANALYSED,
        (RunState.RUNNING, "put_back"): RunState.WAITING,
        (RunState.RUNNING, "fail"): RunState.FAILED,
        (RunState.WAITING, "fail"): RunState.FAILED,
        # The model was retired before anybody looked.
        (RunState.WAITING, "refuse"): RunState.NOT_ANALYSED,
        (RunState.FAILED, "retry"): RunState.WAITING,
        (RunState.NOT_ANALYSED, "retry"): RunState.WAITING,
        (RunState.WAITING, "outdate"): RunState.STALE,
        (RunState.RUNNING, "outdate"): RunState.STALE,
        (RunState.DONE, "outdate"): RunState.STALE,
        (RunState.FAILED, "outdate"): RunState.STALE,
        (RunState.NOT_ANALYSED, "outdate"): RunState.STALE,
        # The same input is chosen again: a result that exists holds, otherwise it is asked for.
        (RunState.STALE, "reinstate"): RunState.DONE,
        (RunState.STALE, "revive"): RunState.WAITING,
    },
)

# Draft -> shadow -> live -> retired. A live model can step back; a retired one comes back as shadow, and what
# was approved before does not count any more.
MODEL = Machine(
    name="model",
    table={
        (ModelState.DRAFT, "shadow"): ModelState.SHADOW,
        (ModelState.LIVE, "shadow"): ModelState.SHADOW,
        (ModelState.RETIRED, "shadow"): ModelState.SHADOW,
        (ModelState.SHADOW, "go_live"): ModelState.LIVE,
        (ModelState.DRAFT, "retire"): ModelState.RETIRED,
        (ModelState.SHADOW, "retire"): ModelState.RETIRED,
        (ModelState.LIVE, "retire"): ModelState.RETIRED,
    },
)
MODEL_EVENTS = {
    ModelState.SHADOW: "shadow",
    ModelState.LIVE: "go_live",
    ModelState.RETIRED: "retire",
}
