"""What a release brings beside the main demonstration is registered once, in the state that it is meant for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.conf import settings

from triage import shipped
from triage.models import ModelVersion

pytestmark = pytest.mark.django_db
SHIPPED_IN = Path(settings.BASE_DIR) / "models"


def test_bundles_without_weights_are_left_alone(bundles: Path) -> None:
    (bundles / "cxr_demo" / "configs").mkdir(parents=True)
    assert shipped.ensure_beside() == [] and not ModelVersion.objects.exists()


def test_demonstrations_are_registered_once_and_keep_the_state_that_people_gave_them(bundles: Path) -> None:
    present = [n for n in shipped.BESIDE if (SHIPPED_IN / n / "models" / "model.pt").is_file()]
    assert present
    for name in present:
        shutil.copytree(SHIPPED_IN / name, bundles / name)
    first = shipped.ensure_beside()
    assert {m.name: m.state for m in first} == {name: shipped.BESIDE[name] for name in present}
    ModelVersion.objects.update(state="retired")
    assert [m.pk for m in shipped.ensure_beside()] == [m.pk for m in first]
    assert set(ModelVersion.objects.values_list("state", flat=True)) == {"retired"}
