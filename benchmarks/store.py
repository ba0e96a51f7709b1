"""C-STORE throughput of Firstread's receiver beside dcmtk's storescp, in the same run.

    python benchmarks/store.py [--rounds 3] [--slices 100] [--database URL]

One CT series of 512x512x16 bit slices goes by dcmtk's storescu over one association, then over four at
once, to each receiver in turn. Firstread answers after sync of file and folder and the database's commit;
storescp writes without any. On a shared machine only the ratio means something.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PROJECT = Path(__file__).resolve().parent.parent
SIZE = 512


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def write_series(folder: Path, count: int) -> list[str]:
    """`count` slices of one series, 16 bit, noise; returns their paths."""
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    pixels = np.random.default_rng(1).integers(0, 4096, (SIZE, SIZE), dtype="<u2").tobytes()
    paths = []
    for number in range(count):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.PatientID, dataset.PatientName = "BENCHMARK", "SYNTHETIC^BENCHMARK"
        dataset.Modality, dataset.InstanceNumber = "CT", number + 1
        dataset.Rows = dataset.Columns = SIZE
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = pixels
        path = folder / f"{number:04d}.dcm"
        dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(str(path))
    return paths


def send(paths: list[str], port: int, associations: int) -> float:
    """Send all slices, split among associations; MB/s of file bytes, from first start to last end."""
    total = sum(Path(path).stat().st_size for path in paths)
    command = ["storescu", "--max-send-pdu", "131072", "-aec", "FIRSTREAD", "127.0.0.1", str(port)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    began = time.monotonic()
    senders = [
        subprocess.Popen(command + paths[n::associations], env=environment) for n in range(associations)
    ]
    statuses = [sender.wait(300) for sender in senders]
    seconds = time.monotonic() - began
    if any(statuses):
        raise SystemExit(f"storescu ended with {statuses}")
    return total / seconds / 1e6


def wait_for(port: int) -> None:
    """Until somebody listens."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the receiver did not start")


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """dcmtk's receiver, one process an association."""
    folder.mkdir()
    port = free_port()
    command = ["storescp", "--fork", "--max-pdu", "131072", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"})
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def firstread(folder: Path, database: str) -> Iterator[int]:
    """Our receiver as a process, on a fresh archive."""
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
        "FIRSTREAD_DATA_DIR": str(folder),
        "FIRSTREAD_ARCHIVE_DIR": str(folder / "archive"),
        "FIRSTREAD_DATABASE_URL": database,
        "FIRSTREAD_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "FIRSTREAD_LOG_LEVEL": "ERROR",
    }
    manage = [sys.executable, str(PROJECT / "manage.py")]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], env=environment, check=True)
    process = subprocess.Popen(
        [*manage, "receiver", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--database", default=os.environ.get("FIRSTREAD_TEST_DATABASE_URL", ""))
    options = parser.parse_args()
    if shutil.which("storescp") is None:
        raise SystemExit("This needs dcmtk: apt install dcmtk")
    with tempfile.TemporaryDirectory(prefix="firstread-store-") as temporary:
        folder = Path(temporary)
        figures: dict[tuple[str, int], list[float]] = {}
        with (
            storescp(folder / "storescp") as theirs,
            firstread(folder / "firstread", options.database) as ours,
        ):
            for number in range(options.rounds):
                for associations in (1, 4):
                    paths = write_series(folder / f"series{number}_{associations}", options.slices)
                    for name, port in (("storescp", theirs), ("firstread", ours)):
                        figures.setdefault((name, associations), []).append(send(paths, port, associations))
        print(f"database: {'PostgreSQL' if options.database else 'SQLite'}, {options.rounds} rounds, medians")
        print("associations  storescp MB/s  firstread MB/s  ratio")
        for associations in (1, 4):
            peer = statistics.median(figures[("storescp", associations)])
            own = statistics.median(figures[("firstread", associations)])
            print(f"{associations:12d}  {peer:13.0f}  {own:14.0f}  {own / peer:5.2f}")


if __name__ == "__main__":
    main()
