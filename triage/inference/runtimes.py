"""What computes a network: torch, OpenVINO, or a GPU; the answers stay the same (ADR 0014).

A network is converted once and compiled for each input shape, once, and kept. Whatever a runtime cannot do falls
back to torch on the CPU, with a line in the log and never with an error: a slower answer is better than none.
"""

from __future__ import annotations

import copy
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import structlog
import torch

log = structlog.get_logger(__name__)

TORCH, OPENVINO, CUDA = "torch", "openvino", "cuda"
# Compiled networks hold their own weights and work memory: a new shape puts out the one used longest ago.
MOST_SHAPES = 8

Shapes = tuple[tuple[int, ...], ...]
Run = Callable[..., torch.Tensor]


class RuntimeMissing(Exception):
    """The runtime is not installed, or this machine has no such device."""


def threads() -> int:
    """Threads for inference: FIRSTREAD_TORCH_THREADS, or every core that this process may use."""
    wanted = int(os.environ.get("FIRSTREAD_TORCH_THREADS", "0"))
    return wanted or len(os.sched_getaffinity(0)) or 1


def device() -> str:
    """Where a worker computes: FIRSTREAD_DEVICE, `cpu` by default, `cuda` or `cuda:1` on a GPU worker."""
    return os.environ.get("FIRSTREAD_DEVICE", "cpu").strip().lower() or "cpu"


def accelerate(network: torch.nn.Module, *example: torch.Tensor, prefer: str = OPENVINO) -> Accelerated:
    """The network, computed by the fastest runtime that is at hand; a second call costs nothing.

    Args:
        network: in evaluation mode; takes one or more float tensors and gives one.
        example: tensors as the network will get them; their shapes are compiled at once, others when they come.
        prefer: "openvino" or "torch", as the bundle says; on a GPU worker the GPU goes before both.
    """
    with _lock:
        kept = _kept.setdefault(network, {})
        accelerated = kept.get(prefer)
        if accelerated is None:
            accelerated = kept[prefer] = Accelerated(network, prefer)
    if example:
        accelerated.prepare(*example)
    return accelerated


class Accelerated:
    """A network behind the runtime that computes it; called like the network.

    Attributes:
        name: "torch", "openvino" or "cuda": what computed last, or will.
        prefer: what was asked for.
    """

    def __init__(self, network: torch.nn.Module, prefer: str) -> None:
        # A weak reference: the cache is keyed by the network and must not keep it alive.
        self._network = weakref.ref(network)
        self.prefer = prefer
        self._runtimes = _wanted(prefer)
        self._compiled: OrderedDict[Shapes, tuple[str, Run]] = OrderedDict()
        self.name = self._runtimes[0]

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.name, run = self.prepare(*inputs)
        try:
            with torch.inference_mode():
                return run(*inputs)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            log.warning("gpu_out_of_memory", used_instead=TORCH, shapes=_shapes(inputs))
            self.name = TORCH
            with torch.inference_mode():
                return _torch(self._alive(), inputs)(*inputs)

    def prepare(self, *inputs: torch.Tensor) -> tuple[str, Run]:
        """Compile for these shapes unless that was done; returns the runtime's name and the compiled call."""
        shapes = _shapes(inputs)
        with _lock:
            if shapes in self._compiled:
                self._compiled.move_to_end(shapes)
                return self._compiled[shapes]
            made = self._make(inputs, shapes)
            self._compiled[shapes] = made
            if len(self._compiled) > MOST_SHAPES:
                self._compiled.popitem(last=False)
            return made

    def _make(self, inputs: tuple[torch.Tensor, ...], shapes: Shapes) -> tuple[str, Run]:
        network = self._alive()
        for name in self._runtimes:
            began = time.monotonic()
            try:
                run = _MAKERS[name](network, inputs)
            except RuntimeMissing as error:
                log.warning("runtime_missing", runtime=name, reason=str(error))
            except Exception as error:  # noqa: BLE001  (a converter may raise anything; torch can do it all)
                log.warning("runtime_refused", runtime=name, error=type(error).__name__, shapes=shapes)
            else:
                took = round(time.monotonic() - began, 2)
                if name != TORCH:
                    log.info("network_compiled", runtime=name, shapes=shapes, seconds=took)
                return name, run
        return TORCH, _torch(network, inputs)

    @property
    def network(self) -> torch.nn.Module:
        """The network itself, for an inferer that takes it apart (triage/inference/deepmedic.py)."""
        return self._alive()

    def _alive(self) -> torch.nn.Module:
        network = self._network()
        if network is None:
            raise ReferenceError("the network behind this runtime was dropped: keep it while you use it")
        return network


def use_cores() -> None:
    """Let torch use as many threads as `threads()` says: one process infers at a time."""
    torch.set_num_threads(threads())


