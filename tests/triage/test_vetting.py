"""Hostile weights, scripts and graphs are refused before registration, with what and where."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.making import make_bright_bundle
from tests.triage.onnx_bytes import external, field, node, onnx_model
from triage.bundles import BundleRefused, read_bundle
from triage.vetting.onnx import onnx_faults
from triage.vetting.pickles import weights_faults
from triage.vetting.torchscript import code_faults, torchscript_faults


class Runs:
    """Pickles into a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


HOSTILE = [
    (os.system, "touch /tmp/firstread-was-here"),
    (eval, "1 + 1"),
    (exec, "pass"),
    (subprocess.Popen, ["true"]),
    (__import__, "os"),
    (getattr, 1, "real"),
    (torch.load, "x"),
    (torch.hub.load, "a", "b"),
    (io.open, "/etc/passwd"),
    (bytes.fromhex, "00"),
]


@pytest.mark.parametrize("call", HOSTILE, ids=lambda call: getattr(call[0], "__name__", "?"))
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_calls_anything_is_refused_and_nothing_runs(
    tmp_path: Path, call: tuple[Any, ...], legacy: bool, protocol: int
) -> None:
    path = tmp_path / "model.pt"
    content = {"weight": torch.zeros(2), "more": Runs(*call)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    faults = weights_faults(path)
    assert faults and "byte" in faults[0], faults
    assert not Path("/tmp/firstread-was-here").exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_plain_weights_of_every_number_format_pass(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "model.pt"
    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
    content = {str(kind): torch.zeros(3, dtype=kind) for kind in kinds}
    content["parameter"] = torch.nn.Parameter(torch.zeros(1))
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert weights_faults(path) == []
    assert torch.load(path, weights_only=True).keys() == content.keys()


def test_a_whole_network_instead_of_its_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Conv2d(1, 1, 1), path)
    assert "torch.nn.modules.conv.Conv2d" in weights_faults(path)[0]


def test_bytes_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    for content in (b"", b"MZ\x90", b"PK\x03\x04 but no archive", pickle.dumps({"a": 1})[:-1]):
        path.write_bytes(content)
        assert weights_faults(path) != []


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """A copy of a zip whose entries `change(archive, name, data)` writes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            change(new, info.filename, old.read(info))
    return target


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Plain weights in torch's zip."""
    torch.save({"weight": torch.zeros(2)}, tmp_path / "plain.pt")
    return tmp_path / "plain.pt"


def test_a_zip_in_the_zip_is_refused(saved: Path, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Runs(os.system, "true")))

    def nest(new: zipfile.ZipFile, name: str, data: bytes) -> None:
        new.writestr(name, inner.getvalue() if name.endswith("data/0") else data)

    assert "archive in the archive" in weights_faults(rewritten(saved, tmp_path / "model.pt", nest))[0]


def test_entries_that_readers_read_differently_are_refused(saved: Path, tmp_path: Path) -> None:
    def compressed(new: zipfile.ZipFile, name: str, data: bytes) -> None:
        new.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED)

    def twice(new: zipfile.ZipFile, name: str, data: bytes) -> None:
        new.writestr(name, data)
        if name.endswith("data.pkl"):
            new.writestr(name, data)

    def elsewhere(new: zipfile.ZipFile, name: str, data: bytes) -> None:
        new.writestr(name.replace("data/0", "data/../../0"), data)

    def script(new: zipfile.ZipFile, name: str, data: bytes) -> None:
        new.writestr(name, data)
        if name.endswith("data.pkl"):
            new.writestr(name.replace("data.pkl", "code/__torch__.py"), "")

    for change, words in (
        (compressed, "compressed"),
        (twice, "twice"),
        (elsewhere, "no name that torch writes"),
        (script, "TorchScript"),
    ):
        path = tmp_path / f"{change.__name__}.pt"
        with pytest.warns(UserWarning) if change is twice else pytest.MonkeyPatch.context():
            rewritten(saved, path, change)
        assert words in weights_faults(path)[0]


def test_a_local_header_with_another_name_than_the_directory_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    first = data.index(b"data.pkl")
    saved.write_bytes(data[:first] + b"evil.pkl" + data[first + 8 :])
    assert "cannot be read" in weights_faults(saved)[0]


class Reads(torch.nn.Module):
    """Reads a file."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("/etc/passwd", False, 4)


class Writes(torch.nn.Module):
    """Writes a file."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "/tmp/firstread-was-here")
        return x


