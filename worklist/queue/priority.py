"""When a study must be read, and why: a pure function over plain values.

The list is ordered by deadline, ties by arrival. A deadline is an absolute time, fixed by the order
and the arrival; AI may bring it forward, never push it back:

    base = arrived + min(target of priority and location, maximum wait of the priority class)
    base = min(base, raised + min(target of the class raised to, its maximum wait))   where a reader raised it
    due  = min(base, known + minutes of the finding's criticality)      known = when the finding was known
    due  = min(due, arrived + minutes of the patient's age)             where the policy names that age

So three things hold for any input (proven for arbitrary policies in tests/worklist/queue):

1. Only promoted: due <= base, because of the outer min; and raising never makes base later.
2. Bounded: a promotion made known at time t, by a model or a reader, gets a deadline after t, and so
   does every study that arrives at t. From its own deadline on, nothing new gets ahead of a study,
   neither an arrival nor a promotion; and that deadline lies at most its class's maximum wait after
   its arrival.
3. Monotone: a more urgent order, a more critical or an earlier finding never gives a later deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

PRIORITIES = ("stat", "asap", "routine")
"""Most urgent first."""
LOCATIONS = ("er", "icu", "inpatient", "outpatient")
CRITICALITIES = ("critical", "urgent", "normal")
"""Most critical first."""

PRIORITY_WORDS = {"stat": "STAT", "asap": "ASAP", "routine": "Routine"}
_LOCATION_WORDS = {"er": "ER", "icu": "ICU", "inpatient": "inpatient", "outpatient": "outpatient"}


def _default_targets() -> dict[str, dict[str, float]]:
    return {
        "stat": {"er": 30, "icu": 30, "inpatient": 45, "outpatient": 60},
        "asap": {"er": 60, "icu": 90, "inpatient": 120, "outpatient": 180},
        "routine": {"er": 120, "icu": 180, "inpatient": 480, "outpatient": 1440},
    }


@dataclass(frozen=True)
class AgeBound:
    """Patients from `from_years` (included) to `below_years` (excluded) are due within `minutes` of arrival."""

    from_years: float
    below_years: float
    minutes: float


@dataclass(frozen=True)
class Policy:
    """Service levels in minutes. A changed policy is a new version.

    Attributes:
        version: stands in the history beside every deadline it made.
        target_minutes: priority class -> location class -> minutes from arrival to reading.
        minutes_without_order: the target while no order is known; short enough to be safe.
        maximum_wait_minutes: priority class -> longest wait that may ever be asked of a study.
        finding_minutes: criticality -> minutes from knowing the finding to reading; a criticality that
            is not named promotes nothing.
        ages: bounds for ages of patients; like findings they only promote. None in the shipped policy.
    """

    version: str = "2026-1"
    target_minutes: Mapping[str, Mapping[str, float]] = field(default_factory=_default_targets)
    minutes_without_order: float = 240
    maximum_wait_minutes: Mapping[str, float] = field(
        default_factory=lambda: {"stat": 60, "asap": 240, "routine": 1440}
    )
    finding_minutes: Mapping[str, float] = field(default_factory=lambda: {"critical": 10, "urgent": 60})
    ages: tuple[AgeBound, ...] = ()

    def __post_init__(self) -> None:
        for location in LOCATIONS:
            minutes = [self.target_minutes[priority][location] for priority in PRIORITIES]
            if minutes != sorted(minutes) or minutes[0] <= 0:
                raise ValueError(f"Targets for {location} must be positive and grow from STAT to routine.")
        waits = [self.maximum_wait_minutes[priority] for priority in PRIORITIES]
        if waits != sorted(waits) or waits[0] <= 0:
            raise ValueError("Maximum waits must be positive and grow from STAT to routine.")
        named = [self.finding_minutes[c] for c in CRITICALITIES if c in self.finding_minutes]
        if named != sorted(named) or any(minutes <= 0 for minutes in named):
            raise ValueError("Minutes of findings must be positive and grow from critical to normal.")
        if self.minutes_without_order <= 0:
            raise ValueError("Minutes without an order must be positive.")
        if any(not 0 <= age.from_years < age.below_years or age.minutes <= 0 for age in self.ages):
            raise ValueError("Ages must grow from 0 years, and their minutes be positive.")


DEFAULT_POLICY = Policy()


@dataclass(frozen=True)
class OrderUrgency:
    """What the requester says: `priority` of PRIORITIES, `location` of LOCATIONS."""

    priority: str
    location: str


@dataclass(frozen=True)
class Raised:
    """A reader's word that the study is more urgent than its order says: `to` of PRIORITIES, from `at` on."""

    to: str
    at: datetime
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class AiFinding:
    """A finding of a live model, at or above that model's rank threshold.

    Attributes:
        meaning: in words, e.g. "Intracranial hemorrhage".
        criticality: of CRITICALITIES.
        probability: calibrated, 0 to 1.
        known_at: when the model first said so for this study.
        volume_ml: size, where the model measures one.
        model: name and version.
        against_prior: what the prior says of it, in words: "known since 20 Nov 2026, not grown". It changes
            no minute: a known finding is promoted like any other.
    """

    meaning: str
    criticality: str
    probability: float
    known_at: datetime
    volume_ml: float | None = None
    model: str = ""
    against_prior: str = ""


class Reason(TypedDict):
    """One reason for a rank: a stable code, words, and the minutes it is about."""

    code: str
    text: str
    minutes: int | None


@dataclass(frozen=True)
class Rank:
    """The answer: deadlines with and without AI, and the reasons in words."""

    due: datetime
    due_without_ai: datetime
    reasons: tuple[Reason, ...]


