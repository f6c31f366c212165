"""The page on a pipeline of one's own, typed in an empty folder."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.config import params
from tests.unroll.builds.test_workspaces import git

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "your-own-pipeline.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {"yaml": "params.yaml", "python": "tests/test_rows.py"}


def test_the_params_of_the_page_are_valid(tmp_path):
    [text] = [block for language, block in BLOCKS if language == "yaml"]
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    templates = (ROOT / "templates.yaml").read_text(encoding="utf-8")
    (tmp_path / "templates.yaml").write_text(templates, encoding="utf-8")
    config = params.load(tmp_path / "params.yaml")
    assert [*config.runs] == ["rows/day_before", "rows/ridge", "rows/gru"]


def test_git_keeps_the_line_ends_of_a_csv(tmp_path):
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    (tmp_path / "rows.csv").write_bytes(b"time,load\r\n2023-01-01,1\r\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "-c", "core.autocrlf=true", "add", ".")
    assert git(tmp_path, "ls-files", "--eol", "rows.csv").startswith("i/crlf")


def test_the_page_typed_in_an_empty_folder_builds_tests_and_records(tmp_path, request):
    if not request.config.getoption("--long"):
        pytest.skip("two minutes, and 3 GB: `--long`")
    folder = tmp_path
    author = {
        f"GIT_{who}_{what}": "own@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    path = f"{tmp_path / 'mine' / '.venv' / 'bin'}:{os.environ['PATH']}"
    for language, block in BLOCKS:
        if language in FILES:
            (folder / FILES[language]).write_text(block, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", block.replace("ADDRESS", str(ROOT))],
            cwd=folder,
            env=os.environ | author | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        folder = tmp_path / "mine"
    evaluation = folder / "results" / "evaluations" / "rows" / "evaluation.json"
    assert evaluation.is_file()
    assert (folder / "mlflow.db").is_file()
    assert "0 of 3 experiments to train" in done.stderr
