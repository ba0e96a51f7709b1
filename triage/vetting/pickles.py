"""Weights saved by torch: which classes their pickles name.

`torch.load(weights_only=True)` refuses what is not on its list when a model is loaded; this tells before
registration, and tells where. Two looks: an allow-list over the opcodes (nothing is executed), and picklescan.
"""

from __future__ import annotations

import io
import logging
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from picklescan.scanner import scan_file_path

from triage.vetting.torch_zip import entries, is_zip

# As pickle writes a name: module and name.
TENSORS = frozenset(
    {("collections", "OrderedDict"), ("torch", "Size"), ("torch.storage", "UntypedStorage")}
    | {("torch._utils", f"_rebuild_{what}") for what in ("tensor", "tensor_v2", "parameter")}
    | {
        ("torch", f"{kind}Storage")
        for kind in (
            "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped",
        )
    }
)  # fmt: skip
# Other ways to name or build something than GLOBAL; torch writes none of them.
REFUSED_OPCODES = frozenset(
    {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "NEWOBJ_EX", "BYTEARRAY8",
     "NEXT_BUFFER", "READONLY_BUFFER"}
)  # fmt: skip
# A pickle of weights holds names and shapes; the numbers lie beside it.
MOST_PICKLE_BYTES = 64 * 1024 * 1024
# magic number, protocol, system, the object, the keys of its storages: torch's format before 1.6.
LEGACY_PICKLES = 5
MOST_FAULTS = 10

logging.getLogger("picklescan").setLevel(logging.CRITICAL)


def weights_faults(path: Path) -> list[str]:
    """What is wrong with a file of weights (`model.pt`), each with the place in it."""
    with path.open("rb") as file:
        if is_zip(file):
            faults = _zip_faults(file)
        else:
            faults = []
            for number in range(LEGACY_PICKLES):
                faults += pickle_faults(file, f"pickle {number + 1}", allowed_in_weights)
                if faults:
                    break
    return faults or _second_look(path)


def allowed_in_weights(module: str, name: str) -> bool:
    """True for what tensors, and dictionaries of them, are made of."""
    return (module, name) in TENSORS


def pickle_faults(file: IO[bytes], where: str, allowed: Callable[[str, str], bool]) -> list[str]:
    """What one pickle names that it may not, read from the file's position to its end (STOP)."""
    faults: list[str] = []
    try:
        for opcode, argument, position in pickletools.genops(file):
            if opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                if not allowed(module, name):
                    faults.append(f"{where}, byte {position}: names {module}.{name}")
            elif opcode.name in REFUSED_OPCODES:
                faults.append(f"{where}, byte {position}: opcode {opcode.name}, which torch does not write")
            if len(faults) >= MOST_FAULTS:
                break
    except (ValueError, EOFError, OverflowError, UnicodeDecodeError) as error:
        faults.append(f"{where}: is no pickle ({error})")
    return faults


def _zip_faults(file: IO[bytes]) -> list[str]:
    faults, found = entries(file)
    if faults:
        return faults
    with zipfile.ZipFile(file) as archive:
        for inside, info in found.items():
            if inside.startswith("code/") or inside == "constants.pkl":
                faults.append(f"{inside}: TorchScript, not plain weights: name it models/model.ts")
            elif inside.endswith(".pkl"):
                if info.file_size > MOST_PICKLE_BYTES:
                    faults.append(f"{inside}: larger than a list of tensors can be")
                else:
                    data = io.BytesIO(archive.read(info))
                    faults += pickle_faults(data, inside, allowed_in_weights)
    if "data.pkl" not in found:
        faults.append("holds no data.pkl: not a file of torch.save")
    return faults


def _second_look(path: Path) -> list[str]:
    # picklescan goes by the file's name; every file comes here as *.pt.
    result = scan_file_path(str(path))
    # What it merely does not know ("suspicious") has passed the allow-list, which is shorter than its own.
    names = sorted({f"{g.module}.{g.name}" for g in result.globals if g.safety.value == "dangerous"})
    if result.issues_count or names:
        return [f"picklescan: names {', '.join(names) or 'something dangerous'}"]
    return ["picklescan: cannot read it"] if result.scan_err else []
