"""Notebooks are in one form and name what exists; with `--long` each one runs."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.config import params

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: str(path.relative_to(FOLDER))
)


def source(path):
    """The code of a notebook; what only Colab runs is left out."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
    )
    return re.sub(r"(?m)^( +)[!%].*", r"\1pass", text)


@every_notebook
def test_a_notebook_holds_no_output_and_nothing_that_an_editor_left(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    cure = "`jupyter nbconvert --clear-output --inplace FILE` removes them"
    assert not [cell for cell in code if cell["outputs"]], cure
    assert {cell["execution_count"] for cell in code} <= {None}, cure
    assert all(cell["metadata"] == {} for cell in cells)


@every_notebook
def test_a_notebook_compiles_imports_what_is_locked_and_names_what_exists(path):
    code = source(path)
    compile(code, path.name, "exec")
    assert all(
        find_spec(module) for module in re.findall(r"(?m)^(?:import|from) (\w+)", code)
    )
    wanted = params.load(ROOT / "params.yaml")
    assert {*re.findall(r'data\("(\w+)"', code)} <= wanted.datasets.keys()
    assert {*re.findall(r'(?:train|compare)\("([\w/]+)"', code)} <= wanted.runs.keys()
    assert {*re.findall(r'compare\("[\w/]+", "([\w/]+)"', code)} <= wanted.runs.keys()
    assert {*re.findall(r'"([a-z]\w+/\w+)"', code)} <= wanted.runs.keys()


@every_notebook
def test_a_notebook_runs_offline_from_its_folder(path, request):
    if not request.config.getoption("--long"):
        pytest.skip("half a minute each: `--long`, and `make site` runs them")
    environment = {
        key: value for key, value in os.environ.items() if key != "UNROLL_MIRROR"
    } | {"MPLBACKEND": "agg"}
    command = [sys.executable, "-c", source(path)]
    done = subprocess.run(
        command,
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
