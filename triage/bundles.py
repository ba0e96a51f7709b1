"""What the files of a MONAI bundle are, told without running any of them.

A bundle's configuration is code: MONAI's ConfigParser evaluates `$…` expressions and calls whatever
`_target_` names. So a bundle is trusted code that an administrator registers, its files are pinned by
SHA-256, and before that a static check (triage/vetting) refuses what a bundle has no business with.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.names import name_faults
from triage.targets import TargetFinding, target_faults, targets
from triage.vetting.configurations import config_faults
from triage.vetting.onnx import onnx_faults
from triage.vetting.pickles import weights_faults
from triage.vetting.torchscript import torchscript_faults

__all__ = ["BundleChanged", "BundleFiles", "BundleRefused", "Fingerprint", "TargetFinding", "fingerprint",
           "read_bundle", "require_same", "static_faults", "targets", "weights_of"]  # fmt: skip

# By `format`: the file of the weights, and the configurations that must be there.
WEIGHTS = {
    "monai": Path("models") / "model.pt",
    "torchscript": Path("models") / "model.ts",
    "onnx": Path("models") / "model.onnx",
}
CONFIG_NAMES = {
    "monai": ("metadata.json", "inference.json", "firstread.json"),
    "torchscript": ("metadata.json", "firstread.json"),
    "onnx": ("metadata.json", "firstread.json"),
}
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}")
KINDS = ("segmentation", "classification", "detection")
DIMENSIONS = (2, 2.5, 3)
RUNTIMES = ("torch", "openvino", "onnxruntime")
CONFIG_SUFFIXES = frozenset({".json"})
CODE_SUFFIXES = frozenset({".py", ".pyc", ".so", ".pkl", ".pickle", ".pth", ".sh", ".yaml", ".joblib"})
ARCHIVE_SUFFIXES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".whl", ".jar"})
REQUIRED_KEYS = ("input_limits", "routing")
# Needed by kind: what only a map of voxels has.
SEGMENTATION_KEYS = ("mask_threshold", "min_component_ml")


class BundleRefused(Exception):
    """The bundle must not be registered or loaded; the message lists what is wrong."""


class BundleChanged(BundleRefused):
    """The files are not those that were registered."""


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of the weights, and over all configuration files in the order of their names."""

    weights_sha256: str
    configs_sha256: str

    @property
    def combined(self) -> str:
        """One SHA-256 for both, as `models fingerprint` prints it."""
        return hashlib.sha256(f"{self.weights_sha256} {self.configs_sha256}\n".encode()).hexdigest()


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
    config = _read_json(path / "configs" / "firstread.json")
    weights = weights_of(path, config)
    needed = (*(Path("configs") / name for name in CONFIG_NAMES[_format(config)]), weights)
    if missing := [str(file) for file in needed if not (path / file).is_file()]:
        raise BundleRefused(f"{path.name} lacks {', '.join(missing)}")
    metadata = _read_json(path / "configs" / "metadata.json")
    faults = [*static_faults(path), *_config_faults(config)]
    version = metadata.get("version")
    if not isinstance(version, str) or not VERSION.fullmatch(version.strip()):
        faults.append("configs/metadata.json names no version of letters, digits, '.', '_', '+' and '-'")
    if faults:
        raise BundleRefused(f"{path.name}: " + "; ".join(faults))
    return BundleFiles(
        path=path,
        name=path.name,
        version=str(version).strip(),
        intended_use=str(config.get("intended_use") or metadata.get("intended_use") or ""),
        config=config,
        fingerprint=fingerprint(path),
    )


