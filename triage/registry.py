"""Which bundles may run, and in what state: registered by an administrator, pinned by SHA-256."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction

from foundation.accounts.models import User
from foundation.audit import services as audit
from triage.bundles import BundleRefused, Fingerprint, read_bundle, targets
from triage.models import ModelKind, ModelState, ModelVersion, RoutingRule
from triage.routing import check_conditions
from triage.states import MODEL, MODEL_EVENTS

SHIPPED = "ich_demo"


def register_bundle(*, path: Path, state: str = ModelState.SHADOW, by: User | None = None) -> ModelVersion:
    """Register a bundle's folder; the same files again give the same row, whose state is left alone.

    Nothing in the bundle is run. Its routing becomes the model's first rule.

    Args:
        path: the bundle's folder; must lie in the bundles folder.
        state: draft, shadow or live, for a new row.
        by: who answers for it; None for the system.

    Raises:
        BundleRefused: not a bundle, not allowed, or the version is registered with other files.
    """
    if state not in (ModelState.DRAFT, ModelState.SHADOW, ModelState.LIVE):
        raise BundleRefused(f"a model cannot be registered as {state}")
    files = read_bundle(path.resolve())
    if faults := check_conditions(files.config["routing"]):
        raise BundleRefused(f"{files.name}: routing: " + "; ".join(faults))
    first = targets(files.config)[0]
    with transaction.atomic():
        model, created = ModelVersion.objects.get_or_create(
            name=files.name,
            version=files.version,
            defaults={
                "bundle": _relative(files.path),
                "weights_sha256": files.fingerprint.weights_sha256,
                "configs_sha256": files.fingerprint.configs_sha256,
                "state": state,
                "intended_use": files.intended_use,
                "finding_code": first.code,
                "finding_scheme": first.scheme,
                "finding_meaning": first.meaning,
                "criticality": first.criticality,
                "rank_threshold": first.rank_threshold,
                "alert_threshold": first.alert_threshold,
                "config": files.config,
                "kind": files.config.get("kind", ModelKind.SEGMENTATION),
                "registered_by": by,
            },
        )
        if created:
            RoutingRule.objects.create(
                model=model, name="As the bundle says", conditions=files.config["routing"]
            )
            _audit("C", model, by, {"state": state})
    if pinned(model) != files.fingerprint:
        raise BundleRefused(
            f"{model} is registered with other files: raise the version in configs/metadata.json"
        )
    return model


def set_state(*, model: ModelVersion, state: str, by: User | None = None) -> None:
    """Move a model to shadow, live or retired; nothing happens when it is there already.

    Raises:
        ValueError: not a state to move to.
        LostRace: somebody else moved it meanwhile.
    """
    if state == model.state:
        return
    if state not in MODEL_EVENTS:
        raise ValueError(f"A model can become {', '.join(MODEL_EVENTS)}, not {state}.")
    before = model.state
    with transaction.atomic():
        MODEL.apply(model, MODEL_EVENTS[ModelState(state)])
        _audit("U", model, by, {"before": before, "state": state})


def ensure_shipped() -> ModelVersion:
    """Register the demonstration bundle live unless a version with its files is there.

    A newer version of it takes the place of older live ones; a model that an administrator moved to
    another state stays where it is.
    """
    path = Path(settings.BUNDLES_DIR) / SHIPPED
    files = read_bundle(path)
    known = ModelVersion.objects.filter(name=files.name, version=files.version).first()
    if known is not None and pinned(known) == files.fingerprint:
        return known
    older = list(ModelVersion.objects.filter(name=files.name))
    live = not older or any(model.state == ModelState.LIVE for model in older)
    with transaction.atomic():
        model = register_bundle(path=path, state=ModelState.LIVE if live else ModelState.SHADOW)
        for previous in older:
            if previous.state == ModelState.LIVE:
                set_state(model=previous, state=ModelState.RETIRED)
    return model


def folder_of(model: ModelVersion) -> Path:
    """The bundle's folder."""
    return Path(settings.BUNDLES_DIR) / model.bundle


def pinned(model: ModelVersion) -> Fingerprint:
    """The hashes registered."""
    return Fingerprint(weights_sha256=model.weights_sha256, configs_sha256=model.configs_sha256)


def _relative(path: Path) -> str:
    root = Path(settings.BUNDLES_DIR).resolve()
    if not path.is_relative_to(root) or path == root:
        raise BundleRefused(f"{path.name} must lie in {root}: move it there first")
    return path.relative_to(root).as_posix()


def _audit(action: str, model: ModelVersion, by: User | None, detail: dict[str, str]) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action=action,
        user=by,
        detail={
            "what": "model",
            "model": str(model),
            "weights_sha256": model.weights_sha256,
            "configs_sha256": model.configs_sha256,
            **detail,
        },
    )