def rank(
    *,
    arrived_at: datetime,
    order: OrderUrgency | None,
    findings: Iterable[AiFinding] = (),
    age_years: float | None = None,
    policy: Policy = DEFAULT_POLICY,
    raised: Raised | None = None,
) -> Rank:
    """The deadline of a study that arrived at `arrived_at`.

    Args:
        arrived_at: when its first instance was stored.
        order: priority and location, or None while no order is known.
        findings: those of live models at or above their rank threshold.
        age_years: the patient's age at the time of the study; None when nobody knows.
        policy: minutes.
        raised: what a reader said of its urgency. Its minutes count from that moment, so that a study
            raised late stands behind whatever is overdue already.
    """
    minutes, reason = _target(order, policy)
    base = arrived_at + timedelta(minutes=minutes)
    reasons = [reason]
    if raised is not None:
        base, reason = _raise(raised, base, arrived_at, order, policy)
        reasons.append(reason)
    due = base
    for age in policy.ages:
        by_age = arrived_at + timedelta(minutes=age.minutes)
        if age_years is not None and age.from_years <= age_years < age.below_years and by_age < base:
            reasons.append(_by_age(age, base - by_age))
            due = min(due, by_age)
    for finding in sorted(findings, key=lambda f: (-f.probability, f.meaning)):
        promoted = _promoted(finding, arrived_at, policy)
        if promoted is not None and promoted < base:
            reasons.append(_promotion(finding, base - promoted, policy))
            due = min(due, promoted)
        else:
            text = f"{_flag(finding)}; the deadline stays"
            reasons.append(Reason(code="ai_finding", text=text, minutes=None))
    return Rank(due=due, due_without_ai=base, reasons=tuple(reasons))


def _target(order: OrderUrgency | None, policy: Policy) -> tuple[float, Reason]:
    """Minutes from arrival, and why."""
    if order is None:
        minutes = min(policy.minutes_without_order, policy.maximum_wait_minutes["routine"])
        text = f"No order yet: taken as routine, due within {in_words(minutes)} of arrival"
        return minutes, Reason(code="no_order", text=text, minutes=round(minutes))
    target = policy.target_minutes[order.priority][order.location]
    minutes = min(target, policy.maximum_wait_minutes[order.priority])
    place = _LOCATION_WORDS[order.location]
    text = f"{PRIORITY_WORDS[order.priority]} from {place}, due within {in_words(minutes)} of arrival"
    return minutes, Reason(code="order", text=text, minutes=round(minutes))


def higher(first: str, second: str) -> str:
    """The more urgent of two priority classes; "" counts as none."""
    return min((one for one in (first, second) if one), key=PRIORITIES.index)


def _raise(
    raised: Raised, base: datetime, arrived_at: datetime, order: OrderUrgency | None, policy: Policy
) -> tuple[datetime, Reason]:
    """The deadline of a study that a reader raised, and why; never later than `base`."""
    location = order.location if order else LOCATIONS[-1]
    minutes = min(policy.target_minutes[raised.to][location], policy.maximum_wait_minutes[raised.to])
    due = max(raised.at, arrived_at) + timedelta(minutes=minutes)
    by = f" by {raised.by}" if raised.by else ""
    why = f" ({raised.reason})" if raised.reason else ""
    text = f"Raised to {PRIORITY_WORDS[raised.to]}{by}{why}"
    if due >= base:
        return base, Reason(code="raised", text=f"{text}; the deadline stays", minutes=None)
    sooner = max(1, round((base - due).total_seconds() / 60))
    text = f"{text}, due within {in_words(minutes)} of that ({in_words(sooner)} sooner)"
    return due, Reason(code="raised", text=text, minutes=-sooner)


def _promoted(finding: AiFinding, arrived_at: datetime, policy: Policy) -> datetime | None:
    minutes = policy.finding_minutes.get(finding.criticality)
    if minutes is None:
        return None
    # A clock that was set back between arrival and result must not make a deadline before the arrival.
    return max(finding.known_at, arrived_at) + timedelta(minutes=minutes)


def _flag(finding: AiFinding) -> str:
    size = "" if finding.volume_ml is None else f", {finding.volume_ml:.0f} mL"
    # Two decimals would round a strong answer to certainty.
    probability = "> 0.99" if finding.probability > 0.99 else f"{finding.probability:.2f}"
    prior = f", {finding.against_prior}" if finding.against_prior else ""
    return f"AI: possible {lower_first(finding.meaning)} {probability}{size}{prior}"


def _promotion(finding: AiFinding, sooner: timedelta, policy: Policy) -> Reason:
    within = in_words(policy.finding_minutes[finding.criticality])
    minutes = max(1, round(sooner.total_seconds() / 60))
    text = f"{_flag(finding)}, due within {within} of the result ({in_words(minutes)} sooner)"
    return Reason(code="ai_finding", text=text, minutes=-minutes)


def _by_age(age: AgeBound, sooner: timedelta) -> Reason:
    minutes = max(1, round(sooner.total_seconds() / 60))
    text = (
        f"Patient of {age.from_years:g} to below {age.below_years:g} years, due within "
        f"{in_words(age.minutes)} of arrival ({in_words(minutes)} sooner)"
    )
    return Reason(code="age", text=text, minutes=-minutes)


def in_words(minutes: float) -> str:
    """`45 min`, `2 h`, `2 h 30 min`, `24 h`."""
    whole = round(minutes)
    hours, rest = divmod(whole, 60)
    if hours == 0:
        return f"{whole} min"
    return f"{hours} h" if rest == 0 else f"{hours} h {rest} min"


def lower_first(meaning: str) -> str:
    """A code meaning inside a sentence; an abbreviation keeps its capitals."""
    return meaning if meaning[1:2].isupper() else meaning[:1].lower() + meaning[1:]