class Prints(torch.nn.Module):
    """Prints pixels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print(x)
        return x


@pytest.mark.parametrize(
    ("network", "words"), [(Reads(), "torch.from_file"), (Writes(), "torch.save"), (Prints(), "print")]
)
def test_torchscript_that_touches_files_or_prints_is_refused_with_its_line(
    tmp_path: Path, network: torch.nn.Module, words: str
) -> None:
    path = tmp_path / "model.ts"
    torch.jit.save(torch.jit.script(network), path)
    (fault,) = torchscript_faults(path)
    assert words in fault and "code/__torch__" in fault and "line" in fault


def test_torchscript_of_real_networks_passes(tmp_path: Path) -> None:
    from monai.networks.nets import DenseNet121, UNet

    unet = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(4, 8), strides=(2,)).eval()
    torch.jit.save(torch.jit.script(unet), tmp_path / "unet.ts")
    dense = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2).eval()
    torch.jit.save(torch.jit.trace(dense, torch.zeros(1, 1, 64, 64)), tmp_path / "dense.ts")
    assert torchscript_faults(tmp_path / "unet.ts") == []
    assert torchscript_faults(tmp_path / "dense.ts") == []


@pytest.mark.parametrize(
    "source",
    [
        "import os", "x = torch.from_file('a', True, 1)", "x = ops.aten.from_file('a')", "x = (y).save('a')",
        "x = ops.rpc.rpc_sync(a)", "x = ops.prim.PythonOp()", "x = ops.prim.rpc_remote(a)", "_0 = torch.save",
        "x = open('a')", "x = eval('1')", "x = torch.classes.dist_rpc.WorkerInfo()", "x = ops.mine.run(a)",
        "def f(:", "x = ^Evil()(a)", "print(x)", "x = lambda: 1", "y = fork(x)",
    ],
)  # fmt: skip
def test_torchscript_source_outside_the_list_is_refused(source: str) -> None:
    assert code_faults(source.encode()) != []


def test_hand_written_pickles_in_torchscript_are_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), tmp_path / "plain.ts")

    def swap(new: zipfile.ZipFile, name: str, data: bytes) -> None:
        evil = pickle.dumps(Runs(os.system, "true"), protocol=2)
        new.writestr(name, evil if name.endswith("constants.pkl") else data)

    (fault, *_) = torchscript_faults(rewritten(tmp_path / "plain.ts", tmp_path / "model.ts", swap))
    assert fault.startswith("constants.pkl") and "system" in fault


def onnx(tmp_path: Path, content: bytes) -> list[str]:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return onnx_faults(path)


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "C:\\x", "..\\..\\x", "a/../../b"])
def test_onnx_data_outside_the_bundle_are_refused(tmp_path: Path, location: str) -> None:
    (fault,) = onnx(tmp_path, onnx_model(tensors=(external(location),)))
    assert "reaches outside the bundle" in fault and "tensor 'w'" in fault and repr(location) in fault


def test_onnx_data_in_a_file_beside_are_refused_wherever_the_tensor_hides(tmp_path: Path) -> None:
    tensor = external("weights.bin")
    constant = node("Constant", attributes=field(5, field(1, "value") + field(5, tensor)))
    branch = node("If", attributes=field(5, field(1, "then") + field(6, field(1, constant))))
    sparse = field(7, field(15, field(1, tensor)))
    training = field(20, field(1, field(5, tensor)))
    function = field(25, field(1, "f") + field(10, "own") + field(7, constant))
    for content in (
        onnx_model(tensors=(tensor,)),
        onnx_model(nodes=(constant,)),
        onnx_model(nodes=(branch,)),
        onnx_model(more=sparse),
        onnx_model(more=training),
        onnx_model(more=function),
    ):
        assert "'weights.bin'" in onnx(tmp_path, content)[0]


def test_onnx_operators_of_other_makers_are_refused_also_in_branches(tmp_path: Path) -> None:
    evil = node("Run", "evil.ops")
    branch = node("If", attributes=field(5, field(1, "then") + field(6, field(1, evil))))
    for nodes in ((evil,), (branch,)):
        assert "operator Run of the custom domain 'evil.ops'" in onnx(tmp_path, onnx_model(nodes=nodes))[0]


def test_onnx_of_the_standard_and_of_its_own_functions_passes(tmp_path: Path) -> None:
    function = field(25, field(1, "f") + field(10, "own") + field(7, node()))
    inner = field(5, field(1, 1) + field(2, 1) + field(8, "w") + field(9, b"\0\0\0\0"))
    content = onnx_model(
        nodes=(node(), node("f", "own"), node("Relu", "ai.onnx")), more=function + field(7, inner)
    )
    assert onnx(tmp_path, content) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_and_never_crash_the_reader(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes", numbered=True)
    for name, judge in (("m.onnx", onnx_faults), ("m.ts", torchscript_faults), ("m.pt", weights_faults)):
        (folder / name).write_bytes(content)
        assert judge(folder / name) != []


def test_a_bundle_is_refused_for_its_weights_naming_file_and_place(tmp_path: Path) -> None:
    bundle = make_bright_bundle(tmp_path)
    torch.save({"w": Runs(os.system, "true")}, bundle / "models" / "model.pt")
    with pytest.raises(
        BundleRefused, match=r"models/model\.pt: data\.pkl, byte \d+: names (posix|nt)\.system"
    ):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("$__import__('os').system('x')", "expression .* uses"),
        ("$torch.hub.load('a', 'b')", r"uses \.hub|uses \.load"),
        ({"_target_": "os.system"}, "_target_ 'os.system'"),
        ({"_target_": "monai.transforms.utility.array.subprocess.Popen"}, "Popen"),
    ],
)
def test_a_bundle_is_refused_for_what_its_configuration_calls(
    tmp_path: Path, value: object, words: str
) -> None:
    bundle = make_bright_bundle(tmp_path)
    path = bundle / "configs" / "inference.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"preprocessing": value}))
    with pytest.raises(BundleRefused, match=r"configs/inference\.json: .*(" + words + ")"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["models/more.zip", "weights.tar.gz", "docs/x.7z", "models/other.bin"])
def test_archives_and_unknown_files_beside_the_weights_are_refused(tmp_path: Path, name: str) -> None:
    bundle = make_bright_bundle(tmp_path)
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_bytes(b"x")
    with pytest.raises(BundleRefused, match=name):
        read_bundle(bundle)
