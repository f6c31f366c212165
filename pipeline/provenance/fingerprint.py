"""Hashes that say what made a result, and which result it is. No time, host or path enters one."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.params import Experiment
from pipeline.config.registry import METHODS, MODELS
from pipeline.errors import UnrollError
from pipeline.files import sha256
from pipeline.provenance.machine import CODE

EXEMPT = (
    *("pipeline.config", "pipeline.errors", "pipeline.failures", "pipeline.locks", "pipeline.provenance"),
    *("pipeline.tracking", "pipeline.training.compile_cache", "pipeline.validation", "pipeline.workspace"),
)
"""Modules (and what is in them) that read, check or record, and so shape no result."""


@dataclass(frozen=True)
class Ingredients:
    """What a run is made of.

    Attributes:
        params: the experiment's section of params.yaml, complete.
        files: of the prepared data set: name -> SHA-256.
        modules: name -> SHA-256 of its source text.
        lock: SHA-256 of numerics.lock, the versions of the packages that compute.
    """

    params: dict[str, Any]
    files: dict[str, str]
    modules: dict[str, str]
    lock: str

    @property
    def fingerprint(self) -> dict[str, str]:
        """One SHA-256 for each of params, data, code and lock."""
        return {"params": _of(self.params), "data": _of(self.files), "code": _of(self.modules), "lock": self.lock}


def ingredients(prepared: Path, experiment: Experiment) -> Ingredients:
    """Read what a run of an experiment is made of.

    Args:
        prepared: the folder of its data set.
        experiment: from params.yaml.

    Raises:
        UnrollError: the data set is not prepared, or numerics.lock is missing.
    """
    lock = CODE / "numerics.lock"
    if not lock.is_file():
        raise UnrollError(f"{lock} is missing; take it from the repository")
    return Ingredients(
        params=params_of(experiment),
        files=files_of(prepared),
        modules={name: _text_hash(path) for name, path in sources(modules_of(experiment)).items()},
        lock=_text_hash(lock),
    )


def params_of(experiment: Experiment) -> dict[str, Any]:
    """An experiment's section as plain data."""
    return experiment.model_dump()


def modules_of(experiment: Experiment) -> tuple[str, str]:
    """The modules that an experiment names: its model's family and its training method."""
    return f"{MODELS}.{experiment.model.family}", f"{METHODS}.{experiment.training.method}"


def files_of(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every file of a folder. Raises UnrollError if there is none."""
    found = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    if not found:
        raise UnrollError(f"{folder} is missing; `unroll repro` builds it")
    return found


def data(folder: Path) -> str:
    """The hash of a prepared data set, as in a run's fingerprint. Raises UnrollError if it is missing."""
    return _of(files_of(folder))


def params(experiment: Experiment) -> str:
    """The hash of an experiment's section, as in a run's fingerprint."""
    return _of(params_of(experiment))


def run(folder: Path) -> str:
    """The fingerprint of a run: a hash of all that a training left in `runs/DATASET/EXPERIMENT`.

    Raises:
        UnrollError: it is missing.
    """
    return _of(files_of(folder))


def brief(parts: Mapping[str, str]) -> str:
    """Twelve characters for what a result was made of, to cite it by.

    Args:
        parts: `fingerprint` of a run.json: the hashes of params, data, code and lock.
    """
    return hashlib.sha256("".join(parts.values()).encode()).hexdigest()[:12]


def sources(modules: Iterable[str]) -> dict[str, Path]:
    """The modules of `pipeline` and `stages` that the given ones consist of: themselves and what they import.

    It is read from the import statements, so it does not depend on what a process happens to have loaded. Modules of
    `EXEMPT` and packages' own files, which hold no code that shapes a result, are left out.

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


def _imports(path: Path) -> Iterator[str]:
    """The project's modules that a file's import statements name, also in functions; not those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    for node in {*ast.walk(tree)} - {inner for block in for_types for inner in ast.walk(block)}:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from pipeline import files` names a module, `from pipeline.files import sha256` does not.
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


def _of(plain: Mapping[str, Any]) -> str:
    """The SHA-256 over plain data as canonical JSON: the order of keys does not count."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text_hash(path: Path) -> str:
    """The SHA-256 of a text; line ends do not count."""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