def _wanted(prefer: str) -> tuple[str, ...]:
    """Runtimes to try, in order; torch is always the last."""
    order = [CUDA] if device().startswith(CUDA) else []
    if prefer in _MAKERS and prefer not in (TORCH, CUDA):
        order.append(prefer)
    elif prefer not in _MAKERS:
        log.warning("runtime_unknown", runtime=prefer, used_instead=TORCH)
    return (*order, TORCH)


def _torch(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Run:
    return network


def _openvino(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Run:
    openvino = _import_openvino()
    with torch.inference_mode(), _quiet_tracer():
        if network not in _converted:
            _converted[network] = _convert_for_all(openvino, network, inputs)
        general = _converted[network]
        model = _convert(openvino, network, inputs) if general is None else general.clone()
        model.reshape({port: list(t.shape) for port, t in zip(model.inputs, inputs, strict=True)})
    compiled = _core(openvino).compile_model(
        model,
        "CPU",
        {
            # On a processor with AMX the default is bfloat16, which answers differently.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        },
    )
    local = threading.local()

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        arrays = [np.ascontiguousarray(t.detach().cpu().numpy(), dtype=np.float32) for t in tensors]
        answer = local.request.infer(arrays, share_inputs=True)
        return torch.from_numpy(np.array(answer[0]))

    return run


def _convert(openvino: Any, network: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> Any:
    return openvino.convert_model(network, example_input=example if len(example) > 1 else example[0])


def _convert_for_all(openvino: Any, network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """The network traced on small inputs, where that trace holds for every shape; None where it does not.

    Tracing runs a network several times: on a whole head that takes seconds, on a corner of it none. But a trace
    may hold sizes as constants. A network may say by `example()` on which inputs it does not; of any other the
    trace is asked about an input of another size, and must answer as the network does.
    """
    offered: Any = getattr(network, "example", None)
    if offered is not None:
        return _convert(openvino, network, offered())
    small, other = (tuple(torch.rand(_corner(t.shape, more)) for t in inputs) for more in (0, 1))
    try:
        expected = network(*other)
        model = _convert(openvino, network, small)
        told = _core(openvino).compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found = torch.from_numpy(np.array(told([t.numpy() for t in other])[0]))
    except Exception as error:  # noqa: BLE001  (it was not made for such inputs; its own shape is converted)
        log.info("network_of_one_shape", error=type(error).__name__)
        return None
    same = found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
    return model if same else None


def _corner(shape: torch.Size, more: int) -> list[int]:
    """A small shape that strides divide where they divide this one; `more` makes it one step larger."""
    batch, channels, *space = shape
    steps = [min(n & -n, 32) for n in space]
    return [batch, channels, *(step * (-(-16 // step) + more) for step in steps)]


def _cuda(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Run:
    if not torch.cuda.is_available():
        raise RuntimeMissing("FIRSTREAD_DEVICE asks for a GPU and torch finds none: computing on the CPU")
    place = torch.device(device())
    # Without these, cuDNN and cuBLAS round to TF32 and the answers differ from the CPU's.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    copied = _on_gpu.get(network)
    if copied is None:
        copied = _on_gpu[network] = copy.deepcopy(network).to(place)

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        return copied(*(t.to(place) for t in tensors)).cpu()

    return run


def _import_openvino() -> Any:
    """OpenVINO without its telemetry: the package that would send is kept from being imported at all."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # import then raises ImportError
    try:
        import openvino
    except ImportError as error:
        raise RuntimeMissing(f"openvino is not installed ({error})") from error
    return openvino


def _core(openvino: Any) -> Any:
    global _the_core
    if _the_core is None:
        _the_core = openvino.Core()
    return _the_core


def _quiet_tracer() -> Any:
    """The tracer warns of every size that it takes for a constant: here sizes are constants."""
    import warnings

    quiet = warnings.catch_warnings()
    warnings.simplefilter("ignore", torch.jit.TracerWarning)
    return quiet


def _shapes(inputs: tuple[torch.Tensor, ...]) -> Shapes:
    return tuple(tuple(t.shape) for t in inputs)


_MAKERS: dict[str, Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], Run]] = {
    CUDA: _cuda,
    OPENVINO: _openvino,
    TORCH: _torch,
}
_the_core: Any = None
_lock = threading.RLock()
_kept: weakref.WeakKeyDictionary[torch.nn.Module, dict[str, Accelerated]] = weakref.WeakKeyDictionary()
_converted: weakref.WeakKeyDictionary[torch.nn.Module, Any] = weakref.WeakKeyDictionary()
_on_gpu: weakref.WeakKeyDictionary[torch.nn.Module, torch.nn.Module] = weakref.WeakKeyDictionary()
