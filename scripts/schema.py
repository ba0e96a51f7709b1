"""`python -m scripts.schema [--check]`: the OpenAPI document, and the front end's types of API and WebSocket."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import environment, live_types

SCHEMA = environment.FRONTEND / "schema.yml"
TYPES = environment.FRONTEND / "src" / "api" / "schema.d.ts"


def main() -> int:
    """Write the files, or with --check compare them with what the code says now."""
    check = "--check" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        schema, types = Path(folder) / "schema.yml", Path(folder) / "schema.d.ts"
        subprocess.run(
            [
                sys.executable,
                "manage.py",
                "spectacular",
                "--fail-on-warn",
                "--validate",
                "--file",
                str(schema),
            ],
            cwd=environment.PROJECT,
            check=True,
        )
        generator = environment.FRONTEND / "node_modules" / ".bin" / "openapi-typescript"
        subprocess.run(
            [str(generator), str(schema), "--output", str(types)],
            cwd=environment.FRONTEND,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **environment.node_environment()},
        )
        live = Path(folder) / "messages.ts"
        live.write_text(live_types.text())
        pairs = ((schema, SCHEMA), (types, TYPES), (live, live_types.TYPES))
        if not check:
            for made, kept in pairs:
                kept.write_text(made.read_text())
            return 0
        stale = [
            kept.relative_to(environment.PROJECT)
            for made, kept in pairs
            if not kept.exists() or kept.read_text() != made.read_text()
        ]
    for path in stale:
        print(
            f"{path} is not what the server says now. Run: .venv/bin/python -m scripts.schema",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
