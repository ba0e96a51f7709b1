"""Demonstration bundles that come with a release beside the main one (docs/adr/0015-bundles-of-every-kind.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from django.conf import settings

from triage import registry
from triage.bundles import read_bundle
from triage.models import ModelState, ModelVersion

#: In what state each is registered at first. The second one reads every head once more: a site decides.
BESIDE: Final = {"cxr_demo": ModelState.SHADOW, "ich_subtype_demo": ModelState.DRAFT}
REASON: Final = "Demonstration bundle shipped with this release, trained on synthetic images only"


def ensure_beside() -> list[ModelVersion]:
    """Register what lies in the bundles folder and is not registered yet; states that people chose stay.

    Raises:
        BundleRefused: a bundle is not what it should be, or its version is registered with other files.
    """
    registered = []
    for name, state in BESIDE.items():
        path = Path(settings.BUNDLES_DIR) / name
        if not any((path / "models").glob("model.*")):
            continue  # a checkout without the weights
        files = read_bundle(path)
        known = ModelVersion.objects.filter(name=files.name, version=files.version).first()
        if known is None or registry.pinned(known) != files.fingerprint:
            known = registry.register_bundle(path=path, state=state, reason=REASON, source="shipped")
        registered.append(known)
    return registered
