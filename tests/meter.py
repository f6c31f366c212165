"""How large each package is, and the limits of [tool.unroll.budget] in pyproject.toml.

    python -m tests.meter

A node is one of the syntax tree that does work: no docstring, import or annotation. A
number is a constant other than 0, 1 and 2. An arrow is an import of one module by
another of the same folder. The largest module has a limit, too, so merged modules save
nothing. Files that are no Python are counted in bytes, so nothing can be hidden there.
"""

import ast
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support import REPOSITORY

PACKAGES = ("unroll/series/reading", "unroll/series", "unroll", "pipeline", "stages")
"""The packages of the product. A file belongs to the first that holds it."""

OTHERS = ("bench", "tools")
"""Packages of the repository that are no part of the product."""

FREE = (0, 1, 2)
"""Numbers that need no name."""

SHOWN = (".j2", ".css", ".js")
"""Endings of templates, styles and scripts."""

OPTIONS = ("params.yaml", "templates.yaml", "official.yaml")
"""The options of the project, in YAML."""


def works(node: ast.AST) -> bool:
    """Return whether a node is neither an import nor a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return not isinstance(node.value.value, str)
    return not isinstance(node, ast.Import | ast.ImportFrom | ast.expr_context)


def working_nodes(tree: ast.AST) -> int:
    """Return the number of nodes that do work."""
    count = 0
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not works(node):
            continue
        count += 1
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns"}:
                continue
            parts = value if isinstance(value, list) else [value]
            waiting.extend(part for part in parts if isinstance(part, ast.AST))
    return count


def numbers(tree: ast.AST) -> int:
    """Return how many numbers there are, also in annotations."""
    return sum(
        isinstance(node, ast.Constant)
        and type(node.value) in {int, float}
        and node.value not in FREE
        for node in ast.walk(tree)
    )


def package(name: str) -> str:
    """Return the package of a file; "" if it has none."""
    for folder in (*PACKAGES, *OTHERS):
        if name.startswith(f"{folder}/"):
            return folder
    return ""


def imported(tree: ast.AST, modules: dict[str, str]) -> Iterator[str]:
    """Yield the files of the modules that a module imports, at any depth.

    Args:
        tree: the module.
        modules: dotted name -> file.
    """
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wholes = [f"{node.module}.{one.name}" for one in node.names]
            names = [one if one in modules else node.module for one in wholes]
        yield from (modules[name] for name in names if name in modules)


def dotted(name: str) -> str:
    """Return the name by which a file is imported."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def evaluated(tree: ast.AST) -> list[int]:
    """Return the lines that run a text as code, which no meter sees."""
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func
        name = getattr(called, "id", None) or getattr(called, "attr", None)
        if name in {"eval", "exec", "query"}:
            lines.append(node.lineno)
    return lines


def measured(root: Path) -> dict[str, dict[str, int]]:
    """Return package -> nodes, numbers, and those of its largest module."""
    found = defaultdict[str, dict[str, int]](
        lambda: {"nodes": 0, "numbers": 0, "largest": 0}
    )
    for name, tree in trees(root).items():
        own = found[package(name)]
        size = working_nodes(tree)
        own["nodes"] += size
        own["numbers"] += numbers(tree)
        own["largest"] = max(own["largest"], size)
    return dict(found)


def arrows(root: Path) -> dict[str, int]:
    """Return folder -> imports of its modules by others of them, at any depth."""
    every = trees(root)
    modules = {dotted(name): name for name in every}
    pairs = {
        (name, other)
        for name, tree in every.items()
        for other in imported(tree, modules)
        if other != name
    }
    return {
        folder: sum(
            name.startswith(f"{folder}/") and other.startswith(f"{folder}/")
            for name, other in pairs
        )
        for folder in PACKAGES
    }


def texts(root: Path) -> dict[str, int]:
    """Return kind of files that are no Python -> their bytes."""
    sizes = {"shown": 0, "tools": 0, "options": 0}
    for name in listed_in(root):
        size = (root / name).stat().st_size
        if package(name) == "tools":
            sizes["tools"] += size
        elif package(name) in PACKAGES and name.endswith(SHOWN):
            sizes["shown"] += size
        elif name in OPTIONS:
            sizes["options"] += size
    return sizes


@cache
def trees(root: Path) -> dict[str, ast.Module]:
    """Return file -> its syntax tree, of all packages."""
    return {
        name: ast.parse((root / name).read_text("utf-8"))
        for name in listed_in(root)
        if name.endswith(".py") and package(name)
    }


def listed_in(root: Path) -> list[str]:
    """Return the files under git that are there."""
    command = ["git", "-C", str(root), "ls-files"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\n") if (root / name).is_file()]


def sizes(root: Path) -> dict[str, dict[str, int]]:
    """Return all figures, in the form of `budget`."""
    return {**measured(root), "arrows": arrows(root), "bytes": texts(root)}


def budget(root: Path) -> dict[str, dict[str, int]]:
    """Return the limits: package, "arrows" or "bytes" -> figure -> limit."""
    text = (root / "pyproject.toml").read_text("utf-8")
    return tomllib.loads(text)["tool"]["unroll"]["budget"]


if __name__ == "__main__":
    limits = budget(REPOSITORY)
    for folder, figures in sizes(REPOSITORY).items():
        for figure, value in figures.items():
            limit = limits.get(folder, {}).get(figure, 0)
            print(f"{folder:22} {figure:22} {value:8,} of {limit:8,}")
