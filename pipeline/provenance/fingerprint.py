"""Hashes of results and of their ingredients. No time, host or path enters a hash."""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from pipeline.config import named_modules
from pipeline.config.named_modules import METHODS, METRICS, MODELS
from pipeline.config.params import Experiment
from pipeline.errors import UnrollError
from pipeline.files import hashes_of, read_json
from pipeline.provenance.machine import kept, unlocked
from pipeline.provenance.places import CODE, NUMERICS, PACKAGES, PACKED, project_of

EXEMPT = (
    "pipeline.config",
    "pipeline.data.fetch",
    "pipeline.errors",
    "pipeline.locks",
    "pipeline.metrics.table",
    "pipeline.provenance",
    "pipeline.tracking",
    "pipeline.training.tasks",
    "pipeline.validation",
    "pipeline.workspace",
)
"""Modules and packages that change no result: they fetch, list, read, check, record or
store."""

CODE_SUFFIXES = {".py", ".css", ".csv", ".j2", ".js", ".svg"}
"""The suffixes of the files that packages consist of."""


@dataclass(frozen=True)
class Ingredients:
    """Everything that a run is made of.

    Attributes:
        params: the experiment's section of params.yaml.
        files: prepared file -> SHA-256.
        modules: module -> SHA-256 of its code, without comments and docstrings.
        lock: the SHA-256 of numerics.lock; if packages differ from it, or the user
            keeps environment variables, a SHA-256 of these, too.
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
    prepared: Path,
    experiment: Experiment,
    code: "Code | None" = None,
) -> Ingredients:
    """Return the ingredients of a run of an experiment.

    Args:
        prepared: the folder of its data set.
        experiment: the experiment.
        code: the code and data that were read before, which takes most of the time.

    Raises:
        UnrollError: the data set is not prepared, or locks/numerics.lock is
            missing.
    """
    code = code or Code(CODE)
    files = code.hashes_of(prepared)
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
    if "epochs" in options:  # the data set's metric chooses the best epoch
        metric = read_json(prepared / "dataset.json")["metric"]
        modules.append(f"{METRICS}.{metric}")
    return Ingredients(files=files, **code.made_of(experiment.model_dump(), modules))


def params(experiment: Experiment) -> str:
    """Return the hash of an experiment's section, as in a run's fingerprint."""
    return _of(experiment.model_dump())


def folder(path: Path) -> str:
    """Return the hash of a folder's content, such as a run's or a data set's.

    Raises UnrollError if the folder is missing or empty.
    """
    return _of(hashes_of(path))


def brief(hashes: Mapping[str, str]) -> str:
    """Return twelve characters to cite a result by.

    `hashes` is the result's fingerprint: the hashes of params, data, code and lock.
    """
    return hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:12]


@cache
def package() -> str:
    """Return the version and a hash of the running code, such as "0.2.0 1f3c5a7b9d2e".

    An edit of the code changes the hash.
    """
    packed = CODE.joinpath(*PACKED)
    hashes = {}
    for name in PACKAGES:
        for file in (CODE / name).rglob("*"):
            if file.suffix in CODE_SUFFIXES and not file.is_relative_to(packed):
                hashes[file.relative_to(CODE).as_posix()] = _text_hash(file)
    return f"{metadata.version('unroll')} {_of(hashes)[:12]}"


class Code:
    """The code in a folder that holds `PACKAGES`, and folders of data. Each file is
    read once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._imported = cache(self._imports)
        self._hash = cache(_code_hash)
        self._of_lock = cache(_lock_hash)
        self.hashes_of = cache(hashes_of)

    def made_of(self, params: Any, modules: Iterable[str]) -> dict[str, Any]:
        """Return the ingredients params, modules and lock of `Ingredients`.

        Args:
            params: the section of params.yaml.
            modules: the modules that a command begins with; the modules that they
                import are added.

        Raises:
            UnrollError: locks/numerics.lock is missing.
        """
        lock = project_of(self._root) / NUMERICS
        if not lock.is_file():
            raise UnrollError(f"{lock} is missing; take it from the repository")
        hashes = {
            name: self._hash(path) for name, path in self.sources(modules).items()
        }
        return {"params": params, "modules": hashes, "lock": self._of_lock(lock)}

    def sources(self, modules: Iterable[str]) -> dict[str, Path]:
        """Return module -> file for the given modules and all that they import of
        `pipeline`, sorted by name and without `EXEMPT`.

        The import statements are read, so the answer does not depend on the modules
        that a process has loaded. A package counts if a name is imported from its own
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
                waiting += self._imported(name, files[name])
        return dict(sorted(files.items()))

    def _imports(self, name: str, path: Path) -> list[str]:
        """Return the modules of `pipeline` that a module imports, also in functions.

        Imports for type checkers only are left out.

        Args:
            name: the full name of the module, from which relative imports start.
            path: its file.
        """
        is_package = path.name == "__init__.py"
        package = name if is_package else name.rpartition(".")[0]
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
                outer = resolve_name("." * node.level + (node.module or ""), package)
                for alias in node.names:
                    inner = f"{outer}.{alias.name}"
                    names.append(inner if self._file(inner).exists() else outer)
        return [name for name in names if name.startswith("pipeline.")]

    def _file(self, name: str) -> Path:
        """Return the file of a module or package; a module may be the user's."""
        path = self._root.joinpath(*name.split("."))
        if path.is_dir():
            return path / "__init__.py"
        ours = path.with_suffix(".py")
        users = named_modules.own_file(name)
        return users if users.is_file() and not ours.exists() else ours