def fingerprint(path: Path) -> Fingerprint:
    """Hash a bundle's weights and configuration; names count too, so that no file can be swapped in.

    Whatever else lies beside the weights counts with the configuration.

    Raises:
        BundleRefused: the weights or configs/firstread.json are missing.
    """
    weights = weights_of(path, _read_json(path / "configs" / "firstread.json"))
    if not (path / weights).is_file():
        raise BundleRefused(f"{path.name} lacks {weights}")
    others = [p for p in (path / "models").rglob("*") if p != path / weights]
    digest = hashlib.sha256()
    for file in sorted((*(path / "configs").rglob("*"), *others)):
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()}\0{_sha256(file)}\n".encode())
    return Fingerprint(weights_sha256=_sha256(path / weights), configs_sha256=digest.hexdigest())


def weights_of(path: Path, config: Mapping[str, Any]) -> Path:
    """Where a bundle's weights lie, relative to its folder, by its `format`; raises BundleRefused."""
    if _format(config) not in WEIGHTS:
        raise BundleRefused(
            f"{path.name}: format {_format(config)!r} is none of {', '.join(WEIGHTS)} (configs/firstread.json)"
        )
    return WEIGHTS[_format(config)]


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
    """What a bundle's files may not be, name or call; each fault says in which file and where.

    Args:
        path: the bundle's folder; nothing in it is run.
    """
    faults = []
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink():
            faults.append(f"{name} is a link")
        elif file.is_dir():
            continue
        elif not file.is_file():
            faults.append(f"{name} is no plain file")
        elif file.suffix.lower() in CODE_SUFFIXES:
            faults.append(f"{name} is code or a pickle")
        elif file.suffix.lower() in ARCHIVE_SUFFIXES:
            faults.append(f"{name} is an archive in the archive")
        elif name.startswith("configs/") and file.suffix not in CONFIG_SUFFIXES:
            faults.append(f"{name} is not JSON")
        elif name.startswith("models/") and file.relative_to(path) not in WEIGHTS.values():
            faults.append(f"{name} is none of {', '.join(w.name for w in WEIGHTS.values())}")
    for file in sorted((path / "configs").glob("*.json")):
        if file.name != "metadata.json":
            faults += [f"configs/{file.name}: {fault}" for fault in config_faults(_read_json(file))]
    for form, weights in WEIGHTS.items():
        if (path / weights).is_file() and not (path / weights).is_symlink():
            look = {"monai": weights_faults, "torchscript": torchscript_faults, "onnx": onnx_faults}[form]
            faults += [f"{weights}: {fault}" for fault in look(path / weights)]
    return faults


def _format(config: Mapping[str, Any]) -> str:
    return str(config.get("format", "monai"))


def _config_faults(config: dict[str, Any]) -> list[str]:
    kind, dimensions = config.get("kind", "segmentation"), config.get("dimensions", 3)
    faults = [*target_faults(config), *name_faults(config)]
    for key, value, allowed in (
        ("kind", kind, KINDS),
        ("dimensions", dimensions, DIMENSIONS),
        ("runtime", config.get("runtime", "torch"), RUNTIMES),
    ):
        if value not in allowed:
            faults.append(f"{key} {value!r} is none of {', '.join(map(str, allowed))}")
    required = [*REQUIRED_KEYS]
    if kind == "segmentation":
        required += SEGMENTATION_KEYS
        if not all(target.probability for target in _readable_targets(config)):
            required.append("probability")
    if dimensions == 3:
        required.append("spacing_mm")
    faults += [f"configs/firstread.json lacks {key}" for key in required if key not in config]
    for key in ("input_limits", "routing"):
        if not isinstance(config.get(key, {}), dict):
            faults.append(f"{key} must be an object")
    if "mask_threshold" in config and not 0.0 < _number(config["mask_threshold"]) <= 1.0:
        faults.append("mask_threshold must lie above 0 and be at most 1")
    if not isinstance(config.get("second_opinion_to", ""), str):
        faults.append("second_opinion_to must be the name of a model")
    return faults


def _readable_targets(config: dict[str, Any]) -> tuple[TargetFinding, ...]:
    return () if target_faults(config) else targets(config)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleRefused(f"{path.parent.parent.name} lacks configs/{path.name}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleRefused(f"{path.name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BundleRefused(f"{path.name} must hold a JSON object")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
