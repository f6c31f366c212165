"""Hashes that say what made a result, and which result it is. No time, host or path
enters one.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.config import registry
from pipeline.config.params import Experiment, Preparation
from pipeline.config.registry import METHODS, METRICS, MODELS, PREPARATIONS, module
from pipeline.errors import UnrollError
from pipeline.files import missing, sha256
from pipeline.provenance.machine import CODE, NUMERICS, PACKAGES, PACKED, repository

EXEMPT = (
    "pipeline.config",
    "pipeline.data.download",
    "pipeline.errors",
    "pipeline.failures",
    "pipeline.locks",
    "pipeline.metrics.table",
    "pipeline.provenance",
    "pipeline.tracking",
    "pipeline.training.run_store",
    "pipeline.validation",
    "pipeline.workspace",
)
"""Modules (and what is in them) that fetch, list, read, check, record or keep, and so
shape no result."""

CODE_SUFFIXES = {".py", ".css", ".csv", ".j2", ".js"}
"""Ends of the files that packages consist of."""


@dataclass(frozen=True)
class Ingredients:
    """All that a run is made of: its section, and the SHA-256 of each prepared file,
    each module and numerics.lock.
    """

    params: dict[str, Any]
    files: dict[str, str]
    modules: dict[str, str]
    lock: str

    @property
    def fingerprint(self) -> dict[str, str]:
        """One SHA-256 for each of params, data, code and lock."""
        return {
            "params": _of(self.params),
            "data": _of(self.files),
            "code": _of(self.modules),
            "lock": self.lock,
        }


def ingredients(
    prepared: Path, experiment: Experiment, preparation: Preparation
) -> Ingredients:
    """Return what a run of an experiment is made of.

    Args:
        prepared: the folder of its data set.
        experiment: the experiment.
        preparation: of the data set.

    Raises:
        UnrollError: the data set is not prepared, or .ci/locks/numerics.lock is
            missing.
    """
    made_of = training(experiment, preparation, Code(CODE))
    return Ingredients(files=files_of(prepared), **made_of)


def training(
    experiment: Experiment, preparation: Preparation, code: "Code"
) -> dict[str, Any]:
    """Return what a run of an experiment is made of besides its data."""
    method = experiment.training.method
    options = experiment.training.options
    modules = [
        "stages.perform",
        f"{MODELS}.{experiment.model.family}",
        f"{METHODS}.{method}",
    ]
    if experiment.features is not None:
        modules.append(f"{MODELS}.baselines")
    if "loss" in options:
        modules.append(f"{METRICS}.{options['loss']}")
    if "epochs" in options:  # the best one is chosen by the data set's metric
        where = f"datasets.{experiment.dataset}.preparation.name"
        prepare = module(PREPARATIONS, preparation.name, where)
        modules.append(f"{METRICS}.{prepare.METRIC}")
    return code.made_of(experiment.model_dump(), modules)


def files_of(folder: Path) -> dict[str, str]:
    """Return name -> SHA-256 of every file of a folder. Raises UnrollError if there is
    none.
    """
    hashes = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if not hashes:
        raise missing(folder)
    return hashes


def params(experiment: Experiment) -> str:
    """Return the hash of an experiment's section, as in a run's fingerprint."""
    return _of(experiment.model_dump())


def folder(path: Path) -> str:
    """Return the hash of all that lies in a folder, such as a run's or a data set's.
    Raises UnrollError if it is missing.
    """
    return _of(files_of(path))


def brief(hashes: Mapping[str, str]) -> str:
    """Return twelve characters to cite a result by, for its `fingerprint`: the hashes
    of params, data, code and lock.
    """
    return hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:12]


@cache
def package() -> str:
    """Return the version and the hash of the code that runs, such as `0.2.0
    1f3c5a7b9d2e`; an edit has another hash.
    """
    packed = CODE.joinpath(*PACKED)
    hashes = {}
    for name in PACKAGES:
        for file in (CODE / name).rglob("*"):
            if file.suffix in CODE_SUFFIXES and not file.is_relative_to(packed):
                hashes[file.relative_to(CODE).as_posix()] = _text_hash(file)
    return f"{metadata.version('unroll')} {_of(hashes)[:12]}"


class Code:
    """The code in a folder that holds `PACKAGES`, beside the repository's
    numerics.lock; each file is read once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._imported = cache(self._imports)
        self._hash = cache(_text_hash)

    def made_of(self, params: Any, modules: Iterable[str]) -> dict[str, Any]:
        """Return params, and hashes of the modules that a command begins with and of
        all that they import.

        Raises:
            UnrollError: .ci/locks/numerics.lock is missing.
        """
        lock = repository(self._root) / NUMERICS
        if not lock.is_file():
            raise UnrollError(f"{lock} is missing; take it from the repository")
        hashes = {
            name: self._hash(path) for name, path in self.sources(modules).items()
        }
        return {"params": params, "modules": hashes, "lock": self._hash(lock)}

    def sources(self, modules: Iterable[str]) -> dict[str, Path]:
        """Return the files of the given modules and of what they import of `pipeline`,
        but for `EXEMPT`: full name -> file, sorted by name.

        The import statements are read, so the answer does not depend on what a process
        happens to have loaded. A package counts where a name is imported from its own
        file.

        Raises:
            FileNotFoundError: there is no such module.
        """
        exempt = tuple(f"{name}." for name in EXEMPT)
        files: dict[str, Path] = {}
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name not in files and not f"{name}.".startswith(exempt):
                files[name] = self._file(name)
                waiting += self._imported(files[name])
        return dict(sorted(files.items()))

    def _imports(self, path: Path) -> list[str]:
        """Return the modules of `pipeline` that a file imports, also in functions; not
        for type checkers.
        """
        names = []
        waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            waiting += ast.iter_child_nodes(node)
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                # `from pipeline import files` names a module, `from pipeline.files
                # import sha256` does not.
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    is_module = self._file(inner).exists()
                    names.append(inner if is_module else str(node.module))
        return [name for name in names if name.startswith("pipeline.")]

    def _file(self, name: str) -> Path:
        """Return the file of a module, which may be the user's, or of a package."""
        path = self._root.joinpath(*name.split("."))
        if path.is_dir():
            return path / "__init__.py"
        ours = path.with_suffix(".py")
        users = registry.own_file(name)
        return users if users.is_file() and not ours.exists() else ours


def _of(plain: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data as JSON, with sorted keys."""
    text = json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _text_hash(path: Path) -> str:
    """Return the SHA-256 of a text; line ends do not count."""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
