"""Change one operator or number at a time, and print each change that no test notices.

    python -m tests.mutants COUNT SEED FOLDER...

The mutants are drawn from the last commit, and tried in a clone of it. The clone keeps
which tests run which line. Each mutant is given the tests of its line, fast ones first.
A line that runs at import or in another process is given the tests of its file. What is
not noticed in two minutes survives.
"""

import ast
import contextlib
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coverage import CoverageData

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
MEASURED = (
    *("--cov=unroll", "--cov=pipeline", "--cov-context=test", "--cov-report="),
    *("--durations=0", "tests/unroll/series", "tests/pipeline/evaluation"),
    "tests/unroll/answers",
)
SWAPS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, str, Any]]:
    """Yield nodes, a field of each, and the field's other value. Text, annotations and
    decorators have none."""
    match node:
        case ast.Constant(value=bool()):
            yield node, "value", not node.value
        case ast.Constant(value=int() | float()):
            yield node, "value", node.value + 1
        case ast.UnaryOp(op=ast.Not()):
            yield node, "operand", ast.UnaryOp(ast.Not(), node.operand)
        case ast.Compare(ops=[first, *others]) if type(first) in SWAPS:
            yield node, "ops", [SWAPS[type(first)](), *others]
        case ast.AST(op=operator) if type(operator) in SWAPS:
            yield node, "op", SWAPS[type(operator)]()
    left_out = [
        getattr(node, "annotation", None),
        getattr(node, "returns", None),
        *getattr(node, "decorator_list", []),
    ]
    for child in ast.iter_child_nodes(node):
        if child not in left_out and not isinstance(child, ast.JoinedStr):
            yield from changes(child)


def clone_last_commit() -> Path:
    """Return a clone with `.coverage`, and `durations.txt` as pytest prints them."""
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True)
    clone = Path(".unroll/mutants", head.strip()).resolve()
    if not (clone / "durations.txt").exists():
        shutil.rmtree(clone, ignore_errors=True)  # half made
        subprocess.run(["git", "clone", "--quiet", ".", clone], check=True)
        (clone / "durations.txt").write_bytes(
            subprocess.check_output([*PYTEST, *MEASURED], cwd=clone)
        )
    return clone


def tests_of(clone: Path, path: Path, line: int) -> list[str]:
    """Return the tests of a line, fast ones first, and whole files of tests where a
    fixture runs it."""
    durations = (clone / "durations.txt").read_text(encoding="utf-8")
    seconds = {
        test: float(took)
        for took, test in re.findall(r"(?m)^([\d.]+)s call +(.+)$", durations)
    }
    data = CoverageData(str(clone / ".coverage"))
    data.read()
    lines = data.contexts_by_lineno(str(path))
    contexts = {*lines.get(line, ())} - {""} or set().union(*lines.values()) - {""}
    return sorted(
        {re.sub(r"::.*\|setup$|\|\w+$", "", context) for context in contexts},
        key=lambda test: ("::" not in test, seconds.get(test, 0), test),
    )


def survives(clone: Path, path: Path, number: int) -> bool:
    """Try a file's change of this number; print it unless a test fails."""
    subprocess.check_call(["git", "checkout", "--quiet", "."], cwd=clone)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    node, field, value = list(changes(tree))[number]
    old = ast.unparse(node)
    setattr(node, field, value)
    path.write_text(ast.unparse(tree), encoding="utf-8")
    # without tests, pytest only says its version, and nothing fails
    tests = tests_of(clone, path, node.lineno) or ["--version"]
    failed = False
    with contextlib.suppress(subprocess.TimeoutExpired):
        failed = subprocess.call(
            [*PYTEST, "-x", *tests], cwd=clone, stdout=subprocess.DEVNULL, timeout=120
        )
    if not failed:
        print(
            path.relative_to(clone),
            node.lineno,
            old,
            ast.unparse(node),
            sep="  ",
            flush=True,
        )
    return not failed


if __name__ == "__main__":
    count, seed, *folders = sys.argv[1:]
    clone = clone_last_commit()
    mutants = [
        (clone, path, number)
        for folder in folders
        for path in sorted((clone / folder).rglob("*.py"))
        for number, _ in enumerate(changes(ast.parse(path.read_text("utf-8"))))
    ]
    random.Random(int(seed)).shuffle(mutants)
    survivors = sum(survives(*mutant) for mutant in mutants[: int(count)])
    print(f"Of {count} mutants {survivors} survived: {survivors / int(count):.0%}.")
