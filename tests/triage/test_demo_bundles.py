"""The demonstration bundles of other kinds, as they ship: from DICOM files to findings and an SR."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from django.conf import settings

from pacs.models import Study
from pacs.synthetic.chest_studies import make_chest_study
from pacs.synthetic.lesions import LESION_KINDS
from tests.triage.test_kinds import carried_out, derived, groups
from triage.bundles import read_bundle, static_faults, targets
from triage.inference.training.fit import build
from triage.models import Finding
from triage.routing import check_conditions
from triage.targets import target_faults

SHIPPED_IN = Path(settings.BASE_DIR) / "models"
Stored = Callable[..., Study]


@pytest.mark.django_db(transaction=True)
def test_a_large_effusion_on_a_synthetic_radiograph_is_a_finding_with_its_key_image(stored: Stored) -> None:
    made = make_chest_study(21, "effusion", size=0.9, side="left", lateral=True, matrix=256)
    run = carried_out(SHIPPED_IN / "cxr_demo", stored(made.datasets))
    (effusion,) = run.findings.all()
    assert (effusion.name, effusion.presence) == ("pleural-effusion", Finding.Presence.PRESENT)
    assert effusion.key_sop_instance_uid == str(made.datasets[0].SOPInstanceUID)
    assert effusion.criticality == "urgent"
    assert effusion.probability_method == "logistic on the network's logit (Platt)"
    (report,) = (document for document in derived(run.study) if document.Modality == "SR")
    assert groups(report) == {"Pleural effusion": "Present"}


@pytest.mark.parametrize("name", ["cxr_demo"])
def test_demonstrations_pass_the_check_before_registration_and_their_weights_are_those_of_the_card(
    name: str,
) -> None:
    files = read_bundle(SHIPPED_IN / name)
    pinned = (SHIPPED_IN / name / "large_files.yml").read_text(encoding="utf-8")
    assert files.fingerprint.weights_sha256 in pinned
    card = (SHIPPED_IN / name / "docs" / "README.md").read_text(encoding="utf-8")
    assert "Not a medical device" in card and f"version {files.version}" in card
    assert (SHIPPED_IN / name / "models" / "model.pt").stat().st_size < 5_000_000


def test_the_subtype_bundle_describes_a_network_with_an_output_for_each_kind() -> None:
    folder = SHIPPED_IN / "ich_subtype_demo"
    assert static_faults(folder) == []
    config = json.loads((folder / "configs" / "firstread.json").read_text(encoding="utf-8"))
    assert target_faults(config) == [] and check_conditions(config["routing"]) == []
    assert [target.subtype for target in targets(config)] == list(LESION_KINDS)
    network, preprocessing = build(folder)
    volume = torch.zeros(1, 32, 72, 80)
    with torch.inference_mode():
        answer = network.eval()(torch.as_tensor(preprocessing(volume))[None])
    assert answer.shape == (1, len(LESION_KINDS))
