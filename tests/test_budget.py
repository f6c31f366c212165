"""The product grows only where [tool.unroll.budget] says so (docs/CONTRIBUTING.md)."""

import ast

import pytest

from tests import meter
from tests.support import REPOSITORY

LIMITS = meter.budget(REPOSITORY)


@pytest.fixture(scope="module")
def sizes():
    return meter.sizes(REPOSITORY)


def test_each_package_has_a_limit_for_each_figure(sizes):
    assert {name: [*own] for name, own in sizes.items()} == {
        name: [*own] for name, own in LIMITS.items()
    }


@pytest.mark.parametrize(
    ("package", "figure"),
    [(name, figure) for name in LIMITS for figure in LIMITS[name]],
)
def test_no_package_is_larger_than_its_limit(package, figure, sizes):
    found = sizes[package][figure]
    limit = LIMITS[package][figure]
    assert found <= limit, (
        f"{package} has {found:,} {figure}, and {limit:,} are allowed; take out what "
        "the new code replaces (docs/CONTRIBUTING.md, Size)"
    )


def test_no_text_is_run_as_code_but_a_students_program():
    """Such code would be counted as one node. Scripts of pages are bytes."""
    found = {
        name for name, tree in meter.trees(REPOSITORY).items() if meter.evaluated(tree)
    }
    assert found == {"unroll/lab/child_process.py"}


def test_the_meter_counts_work_alone():
    tree = ast.parse(
        '"""A docstring."""\nimport a\nNAME: dict[str, int] = {}\n\n\n'
        'def f(x: int = 2) -> int:\n    """Text."""\n    return x + 3.5 - 7\n'
    )
    bare = ast.parse("NAME = {}\n\n\ndef f(x=2):\n    return x + 3.5 - 7\n")
    assert meter.working_nodes(tree) == meter.working_nodes(bare)
    assert meter.numbers(tree) == 2
    assert meter.evaluated(ast.parse("a.query('b > 1')\neval('c')\nlen(d)")) == [1, 2]


def test_an_arrow_is_an_import_of_another_module_however_it_is_written():
    modules = {"unroll.a": "unroll/a.py", "unroll.b": "unroll/b.py"}
    for text in ("import unroll.b", "from unroll import b", "from unroll.b import c"):
        assert [*meter.imported(ast.parse(text), modules)] == ["unroll/b.py"]
    assert [*meter.imported(ast.parse("import numpy as np"), modules)] == []
