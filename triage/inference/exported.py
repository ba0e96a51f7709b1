"""Networks that come as a program of their own: TorchScript and ONNX."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch


class BundleError(Exception):
    """A bundle cannot be loaded or does not do what its files promise."""


class OnnxNetwork(torch.nn.Module):
    """An ONNX model behind ONNX Runtime's CPU provider, called like a torch network.

    One output comes back as a tensor, several as a tuple in the model's order.
    """

    name = "onnxruntime"

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError as error:
            raise BundleError("onnxruntime is not installed: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("FIRSTREAD_TORCH_THREADS", "0"))
        options.log_severity_level = 3
        # No operators from elsewhere: no custom library is ever registered with these options.
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime has a tree of exceptions of its own
            raise BundleError(f"{path} is not an ONNX model that can be loaded: {_first(error)}") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise BundleError(f"{path} takes {len(inputs)} inputs, not one")
        self._input = inputs[0].name

    def forward(self, inputs: torch.Tensor) -> Any:
        """Float32 in, float32 out, on the CPU."""
        array = np.ascontiguousarray(inputs.detach().cpu().numpy(), dtype=np.float32)
        answers = [torch.from_numpy(np.array(a)) for a in self._session.run(None, {self._input: array})]
        return answers[0] if len(answers) == 1 else tuple(answers)


def load_exported(weights: Path) -> torch.nn.Module:
    """The network in a .ts or .onnx file.

    A TorchScript file is a program: it runs in the worker like the rest of a bundle, behind the same pin and the
    same fence. Raises BundleError when the file cannot be loaded.
    """
    if weights.suffix == ".onnx":
        return OnnxNetwork(weights)
    try:
        network: torch.nn.Module = torch.jit.load(str(weights), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{weights} is no TorchScript that can be loaded: {_first(error)}") from error
    return network


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
