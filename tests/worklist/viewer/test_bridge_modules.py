"""The bridge's own tests, which run in Node."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts import environment
from tests.conftest import PROJECT


def test_the_modules_of_the_bridge_keep_their_rules() -> None:
    node = shutil.which("node", path=environment.node_environment().get("PATH"))
    if node is None:
        pytest.fail("Node.js is needed for the bridge's tests: ./test brings one.")
    tests = sorted(str(path) for path in (PROJECT / "frontend" / "viewer" / "tests").glob("*.test.js"))
    outcome = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=60)
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr[-2000:]
    assert "# fail 0" in outcome.stdout
