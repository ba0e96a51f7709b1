"""Bundles that do what no model may do: expressions in their configuration, past every check."""

from __future__ import annotations

import json
from pathlib import Path

from tests.triage.making import make_bright_bundle
from triage import registry
from triage.bundles import fingerprint
from triage.models import ModelVersion

TRIES = {
    "connects": "__import__('socket').create_connection(('127.0.0.1', 9))",
    "listens": "__import__('socket').create_server(('127.0.0.1', 0))",
    "asks the container engine": "__import__('socket').socket(1).connect('/var/run/docker.sock')",
    "writes beside": "open('{outside}/written', 'w')",
    "changes its weights": "open('{bundle}/models/model.pt', 'wb')",
    "reads the secret key": "open('{outside}/secret_key').read()",
    "reads the database": "open('{outside}/firstread.sqlite3', 'rb').read()",
    "reads the worker's environment": "open(f\"/proc/{{__import__('os').getppid()}}/environ\", 'rb').read()",
    "forks": "__import__('os').fork()",
    "starts a program": "__import__('subprocess').run(['/bin/sh', '-c', 'true'])",
    "signals the house": "__import__('os').kill(1, 9)",
}  # fmt: skip


def make_hostile_bundle(
    folder: Path, *, name: str = "hostile", runs: str = "None", loads: str = "", **config: object
) -> Path:
    """A bundle that marks the bright, and evaluates `runs` for each input and `loads` when it is loaded."""
    bundle = make_bright_bundle(folder, name=name, **config)  # type: ignore[arg-type]
    file = bundle / "configs" / "inference.json"
    inference = json.loads(file.read_text())
    inference["preprocessing"] = {
        "_target_": "Compose",
        "transforms": [{"_target_": "Lambda", "func": f"$lambda x: ({runs}, x)[1]"}],
    }
    if loads:
        inference["network_def"] = f"$({loads}, __import__('torch').nn.Conv3d(1, 1, 1))[1]"
    file.write_text(json.dumps(inference))
    return bundle


def register_hostile(folder: Path, *, runs: str = "None", **options: object) -> ModelVersion:
    """A hostile bundle that is registered and live, as if every check had been passed."""
    name = str(options.get("name", "hostile"))
    model = registry.register_bundle(path=make_bright_bundle(folder, name=name), state="live")
    found = fingerprint(make_hostile_bundle(folder, runs=runs, **options))  # type: ignore[arg-type]
    model.weights_sha256, model.configs_sha256 = found.weights_sha256, found.configs_sha256
    model.save(update_fields=["weights_sha256", "configs_sha256"])
    return model
