"""Runtimes give the network's own answers, and fall back to torch with a line in the log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from django.conf import settings
from structlog.testing import capture_logs

from triage.inference import runtimes
from triage.inference.bundle import load_bundle

ICH_DEMO = Path(settings.BUNDLES_DIR) / "ich_demo"
SAME = 1e-5


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _small() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.PReLU(), torch.nn.Conv3d(4, 1, 1)
    ).eval()


def test_openvino_gives_the_demo_models_probabilities_within_what_its_card_says() -> None:
    bundle = load_bundle(ICH_DEMO)
    rng = np.random.default_rng(5)
    # Tissue, bone and air at random places, smoothed by nothing: harder than any head.
    hu = torch.from_numpy(rng.choice([-1000.0, 5.0, 35.0, 70.0, 900.0], (1, 8, 64, 64)).astype(np.float32))
    prepared = torch.as_tensor(bundle.preprocessing(hu))[None]
    fast = runtimes.accelerate(bundle.network, prepared, prefer="openvino")
    with torch.inference_mode():
        expected = torch.sigmoid(bundle.network(prepared))
    answer = torch.sigmoid(fast(prepared))
    assert fast.name == "openvino"
    assert float((answer - expected).abs().max()) <= SAME
    assert float(expected.max() - expected.min()) > 0.05, "a constant map would prove nothing"


def test_a_second_call_uses_what_was_compiled_and_a_new_shape_is_compiled_when_it_comes() -> None:
    network = _small()
    one, two = torch.randn(1, 1, 4, 8, 8), torch.randn(1, 1, 6, 8, 8)
    with capture_logs() as logs:
        fast = runtimes.accelerate(network, one)
        assert runtimes.accelerate(network, one) is fast
        fast(one), fast(one), fast(two)
    assert [line["shapes"] for line in logs if line["event"] == "network_compiled"] == [
        ((1, 1, 4, 8, 8),),
        ((1, 1, 6, 8, 8),),
    ]
    with torch.inference_mode():
        torch.testing.assert_close(fast(two), network(two), atol=1e-5, rtol=1e-5)


def test_a_network_is_converted_once_for_all_shapes_and_one_that_holds_its_sizes_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            size = int(x.shape[-1])  # a constant in the trace
            return x[..., : size - 1] * size

    traced: list[tuple[int, ...]] = []
    convert = runtimes._convert
    monkeypatch.setattr(
        runtimes, "_convert", lambda o, n, e: (traced.append(tuple(e[0].shape)), convert(o, n, e))[1]
    )
    for network, times in ((_small(), 1), (Fixed().eval(), 3)):
        traced.clear()
        fast = runtimes.accelerate(network)
        for shape in ((1, 1, 4, 8, 40), (1, 1, 8, 8, 24)):
            x = torch.randn(shape)
            with torch.inference_mode():
                torch.testing.assert_close(fast(x), network(x), atol=1e-5, rtol=1e-5)
            assert fast.name == "openvino"
        assert len(traced) == times


def test_the_answer_is_not_overwritten_by_the_next_call() -> None:
    fast = runtimes.accelerate(_held(), prefer="openvino")
    first = fast(torch.zeros(1, 1, 4, 8, 8))
    kept = first.clone()
    fast(torch.ones(1, 1, 4, 8, 8))
    assert torch.equal(first, kept)


def test_only_so_many_shapes_are_kept() -> None:
    fast = runtimes.accelerate(_held(), prefer="torch")
    for size in range(4, 4 + 2 * runtimes.MOST_SHAPES):
        fast(torch.zeros(1, 1, 4, 4, size))
    assert len(fast._compiled) == runtimes.MOST_SHAPES


def test_what_openvino_cannot_convert_is_computed_by_torch_and_told() -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.sort(x.numpy(), axis=-1)) + torch.special.erfcx(x)

    network = Odd()
    x = torch.randn(1, 1, 2, 2, 4)
    with capture_logs() as logs:
        fast = runtimes.accelerate(network, x, prefer="openvino")
    assert fast(x).shape == x.shape
    assert fast.name == "torch"
    assert any(line["event"] == "runtime_refused" for line in logs)


def test_a_gpu_worker_without_a_gpu_computes_on_the_cpu_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("FIRSTREAD_DEVICE", "cuda")
    network = _small()
    with capture_logs() as logs:
        fast = runtimes.accelerate(network, torch.zeros(1, 1, 4, 8, 8), prefer="openvino")
    assert fast(torch.zeros(1, 1, 4, 8, 8)).shape == (1, 1, 4, 8, 8)
    assert fast.name == "openvino"
    assert next((line["event"], line["log_level"]) for line in logs) == ("runtime_missing", "warning")


def test_a_gpu_that_runs_out_of_memory_leaves_the_work_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*tensors: torch.Tensor) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    network = _small()
    fast = runtimes.Accelerated(network, "torch")
    monkeypatch.setitem(runtimes._MAKERS, "torch", lambda network, inputs: full)
    with capture_logs() as logs:
        answer = fast(torch.zeros(1, 1, 4, 8, 8))
    assert answer.shape == (1, 1, 4, 8, 8)
    assert any(line["event"] == "gpu_out_of_memory" for line in logs)


def test_threads_follow_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTREAD_TORCH_THREADS", "3")
    assert runtimes.threads() == 3
    monkeypatch.setenv("FIRSTREAD_TORCH_THREADS", "0")
    assert runtimes.threads() >= 1


def test_openvino_is_loaded_without_telemetry_even_where_that_is_installed(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    package = tmp_path / "openvino_telemetry"
    package.mkdir()
    (package / "__init__.py").write_text(f"open({str(sent)!r}, 'w').close()\n")
    code = (
        "import socket, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "def refuse(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refuse\n"
        "from triage.inference import runtimes\n"
        "runtimes._import_openvino()\n"
        "print('telemetry_stub' in ' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=settings.BASE_DIR, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not sent.exists()


_networks: list[torch.nn.Module] = []


def _held() -> torch.nn.Module:
    """A network that stays alive: a runtime keeps only a weak reference."""
    _networks.append(_small())
    return _networks[-1]
