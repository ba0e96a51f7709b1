"""The guide "bring your model" works word by word, on a bundle that MONAI's own tool has just made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from foundation.accounts.models import Role
from foundation.accounts.services import create_user
from pacs.models import Study
from tests.triage.conftest import ball_series
from triage import planning, tasks
from triage.models import ModelState, ModelVersion, RunState
from triage.selectors import findings_of

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "bring-your-model.md"
FILE = re.compile(r"<!-- file: (?P<path>\S+) -->\n```json\n(?P<content>.*?)```", re.DOTALL)
PROGRAM = re.compile(r"<!-- run -->\n```python\n(?P<content>.*?)```", re.DOTALL)


def run(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db(transaction=True)
def test_a_fresh_bundle_of_monais_own_tool_runs_after_what_the_guide_says(
    tmp_path: Path, bundles: Path, stored: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    (command,) = re.findall(r"^python (-m monai\.bundle init_bundle \S+)$", guide, re.MULTILINE)
    run(tmp_path, *command.split())
    files = list(FILE.finditer(guide))
    assert [f["path"] for f in files] == [
        "my_model/configs/inference.json",
        "my_model/configs/firstread.json",
    ]
    for file in files:
        (tmp_path / file["path"]).write_text(file["content"], encoding="utf-8")
    (program,) = PROGRAM.finditer(guide)
    monkeypatch.chdir(tmp_path)
    exec(compile(program["content"], "guide", "exec"), {})

    for role in ("one", "two"):
        create_user(username=role, password=None, roles=[Role.PACS_ADMINISTRATOR], display_name=role)
    said = StringIO()
    call_command("models", "fingerprint", str(tmp_path / "my_model"), stdout=said)
    call_command(
        "models", "add", str(tmp_path / "my_model"), "--sha256", said.getvalue().strip(), stdout=said
    )
    model = ModelVersion.objects.get(name="my_model")
    assert (model.state, model.kind, model.version) == (ModelState.DRAFT, "segmentation", "0.0.1")
    why = ["--as", "one", "--reason", "trial"]
    call_command("models", "set-state", "my_model", "0.0.1", "shadow", *why, stdout=said)

    study = stored(ball_series())
    (made,) = planning.plan_runs(study_id=study.pk)
    tasks.run(made.pk)
    made.refresh_from_db()
    assert (made.state, made.reason, made.model_state) == (RunState.DONE, "", "shadow")
    (finding,) = findings_of(study, live_only=False)
    assert (finding.meaning, finding.name) == ("Intracranial hemorrhage", "intracranial-hemorrhage")
    assert finding.probability_method and finding.rank_threshold == 0.5
    assert not findings_of(study).exists()
