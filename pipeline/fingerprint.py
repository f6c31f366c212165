"""Hashes that say what made a result, and which result it is. No time, host or path enters one."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError
from pipeline.storage import sha256

EXEMPT = ("pipeline.errors", "pipeline.params", "pipeline.provenance", "pipeline.registry", "pipeline.tracking")
"""Modules (and what is in them) that read, check or record, and so shape no result."""


def sources(modules: Iterable[str]) -> dict[str, Path]:
    """The modules of `pipeline` that the given ones consist of: themselves and what they import, at any depth.

    It is read from the import statements, so it does not depend on what a process happens to have loaded.
    Exempt modules and packages' own files, which hold no code that shapes a result, are left out.

    Args:
        modules: full names, such as "pipeline.models.recurrent".

    Returns:
        Name -> file, sorted by name.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(tuple(f"{exempt}." for exempt in EXEMPT)) or name in EXEMPT:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"There is no module {name}", name=name)
        if spec.submodule_search_locations is None:
            found[name] = Path(spec.origin)
            waiting += _imports(found[name])
    return dict(sorted(found.items()))


def code(modules: Iterable[str]) -> str:
    """The SHA-256 over the text of `sources(modules)`; line ends do not count."""
    digest = hashlib.sha256()
    for name, path in sources(modules).items():
        text = path.read_text(encoding="utf-8").encode()
        digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def data(folder: Path) -> str:
    """The SHA-256 over the names and bytes of a prepared data set's files.

    Raises:
        UnrollError: the folder is missing or empty.
    """
    return _files(folder, sorted(path for path in folder.rglob("*") if path.is_file()))


def lock() -> str:
    """The SHA-256 of numerics.lock, the versions of the packages that compute; line ends do not count.

    Raises:
        UnrollError: it is not beside the code.
    """
    path = Path(__file__).resolve().parents[1] / "numerics.lock"
    if not path.is_file():
        raise UnrollError(f"{path} is missing; take it from the repository")
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()


def params(section: Mapping[str, Any]) -> str:
    """The SHA-256 over plain data as canonical JSON: the order of keys does not count.

    Args:
        section: such as `params.experiment(name).model_dump()`.
    """
    text = json.dumps(section, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def brief(parts: Mapping[str, str]) -> str:
    """Twelve characters for what a result was made of, to cite it by.

    Args:
        parts: `fingerprint` of a run.json: the hashes of params, data, code and lock.
    """
    return hashlib.sha256("".join(parts.values()).encode()).hexdigest()[:12]


def run(folder: Path) -> str:
    """The fingerprint of a run: the SHA-256 over all that a training left in `runs/DATASET/EXPERIMENT`.

    Raises:
        UnrollError: a file is missing.
    """
    named = [folder / name for name in ("run.json", "history.csv", "predictions.npz")]
    return _files(folder, named + sorted(path for path in (folder / "weights").rglob("*") if path.is_file()))


def _files(folder: Path, paths: list[Path]) -> str:
    digest = hashlib.sha256()
    missing = [path for path in paths if not path.is_file()] if paths else [folder]
    if missing:
        raise UnrollError(f"{missing[0]} is missing; `unroll repro` builds it")
    for path in paths:
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()


def _imports(path: Path) -> Iterator[str]:
    """The modules of `pipeline` that a file's import statements name, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from pipeline import storage` names a module, `from pipeline.storage import sha256` does not.
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module, *(name for name in inner if name.startswith("pipeline.") and _is_module(name))]
        else:
            continue
        yield from (name for name in names if name.startswith("pipeline."))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is a module, not a package
        return False
