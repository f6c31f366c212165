"""Notebooks are in one form, name what exists, and answer their exercises; with
`--long` each one runs."""

import json
import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.config import params

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: str(path.relative_to(FOLDER))
)


def source(path, kind):
    """All cells of a kind as one text; what only Colab runs is left out."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == kind
    )
    return re.sub(r"(?m)^( +)[!%].*", r"\1pass", text)


@every_notebook
def test_a_notebook_holds_no_output_and_nothing_that_an_editor_left(path):
    text = path.read_text(encoding="utf-8")
    canonical = runpy.run_path(str(ROOT / ".ci/notebooks.py"))["canonical"]
    assert text == canonical(text), "`python .ci/notebooks.py` puts it into form"
    ids = [cell["id"] for cell in json.loads(text)["cells"]]
    assert len(ids) == len({*ids})


@every_notebook
def test_a_notebook_compiles_imports_what_is_locked_and_names_what_exists(path):
    code = source(path, "code")
    compile(code, path.name, "exec")
    assert all(
        find_spec(module) for module in re.findall(r"(?m)^(?:import|from) (\w+)", code)
    )
    wanted = params.load(ROOT / "params.yaml")
    assert {*re.findall(r'data\("(\w+)"', code)} <= wanted.datasets.keys()
    assert {*re.findall(r'(?:train|compare)\("([\w/]+)"', code)} <= wanted.runs.keys()
    assert {*re.findall(r'compare\("[\w/]+", "([\w/]+)"', code)} <= wanted.runs.keys()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_three_exercises_each_with_a_solution(path):
    exercises = re.findall(
        r"(?m)^(\d)\. ", source(path, "markdown").split("## Exercises")[1]
    )
    solutions = re.findall(
        r"(?m)^## (\d)\. ", source(FOLDER / "solutions" / path.name, "markdown")
    )
    assert exercises == solutions == ["1", "2", "3"]


@every_notebook
def test_a_notebook_runs_offline_from_its_folder(path, request):
    if not request.config.getoption("--long"):
        pytest.skip("half a minute each: `--long`, and `make site` runs them")
    environment = {
        key: value for key, value in os.environ.items() if key != "UNROLL_MIRROR"
    } | {"MPLBACKEND": "agg"}
    command = [sys.executable, "-c", source(path, "code")]
    done = subprocess.run(
        command,
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
