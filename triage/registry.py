"""Which bundles may run, and in what state: pinned by SHA-256, moved by people who say why.

Draft -> shadow -> live -> retired. Two administrators answer for a live model: one approves it while it
runs as shadow, another moves it. The one exception is the demonstration bundle that comes with a release
(`ensure_shipped`); its decision says so. Every step is a ModelDecision and an entry in the audit trail.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import Role, User
from foundation.audit import services as audit
from foundation.transitions import LostRace
from triage import planning, withdrawal
from triage.bundles import BundleFiles, BundleRefused, Fingerprint, read_bundle, targets
from triage.models import ModelDecision, ModelKind, ModelState, ModelVersion, RoutingRule
from triage.routing import check_conditions
from triage.states import MODEL, MODEL_EVENTS

SHIPPED = "ich_demo"
SHIPPED_REASON = (
    "Demonstration bundle shipped with this release: live without a second person, for demonstration only"
)
HOUSE_REASON = "Registered by the house itself"
# First part of ModelVersion.bundle for what lies in ADDED_BUNDLES_DIR.
ADDED = "added"
REASON_LENGTH = 500


class NotPermitted(Exception):
    """The person may not do this; the message says who may."""


class DecisionRefused(ValueError):
    """What was asked makes no sense; the message says why."""


class NotApproved(Exception):
    """Nobody else has approved the model for live since it last moved; the message says what to do."""


def register_bundle(
    *,
    path: Path,
    state: str = ModelState.SHADOW,
    by: User | None = None,
    reason: str = HOUSE_REASON,
    source: str = "",
    request: HttpRequest | None = None,
) -> ModelVersion:
    """Register a bundle's folder; the same files again give the same row, whose state is left alone.

    Nothing in the bundle is run. Its routing becomes the model's first rule. What people add starts as a
    draft (triage/intake.py); another state is for the house's own bundles only, and no command or address
    of the API can ask for it.

    Args:
        path: the bundle's folder, in the bundles folder or in that of added ones.
        state: draft, shadow or live, for a new row.
        by: who answers for it; None for the house, which alone may register other than drafts.
        reason: why, on record.
        source: where the bundle came from.
        request: for the audit trail.

    Raises:
        BundleRefused: not a bundle, not allowed, or the version is registered with other files.
    """
    if state not in (ModelState.DRAFT, ModelState.SHADOW, ModelState.LIVE):
        raise BundleRefused(f"a model cannot be registered as {state}")
    if by is not None and state != ModelState.DRAFT:
        raise BundleRefused("what a person adds starts as a draft")
    files = read_bundle(path.resolve())
    if faults := check_conditions(files.config["routing"]):
        raise BundleRefused(f"{files.name}: routing: " + "; ".join(faults))
    with transaction.atomic():
        model, created = ModelVersion.objects.get_or_create(
            name=files.name,
            version=files.version,
            defaults={
                **_described(files),
                "bundle": _stored(files.path),
                "source": source[:500],
                "state": state,
                "state_changed_at": timezone.now(),
                "registered_by": by,
            },
        )
        if created:
            RoutingRule.objects.create(
                model=model, name="As the bundle says", conditions=files.config["routing"]
            )
            _decide(model, ModelDecision.Action.REGISTERED, by, reason, to_state=state, request=request)
    if pinned(model) != files.fingerprint:
        raise BundleRefused(
            f"{model} is registered with other files: raise the version in configs/metadata.json"
        )
    return model


def approve(
    *, model: ModelVersion, by: User, reason: str, request: HttpRequest | None = None
) -> ModelDecision:
    """Say that a shadow model may go live; somebody else has to move it.

    Raises:
        NotPermitted: not a PACS administrator.
        DecisionRefused: no reason given, not a shadow model, or approved by the same person already.
    """
    require_administrator(by)
    with transaction.atomic():
        model = ModelVersion.objects.select_for_update().get(pk=model.pk)
        if model.state != ModelState.SHADOW:
            raise DecisionRefused(
                f"{model} is {model.state}: only a model that runs as shadow can be approved."
            )
        if any(decision.by_id == by.pk for decision in approvals(model)):
            raise DecisionRefused(
                f"{by.username} has approved {model} already: another person moves it to live."
            )
        return _decide(
            model, ModelDecision.Action.APPROVED, by, reason, from_state=model.state, request=request
        )


def approvals(model: ModelVersion) -> list[ModelDecision]:
    """Approvals that count: made since the model last moved, by people who may still give them."""
    last = model.decisions.exclude(action=ModelDecision.Action.APPROVED).order_by("-pk").first()
    given = model.decisions.filter(action=ModelDecision.Action.APPROVED, pk__gt=last.pk if last else 0)
    return [
        decision
        for decision in given.select_related("by")
        if decision.by is not None and decision.by.has_role(Role.PACS_ADMINISTRATOR)
    ]


def set_state(
    *, model: ModelVersion, state: str, by: User, reason: str, request: HttpRequest | None = None
) -> None:
    """Move a model to shadow, live or retired; nothing happens when it is there already.

    Runs that wait for a model that retires end as not analysed; runs of a model that steps back from live
    are shown to no reader.

    Raises:
        NotPermitted: not a PACS administrator.
        NotApproved: to live, without the approval of somebody else.
        DecisionRefused: not a state to move to, or no reason given.
        IllegalTransition: no such move from where it is.
        LostRace: somebody else moved it meanwhile.
    """
    if state not in MODEL_EVENTS:
        raise DecisionRefused(f"A model can become {', '.join(MODEL_EVENTS)}, not {state}.")
    require_administrator(by)
    if state != model.state:
        _move(model, ModelState(state), by=by, reason=reason, request=request)


def ensure_shipped() -> ModelVersion:
    """Register the demonstration bundle, live at first, unless a version with its files is there.

    A release lays its files over those of the version before, which can run no more: that one retires, whatever
    its state, and studies that wait for it get a run of the new one. The new one is live where the release had
    made the old one live; where people had (two of them approved that version, not this), or it ran as
    shadow, it is a shadow; where they had retired it, a draft. Of a version that is registered, the
    state stays what people made it.
    """
    path = Path(settings.BUNDLES_DIR) / SHIPPED
    files = read_bundle(path)
    known = ModelVersion.objects.filter(name=files.name, version=files.version).first()
    if known is not None and pinned(known) == files.fingerprint:
        return known
    older = list(ModelVersion.objects.filter(name=files.name))
    state = _state_of_next(older)
    with transaction.atomic():
        model = register_bundle(
            path=path,
            state=state,
            reason=SHIPPED_REASON if state == ModelState.LIVE else f"{HOUSE_REASON}: {_why_not_live(state)}",
            source="shipped",
        )
        for previous in older:
            if previous.bundle == model.bundle and previous.state != ModelState.RETIRED:
                waiting = withdrawal.outdate_open_runs(previous, f"{model} took its place")
                _move(previous, ModelState.RETIRED, by=None, reason=f"{model} shipped with this release")
                for study_id in waiting:
                    planning.plan_runs(study_id=study_id)
    return model


def _state_of_next(older: list[ModelVersion]) -> ModelState:
    if not older or any(one.state == ModelState.LIVE and _live_by_shipping(one) for one in older):
        return ModelState.LIVE
    in_use = any(one.state in (ModelState.LIVE, ModelState.SHADOW) for one in older)
    return ModelState.SHADOW if in_use else ModelState.DRAFT


def _live_by_shipping(model: ModelVersion) -> bool:
    """Did a release make it live, and nobody since?"""
    last = model.decisions.filter(to_state=ModelState.LIVE).order_by("-pk").first()
    return last is not None and last.by_id is None


def _why_not_live(state: ModelState) -> str:
    if state == ModelState.SHADOW:
        return "two administrators decide whether this version takes the place of the one before"
    return "the version before was not in use"


def require_administrator(user: User) -> None:
    """Raises NotPermitted unless the person decides about models here."""
    if not user.has_role(Role.PACS_ADMINISTRATOR):
        raise NotPermitted(f"{user.username} is no active PACS administrator: only they decide about models.")


def folder_of(model: ModelVersion) -> Path:
    """The bundle's folder."""
    first, *rest = PurePosixPath(model.bundle).parts
    if first == ADDED and rest:
        return Path(settings.ADDED_BUNDLES_DIR).joinpath(*rest)
    return Path(settings.BUNDLES_DIR) / model.bundle