def _of(plain: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data as JSON, with sorted keys."""
    text = json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _text_hash(path: Path) -> str:
    """Return the SHA-256 of a text file, whatever its line ends."""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()


def _code_hash(path: Path) -> str:
    """Return the SHA-256 of a module's code, without what only people read."""
    code = without_prose(path.read_text(encoding="utf-8"))
    return hashlib.sha256(code.encode()).hexdigest()


def _lock_hash(lock: Path) -> str:
    """Return the SHA-256 of a lock file, and of what differs from it in this process."""
    packages = unlocked(lock)
    variables = kept()
    if not packages and not variables:
        return _text_hash(lock)
    return _of({"lock": _text_hash(lock), "packages": packages, "variables": variables})


def without_prose(source: str) -> str:
    """Return Python code without comments, docstrings, blank lines and model cards.

    A string that stands alone on its lines is a docstring, also below a constant. All
    other characters stay, so the result is the same for every version of Python that
    reads the code.

    Raises:
        SyntaxError: it is no Python.
    """
    lines = source.split("\n")
    prose = set[int]()  # rows, counted from 0
    within = set[int]()  # rows that begin within a string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt | ast.Constant | ast.JoinedStr):
            rows = range(node.lineno - 1, node.end_lineno or 0)
            if isinstance(node, ast.stmt) and (
                is_card(node) or _is_docstring(node, lines)
            ):
                prose.update(rows)
            elif not isinstance(node, ast.stmt):
                within.update(rows[1:])
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, begin = token.start
            lines[row - 1] = lines[row - 1][:begin].rstrip()
    return "\n".join(
        line
        for row, line in enumerate(lines)
        if row not in prose and (line.strip() or row in within)
    )


def is_card(statement: ast.stmt) -> bool:
    """Return whether a statement defines model cards, or the words of a card."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name.endswith(("_title", "_card"))
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0]) == "CARDS"
    return False


def _is_docstring(statement: ast.stmt, lines: Sequence[str]) -> bool:
    """Return whether a statement is a text that stands alone on its lines."""
    if not isinstance(statement, ast.Expr) or not isinstance(
        statement.value, ast.Constant
    ):
        return False
    before = lines[statement.lineno - 1].encode()[: statement.col_offset]
    after = lines[(statement.end_lineno or 0) - 1].encode()[statement.end_col_offset :]
    alone = not before.strip() and not after.strip()
    return alone and isinstance(statement.value.value, str)
