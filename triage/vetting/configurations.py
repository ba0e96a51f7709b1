"""Which components and expressions a MONAI configuration may name."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Any

# `_target_`: a class; a bare name is one of MONAI's own components, a dotted one must lie below these.
TARGET_PREFIXES = (
    "monai.transforms.", "monai.networks.", "monai.inferers.", "torch.nn.",
    "triage.inference.deepmedic.",
)  # fmt: skip
# MONAI knows these by bare name too: they read, write, download, import or run other code.
REFUSED_TARGETS = re.compile(
    r"(Load|Save|Read|Writ|Cache|Download|Dataset|Handler|Workflow|Runner|Algo|Trainer|Evaluator|Parser|Config"
    r"|Expression|Locator|Executable|TorchVision|Torchscript|Jit|Trt|Onnx|Process|Thread)"
)
IMPORTS = frozenset({"torch", "numpy", "monai", "math", "numpy as np"})
NAMES = frozenset({"torch", "np", "numpy", "math", "True", "False", "None"})
ATTRIBUTES = frozenset(
    {
        "cat", "stack", "clamp", "clip", "sigmoid", "softmax", "abs", "sqrt", "exp", "log", "log1p", "mean",
        "std", "min", "max", "sum", "float", "float32", "bool", "int", "reshape", "permute", "unsqueeze",
        "squeeze", "shape", "ones_like", "zeros_like", "where", "tensor", "full_like", "argmax", "pi",
    }
)  # fmt: skip
ALLOWED_NODES = (
    ast.Expression, ast.Lambda, ast.arguments, ast.arg, ast.Name, ast.Load, ast.Store, ast.Attribute,
    ast.Call, ast.keyword, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator,
    ast.unaryop, ast.boolop, ast.cmpop, ast.List, ast.Tuple, ast.Subscript, ast.Slice, ast.IfExp,
)  # fmt: skip


def config_faults(config: Any) -> list[str]:
    """Targets and expressions in a MONAI configuration that are not on the allow-list."""
    faults = []
    for key, value in _walk(config):
        if key == "_target_":
            if not _target_allowed(value):
                faults.append(f"_target_ {value!r} is not allowed")
        elif isinstance(value, str) and value.lstrip().startswith("$"):
            fault = expression_fault(value.lstrip()[1:])
            if fault:
                faults.append(f"expression {value[:60]!r}: {fault}")
        elif isinstance(value, str) and value.startswith("%"):
            faults.append(f"{value!r} reads another file")
    return faults


def expression_fault(source: str) -> str:
    """Why an expression is not allowed, or "". Arithmetic on tensors and plain imports pass."""
    source = source.strip()
    if source.startswith(("import ", "from ")):
        wanted = source.removeprefix("import ").strip()
        return "" if wanted in IMPORTS else "imports something that a bundle does not need"
    try:
        tree = ast.parse(source.replace("@", "_reference_"), mode="eval")
    except SyntaxError:
        return "is no plain expression"
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED_NODES):
            return f"uses {type(node).__name__}"
        if isinstance(node, ast.Attribute) and node.attr not in ATTRIBUTES and not _is_torch_nn(node):
            return f"uses .{node.attr}"
        if isinstance(node, ast.Name) and not _name_allowed(node.id, arguments):
            return f"uses {node.id}"
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute):
            return "calls something that is not a method"
    return ""


def _name_allowed(name: str, arguments: set[str]) -> bool:
    return name in NAMES or name in arguments or name.startswith("_reference_")


def _is_torch_nn(node: ast.Attribute) -> bool:
    """`torch.nn` itself, or a class right below it."""
    whole = ast.unparse(node)
    return whole == "torch.nn" or (whole == f"torch.nn.{node.attr}" and node.attr[0].isupper())


def _target_allowed(target: Any) -> bool:
    if not isinstance(target, str) or target.startswith("$"):
        return False
    *modules, name = target.split(".")
    if not name.isidentifier() or not name[0].isupper() or REFUSED_TARGETS.search(name):
        return False
    if set(modules) & sys.stdlib_module_names:
        return False  # monai.….os is reachable by its dots
    return not modules or target.startswith(TARGET_PREFIXES)


def _walk(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _walk(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value, key)
    else:
        yield key, node