def pinned(model: ModelVersion) -> Fingerprint:
    """The hashes registered."""
    return Fingerprint(weights_sha256=model.weights_sha256, configs_sha256=model.configs_sha256)


def _described(files: BundleFiles) -> dict[str, object]:
    first = targets(files.config)[0]
    return {
        "weights_sha256": files.fingerprint.weights_sha256,
        "configs_sha256": files.fingerprint.configs_sha256,
        "intended_use": files.intended_use,
        "finding_code": first.code,
        "finding_scheme": first.scheme,
        "finding_meaning": first.meaning,
        "criticality": first.criticality,
        "rank_threshold": first.rank_threshold,
        "alert_threshold": first.alert_threshold,
        "config": files.config,
        "kind": files.config.get("kind", ModelKind.SEGMENTATION),
    }


def _stored(path: Path) -> str:
    """The folder as ModelVersion.bundle keeps it; raises BundleRefused for one that lies elsewhere."""
    for prefix, root in (((), settings.BUNDLES_DIR), ((ADDED,), settings.ADDED_BUNDLES_DIR)):
        whole = Path(root).resolve()
        if path.is_relative_to(whole) and path != whole:
            return PurePosixPath(*prefix, *path.relative_to(whole).parts).as_posix()
    raise BundleRefused(f"{path.name} must lie in {settings.BUNDLES_DIR}: use `models add`")


