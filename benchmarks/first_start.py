"""How long until somebody sees something: `python3 benchmarks/first_start.py [--skip-fresh]`.

Clones the project into a temporary folder, runs ./run there as a new user would, and prints, beside the
targets: fresh clone to page (with whatever package caches the machine has), second start to page, and the
first AI result on the list after its study's last image.

Standard library only, so that it runs before there is an environment.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TARGETS = {"fresh clone to page": 90.0, "second start to page": 6.0, "last image to AI result": 30.0}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Run:
    """One ./run and what it prints."""

    def __init__(self, folder: Path, data: Path, *, demo: bool) -> None:
        self.port, self.folder, self.data = free_port(), folder, data
        self.began = time.monotonic()
        self.log = data.parent / "run.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "./run", "--port", str(self.port), "--dicom-port", str(free_port()),
                    "--data-dir", str(data), "--demo" if demo else "--no-demo",
                ],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={k: v for k, v in os.environ.items() if not k.startswith(("FIRSTREAD_", "DJANGO_"))},
            )  # fmt: skip

    def page(self) -> float:
        """Seconds from ./run to the sign-in page."""
        while True:
            if self.process.poll() is not None:
                sys.exit(f"./run ended:\n{self.log.read_text()[-3000:]}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/accounts/login/", timeout=2):
                    return time.monotonic() - self.began
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)

    def first_result(self) -> float:
        """Seconds from a study's last image to the first finished AI run, as ./run prints them."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            found = re.search(r"First AI result ([0-9.]+) s", self.log.read_text())
            if found:
                return float(found[1])
            time.sleep(0.5)
        sys.exit(f"No AI result within 240 s:\n{self.log.read_text()[-3000:]}")

    def end(self) -> float:
        """Ctrl-C; seconds until all has ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-fresh", action="store_true", help="use this working copy instead of a clone")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="firstread-first-start-"))
    measured: dict[str, float] = {}
    try:
        folder = PROJECT
        if not arguments.skip_fresh:
            folder = work / "clone"
            subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(folder)], check=True)
        run = Run(folder, work / "data", demo=True)
        seconds = run.page()
        if not arguments.skip_fresh:
            measured["fresh clone to page"] = seconds
        measured["last image to AI result"] = run.first_result()
        print(re.sub(r"(?m)^ {4}(\S+) .*$", r"    \1 ...", run.log.read_text()))
        ended = run.end()
        run = Run(folder, work / "data", demo=False)
        measured["second start to page"] = run.page()
        run.end()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for name, target in TARGETS.items():
        if name in measured:
            print(
                f"{name:<26} {measured[name]:6.1f} s   target {target:4.0f} s   ratio {measured[name] / target:.2f}"
            )
    print(f"{'Ctrl-C to all ended':<26} {ended:6.1f} s   target    5 s   ratio {ended / 5:.2f}")


if __name__ == "__main__":
    main()
