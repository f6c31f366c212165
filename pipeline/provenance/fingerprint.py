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

from pipeline.config import extensions
from pipeline.config.params import Experiment, Preparation
from pipeline.config.registry import METHODS, METRICS, MODELS, PREPARATIONS, module
from pipeline.errors import UnrollError
from pipeline.files import missing, sha256
from pipeline.provenance.machine import CODE, NUMERICS, PACKAGES, PACKED, repository

EXEMPT = (
    *(
        "pipeline.config",
        "pipeline.data.download",
        "pipeline.errors",
        "pipeline.failures",
        "pipeline.locks",
    ),
    *("pipeline.metrics.table", "pipeline.provenance", "pipeline.tracking"),
    *(
        "pipeline.training.run_store",
        "pipeline.training.task",
        "pipeline.validation",
        "pipeline.workspace",
    ),
)
"""Modules (and what is in them) that fetch, list, read, check, record or keep, and so
shape no result."""

TEMPLATES = {".css", ".csv", ".j2", ".js"}
"""Ends of the files that a module reads from its own folder."""


@dataclass(frozen=True)
class Ingredients:
    """What a run is made of: its section, and the SHA-256 of each prepared file, each
    module and numerics.lock.
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
    """Read what a run of an experiment is made of, whose prepared data set is a folder,
    by a preparation.

    Raises:
        UnrollError: the data set is not prepared, or .ci/locks/numerics.lock is
            missing.
    """
    made_of = training(experiment, preparation, Code(CODE))
    return Ingredients(files=files_of(prepared), **made_of)


def training(
    experiment: Experiment, preparation: Preparation, code: "Code"
) -> dict[str, Any]:
    """What a run of an experiment, whose names have modules, is made of besides its
    data.
    """
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
    # the best one is chosen by what the data set is compared by
    if "epochs" in options:
        prepare = module(
            PREPARATIONS,
            preparation.name,
            f"datasets.{experiment.dataset}.preparation.name",
        )
        modules.append(f"{METRICS}.{prepare.METRIC}")
    return code.made_of(experiment.model_dump(), modules)


def files_of(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every file of a folder. Raises UnrollError if there is none."""
    hashes = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if not hashes:
        raise missing(folder)
    return hashes


def params(experiment: Experiment) -> str:
    """The hash of an experiment's section, as in a run's fingerprint."""
    return _of(experiment.model_dump())


def folder(path: Path) -> str:
    """The hash of all that lies in a folder, such as a run's or a data set's. Raises
    UnrollError if it is missing.
    """
    return _of(files_of(path))


def brief(hashes: Mapping[str, str]) -> str:
    """Twelve characters to cite a result by, for its `fingerprint`: the hashes of
    params, data, code and lock.
    """
    return hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:12]


@cache
def package() -> str:
    """Version and hash of the code that runs, such as `0.2.0 1f3c5a7b9d2e`: of an edit
    or another commit another.
    """
    files = [
        file
        for name in PACKAGES
        for file in (CODE / name).rglob("*")
        if file.suffix in {".py", *TEMPLATES}
    ]
    own = [file for file in files if not file.is_relative_to(CODE.joinpath(*PACKED))]
    hashes = {file.relative_to(CODE).as_posix(): _text_hash(file) for file in own}
    return f"{metadata.version('unroll')} {_of(hashes)[:12]}"


class Code:
    """The code in a folder that holds `PACKAGES`, beside the repository's
    numerics.lock; each file is read once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._imported = cache(self._imports)
        self._hash = cache(_text_hash)
        self._beside = cache(_templates)

    def made_of(self, params: Any, modules: Iterable[str]) -> dict[str, Any]:
        """Params, and hashes of the modules that a command begins with and of all that
        they consist of.

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
        """The files that the given modules consist of: themselves, what they import of
        `pipeline`, and their templates.

        It is read from the import statements, so it does not depend on what a process
        happens to have loaded. A package counts where a name is imported from its own
        file. Modules of `EXEMPT` are left out.

        Returns:
            Full name -> file, sorted by name.

        Raises:
            FileNotFoundError: there is no such module.
        """
        files: dict[str, Path] = {}
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name in files or f"{name}.".startswith(
                tuple(f"{exempt}." for exempt in EXEMPT)
            ):
                continue
            files[name] = file = self._file(name)
            waiting += self._imported(file)
        for name, file in list(files.items()):
            files |= {
                f"{name.rpartition('.')[0]}/{path.name}": path
                for path in self._beside(file.parent)
            }
        return dict(sorted(files.items()))

    def _imports(self, path: Path) -> list[str]:
        """The modules of `pipeline` that a file's import statements name, also in
        functions; not for type checkers.
        """
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typed = [
            node
            for node in tree.body
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ]
        names: list[str] = []
        for node in {*ast.walk(tree)} - {
            inner for block in typed for inner in ast.walk(block)
        }:
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                # `from pipeline import files` names a module, `from pipeline.files
                # import sha256` does not.
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                names += [
                    name if self._file(name).exists() else node.module for name in inner
                ]
        return [name for name in names if name.startswith("pipeline.")]

    def _file(self, name: str) -> Path:
        """Of a module, which may be the user's, or of a package its own."""
        path = self._root.joinpath(*name.split("."))
        if path.is_dir():
            return path / "__init__.py"
        own = path.with_suffix(".py")
        return own if own.exists() else extensions.file(name) or own


def _templates(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in TEMPLATES]


def _of(plain: Mapping[str, Any]) -> str:
    """The SHA-256 over plain data as canonical JSON: the order of keys does not count."""
    text = json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _text_hash(path: Path) -> str:
    """The SHA-256 of a text; line ends do not count."""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