def _move(
    model: ModelVersion,
    state: ModelState,
    *,
    by: User | None,
    reason: str,
    request: HttpRequest | None = None,
) -> None:
    with transaction.atomic():
        # Locked, so that a run that finishes now sees either what was or what will be.
        held = ModelVersion.objects.select_for_update().get(pk=model.pk)
        if held.state != model.state or held.state_changed_at != model.state_changed_at:
            raise LostRace(f"{model} changed meanwhile and is {held.state} now. Load it again.")
        before = model.state
        MODEL.target(before, MODEL_EVENTS[state])
        if state == ModelState.LIVE:
            _require_approval(held, by)
        MODEL.apply(
            model,
            MODEL_EVENTS[state],
            expected={"state_changed_at": model.state_changed_at},
            state_changed_at=timezone.now(),
        )
        _decide(
            model,
            ModelDecision.Action.MOVED,
            by,
            reason,
            from_state=before,
            to_state=state,
            request=request,
        )
        if state == ModelState.RETIRED:
            withdrawal.end_waiting_runs(model)
        elif before == ModelState.LIVE:
            withdrawal.hide_open_runs(model)


def _require_approval(model: ModelVersion, by: User | None) -> None:
    others = [decision for decision in approvals(model) if by is not None and decision.by_id != by.pk]
    if not others:
        raise NotApproved(
            f"{model} needs the approval of another PACS administrator than the one who moves it to live, "
            "given since it last moved."
        )


def _decide(
    model: ModelVersion,
    action: ModelDecision.Action,
    by: User | None,
    reason: str,
    *,
    from_state: str = "",
    to_state: str = "",
    request: HttpRequest | None = None,
) -> ModelDecision:
    reason = reason.strip()
    if not reason:
        raise DecisionRefused("Say why: the reason stands on record beside the model.")
    if len(reason) > REASON_LENGTH:
        raise DecisionRefused(f"The reason is longer than {REASON_LENGTH} characters.")
    decision = ModelDecision.objects.create(
        model=model, by=by, action=action, from_state=from_state, to_state=to_state, reason=reason
    )
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="C" if action == ModelDecision.Action.REGISTERED else "U",
        user=by,
        request=request,
        detail={
            "what": "model",
            "decision": action.value,
            "model": str(model),
            "weights_sha256": model.weights_sha256,
            "configs_sha256": model.configs_sha256,
            "before": from_state,
            "state": to_state or from_state,
            "reason": reason,
        },
    )
    return decision
