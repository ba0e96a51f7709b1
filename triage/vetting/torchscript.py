"""TorchScript archives (`model.ts`): what their code calls and what their pickles name.

TorchScript is a language of its own without Python's built-ins, but some of its operators read and write
files or reach other processes: `torch.from_file`, `torch.save`, `ops.rpc.…`. Its source is checked here.
"""

from __future__ import annotations

import ast
import io
import re
import zipfile
from pathlib import Path

from triage.vetting.pickles import MOST_FAULTS, MOST_PICKLE_BYTES, TENSORS, pickle_faults
from triage.vetting.torch_zip import entries, is_zip

# Operators that read or write files, reach other processes, print, or trust sizes that they are told. An
# operator can be called on a value as well (`x.save(name)`), so the name alone counts, whatever it stands on.
REFUSED_OPERATORS = re.compile(
    r"^(from_file|save|load|print|_print|fork|wait|record_stream|rpc_\w+|_test_\w+|_save\w*|_load\w*"
    r"|_nested_view_from_buffer\w*|_sparse_\w+_unsafe|_unsafe_masked_index\w*|_unsafe_index\w*)$"
)
ALLOWED_NAMESPACES = frozenset({"prim", "aten", "quantized"})
ALLOWED_PRIM = re.compile(
    r"^(RaiseException|NumToTensor|Uninitialized|ModuleContainerIndex|StringIndex|TupleIndex|TupleUnpack|abs"
    r"|data|device|dtype|index|itemsize|layout|max|min|name|nbytes|rangelist|requires_grad|tolist|type"
    r"|unchecked_cast|unchecked_unwrap_optional|is_[a-z_]+)$"
)
ALLOWED_CALLS = frozenset(
    {"int", "float", "bool", "str", "complex", "range", "annotate", "uninitialized", "unchecked_cast",
     "getattr", "isinstance", "len", "list", "dict", "zip", "enumerate", "min", "max", "abs", "ord", "chr",
     "round", "pow", "divmod", "sorted", "reversed", "hash", "hex", "bin", "oct", "tuple"}
)  # fmt: skip
REFUSED_NODES = (ast.Import, ast.ImportFrom, ast.Lambda, ast.Await, ast.AsyncFunctionDef, ast.Global, ast.Try)
MOST_CODE_BYTES = 16 * 1024 * 1024
JIT_PICKLE = frozenset(
    {"build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "build_tensor_from_id",
     "restore_type_tag"}
)  # fmt: skip


def torchscript_faults(path: Path) -> list[str]:
    """What is wrong with a TorchScript archive, each with file and line in it."""
    with path.open("rb") as file:
        if not is_zip(file):
            return ["is no TorchScript archive"]
        faults, found = entries(file)
        if faults:
            return faults
        with zipfile.ZipFile(file) as archive:
            for inside, info in found.items():
                if inside.endswith((".pkl", ".debug_pkl")):
                    if info.file_size > MOST_PICKLE_BYTES:
                        faults.append(f"{inside}: larger than a list of tensors can be")
                    else:
                        faults += pickle_faults(io.BytesIO(archive.read(info)), inside, allowed_in_script)
                elif inside.startswith("code/"):
                    if info.file_size > MOST_CODE_BYTES:
                        faults.append(f"{inside}: larger than code can be")
                    else:
                        faults += [f"{inside}, {fault}" for fault in code_faults(archive.read(info))]
                elif inside.startswith("extra/") and inside.endswith((".py", ".so")):
                    faults.append(f"{inside}: is code")
    if not any(inside.startswith("code/") for inside in found):
        faults.append("holds no code: not a file of torch.jit.save")
    return faults[:MOST_FAULTS]


def allowed_in_script(module: str, name: str) -> bool:
    """True for the archive's own classes and for what tensors are made of."""
    own = module == "__torch__" or module.startswith("__torch__.")
    return own or (module, name) in TENSORS or (module == "torch.jit._pickle" and name in JIT_PICKLE)


def code_faults(source: bytes) -> list[str]:
    """What TorchScript source calls that a network has no business with, with the line."""
    try:
        tree = ast.parse(source.decode("utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError, MemoryError):
        return ["line 1: is not readable as TorchScript"]
    aliases = _aliases(tree)
    faults = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, REFUSED_NODES):
            faults.append(f"line {line}: uses {type(node).__name__}")
        elif isinstance(node, ast.Attribute) and (fault := _operator_fault(node)):
            faults.append(f"line {line}: {fault}")
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id not in ALLOWED_CALLS | aliases
        ):
            faults.append(f"line {line}: calls {node.func.id}")
    return faults[:MOST_FAULTS]


def _aliases(tree: ast.AST) -> frozenset[str]:
    """Names that stand for the archive's own functions: `_0 = __torch__.torch.nn.functional.pad`."""
    return frozenset(
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _dotted(node.value)[:1] == ["__torch__"]
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _operator_fault(node: ast.Attribute) -> str:
    names = _dotted(node)
    whole = ".".join(names)
    if REFUSED_OPERATORS.match(node.attr):
        return f"uses {whole}"
    if names[0] == "ops" and len(names) == 3:
        _, namespace, operator = names
        if namespace not in ALLOWED_NAMESPACES:
            return f"uses {whole}: operators of {namespace} are not allowed"
        if namespace == "prim" and not ALLOWED_PRIM.match(operator):
            return f"uses {whole}"
    if names[:2] == ["torch", "classes"] or names[:3] == ["__torch__", "torch", "classes"]:
        return f"uses the custom class {whole}"
    return ""


def _dotted(node: ast.AST) -> list[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [*([node.id] if isinstance(node, ast.Name) else [""]), *reversed(names)]
