"""Weights come by hash or not at all; what came whole is a draft like every other bundle."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.triage.making import make_bright_bundle
from triage import fetching
from triage.bundles import BundleRefused, read_bundle
from triage.models import ModelDecision, ModelState, ModelVersion

pytestmark = pytest.mark.django_db
BLAST_CT = Path(project_settings.BASE_DIR) / "models" / "blast_ct"


@pytest.fixture
def shipped(bundles: Path, tmp_path: Path) -> Path:
    """A bundle whose weights lie elsewhere; returns that folder."""
    bundle = make_bright_bundle(bundles)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    weights = elsewhere / "weights_1.pt"
    shutil.move(bundle / "models" / "model.pt", weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (bundle / "large_files.yml").write_text(
        "large_files:\n  - path: models/model.pt\n    url: https://127.0.0.1:1/x/weights_1.pt\n"
        f"    hash_type: sha256\n    hash_val: {digest}\n"
    )
    return elsewhere


def test_fetched_weights_make_a_draft_that_says_where_they_are_from(shipped: Path) -> None:
    call_command("models", "fetch", "bright", "--from", str(shipped), verbosity=0)
    model = ModelVersion.objects.get(name="bright")
    assert model.state == ModelState.DRAFT
    assert model.source == "https://127.0.0.1:1/x/weights_1.pt"
    assert model.decisions.get().action == ModelDecision.Action.REGISTERED


def test_another_file_of_that_name_is_refused_and_nothing_is_kept(shipped: Path, settings: Any) -> None:
    (shipped / "weights_1.pt").write_bytes(b"something else")
    with pytest.raises(CommandError, match="SHA-256"):
        call_command("models", "fetch", "bright", "--from", str(shipped))
    assert not ModelVersion.objects.filter(name="bright").exists()
    assert not Path(settings.ADDED_BUNDLES_DIR).exists()


def test_a_folder_without_the_file_says_what_to_put_there(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"weights_1\.pt"):
        fetching.fetch_bundle(name="bright", folder=tmp_path)


def test_without_a_way_to_the_address_the_offline_way_is_named(shipped: Path) -> None:
    with pytest.raises(BundleRefused, match="--from FOLDER"):
        fetching.fetch_bundle(name="bright")


def test_a_name_that_leads_elsewhere_or_needs_nothing_is_refused(shipped: Path, bundles: Path) -> None:
    for name in ("../bright", "nobody"):
        with pytest.raises(BundleRefused):
            fetching.fetch_bundle(name=name)


def test_a_list_that_writes_outside_the_bundle_is_refused(shipped: Path, bundles: Path) -> None:
    file = bundles / "bright" / "large_files.yml"
    file.write_text(file.read_text().replace("models/model.pt", "../model.pt"))
    with pytest.raises(BundleRefused, match="outside"):
        fetching.fetch_bundle(name="bright", folder=shipped)


def test_blast_ct_is_shipped_without_weights_and_names_where_they_are() -> None:
    (file,) = fetching.large_files(BLAST_CT)
    assert file.url.startswith("https://raw.githubusercontent.com/biomedia-mira/blast-ct/96666a1f")
    assert not (BLAST_CT / "models").exists() or not list((BLAST_CT / "models").iterdir())


@pytest.mark.needs_shared_data
def test_blast_ct_with_the_published_weights_passes_the_static_check(
    shared_data: Path, bundles: Path, tmp_path: Path
) -> None:
    shutil.copytree(BLAST_CT, bundles / "blast_ct")
    model = fetching.fetch_bundle(name="blast_ct", folder=shared_data / "blast_ct_v1")
    assert model.weights_sha256 == "95f76e8b16fe42b6aa49388cb798e282c55cd70191544f4417445bb87803f99f"
    assert model.config["second_opinion_to"] == "ich_demo"
    assert read_bundle(Path(project_settings.ADDED_BUNDLES_DIR) / model.bundle.removeprefix("added/"))
