"""What the files of a MONAI bundle are, told without running any of them.

A bundle's configuration is code: MONAI's ConfigParser evaluates `$…` expressions and calls whatever
`_target_` names. So a bundle is trusted code that an administrator registers, its files are pinned by
SHA-256, and before that a static check refuses what a bundle has no business with. The check is a fence
against accidents and lazy attacks, not a sandbox (docs/adr/0004-triage-runs-and-geometry.md).
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEIGHTS = Path("models") / "model.pt"
CONFIG_NAMES = ("metadata.json", "inference.json", "firstread.json")
CONFIG_SUFFIXES = frozenset({".json"})
CODE_SUFFIXES = frozenset({".py", ".pyc", ".so", ".pkl", ".pickle", ".pth", ".sh", ".yaml", ".joblib"})
REQUIRED_KEYS = (
    "finding", "rank_threshold", "alert_threshold", "spacing_mm", "mask_threshold",
    "min_component_ml", "probability", "input_limits", "routing",
)  # fmt: skip

# `_target_`: a class; a bare name is one of MONAI's own components, a dotted one must lie below these.
TARGET_PREFIXES = ("monai.transforms.", "monai.networks.", "monai.inferers.", "torch.nn.")
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


class BundleRefused(Exception):
    """The bundle must not be registered or loaded; the message lists what is wrong."""


class BundleChanged(BundleRefused):
    """The files are not those that were registered."""


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of the weights, and over all configuration files in the order of their names."""

    weights_sha256: str
    configs_sha256: str


@dataclass(frozen=True)
class BundleFiles:
    """A bundle as its plain files tell it."""

    path: Path
    name: str
    version: str
    intended_use: str
    config: dict[str, Any]
    fingerprint: Fingerprint


def read_bundle(path: Path) -> BundleFiles:
    """Read and check a bundle's folder without running anything in it; the folder's name is its name.

    Raises:
        BundleRefused: something is missing, malformed or not allowed; every fault is listed.
    """
    missing = [
        str(p) for p in (*(Path("configs") / n for n in CONFIG_NAMES), WEIGHTS) if not (path / p).is_file()
    ]
    if missing:
        raise BundleRefused(f"{path.name} lacks {', '.join(missing)}")
    metadata = _read_json(path / "configs" / "metadata.json")
    config = _read_json(path / "configs" / "firstread.json")
    faults = [*static_faults(path), *_config_faults(config)]
    version = metadata.get("version")
    if not isinstance(version, str) or not version.strip():
        faults.append("configs/metadata.json names no version")
    if faults:
        raise BundleRefused(f"{path.name}: " + "; ".join(faults))
    return BundleFiles(
        path=path,
        name=path.name,
        version=str(version).strip()[:32],
        intended_use=str(config.get("intended_use") or metadata.get("intended_use") or ""),
        config=config,
        fingerprint=fingerprint(path),
    )


def fingerprint(path: Path) -> Fingerprint:
    """Hash a bundle's weights and configuration; names count too, so that no file can be swapped in.

    Raises:
        BundleRefused: the weights are missing.
    """
    try:
        weights = _sha256(path / WEIGHTS)
    except FileNotFoundError as error:
        raise BundleRefused(f"{path.name} lacks {WEIGHTS}") from error
    digest = hashlib.sha256()
    for file in sorted((path / "configs").rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()}\0{_sha256(file)}\n".encode())
    return Fingerprint(weights_sha256=weights, configs_sha256=digest.hexdigest())


def require_same(found: Fingerprint, pinned: Fingerprint) -> None:
    """Raises BundleChanged, naming what differs, unless the bundle is the registered one."""
    for what, ours, theirs in (
        ("weights", pinned.weights_sha256, found.weights_sha256),
        ("configuration", pinned.configs_sha256, found.configs_sha256),
    ):
        if ours != theirs:
            raise BundleChanged(
                f"the bundle's {what} changed since registration (SHA-256 {theirs[:12]}…, registered "
                f"{ours[:12]}…): restore it, or register it as a new version"
            )


def static_faults(path: Path) -> list[str]:
    """What a bundle's files may not contain: code, odd files, calls outside the allow-list."""
    faults = []
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink():
            faults.append(f"{name} is a link")
        elif file.is_file() and file.suffix.lower() in CODE_SUFFIXES:
            faults.append(f"{name} is code or a pickle")
        elif file.is_file() and "configs/" in name and file.suffix not in CONFIG_SUFFIXES:
            faults.append(f"{name} is not JSON")
    for file in sorted((path / "configs").glob("*.json")):
        if file.name != "metadata.json":
            faults += [f"configs/{file.name}: {fault}" for fault in config_faults(_read_json(file))]
    return faults


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


def _config_faults(config: dict[str, Any]) -> list[str]:
    faults = [f"configs/firstread.json lacks {key}" for key in REQUIRED_KEYS if key not in config]
    if faults:
        return faults
    finding = config["finding"]
    if not isinstance(finding, dict) or {"code", "scheme", "meaning"} - finding.keys():
        faults.append("finding needs code, scheme and meaning")
    for key in ("rank_threshold", "alert_threshold", "mask_threshold"):
        if not isinstance(config[key], int | float) or not 0.0 < float(config[key]) <= 1.0:
            faults.append(f"{key} must lie above 0 and be at most 1")
    if config.get("criticality", "critical") not in {"critical", "urgent", "normal"}:
        faults.append("criticality must be critical, urgent or normal")
    return faults


def _walk(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _walk(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value, key)
    else:
        yield key, node


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleRefused(f"{path.name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BundleRefused(f"{path.name} must hold a JSON object")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
