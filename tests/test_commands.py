"""What README and docs show is typed as a reader meets it, and output that stands there
is compared.

In brief what only reads committed results; with --long all of it, in a fresh clone
after `make demo`.
"""

import contextlib
import doctest
import io
import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError
from tests.support.meter import hourly_load
from unroll.commands.main import invoke

ROOT = Path(__file__).resolve().parents[1]
NAV = re.findall(
    r": ([\w/-]+\.md)$",
    (ROOT / "mkdocs.yml").read_text(encoding="utf-8"),
    re.MULTILINE,
)
APART = ("notebooks/", "your-own-pipeline.md")
"""What has tests of its own."""

PAGES = [
    "README.md",
    *(f"docs/{page}" for page in NAV if not page.startswith(APART)),
]

ELSEWHERE = {
    "make repro": "the network, and 5.5 h",
    "make bench": "its own environment, and hours",
    "make site": "the network; it is a job of CI",
    "make notebooks": "the network",
    "make ui": "a server",
    "make test": "this test is a part of it",
    "make lint": "a part of make test",
    "make mutants": "minutes",
    "pytest": "a part of make test",
    "unroll --root /shared": "other machines",
    "dask scheduler": "other machines",
    "from dask_jobqueue": "a cluster",
    "from dask_kubernetes": "a cluster",
    "dask worker": "other machines",
    "unroll repro --scheduler": "other machines",
    "DASK_SCHEDULER_ADDRESS": "other machines",
    "dvc remote add --default bucket": "a bucket",
    "dvc push": "that bucket",
    "mlflow server": "PostgreSQL",
    "unroll official": "Jena's official file",
    "MLFLOW_TRACKING_URI": "a server",
    "unroll serve": "a server",
    "mlflow models serve": "a server",
    "unroll --root .demo serve": "a server",
    "curl": "that server",
    "(head": "that server",
    "python -m venv .unroll/vega": "the network",
    ".unroll/vega/bin/python": "the network",
    "dvc plots show --html": "what the network brought",
    "dvc stage add": "a project with that file",
    "git clone ADDRESS": "a copy of the repository elsewhere",
    "uv build": "tests/test_wheel.py does it",
    "cd dist": "that wheel",
    "unzip -p unroll": "that wheel",
    "pip install": "tests/test_wheel.py does it",
    "def ": "a part of a module",
    "from pipeline.models": "a module; tests/pipeline/config/test_registry.py has it",
}
"""How something typed begins -> what it takes that is not here."""

HOURS = {"unroll verify"}
"""What CI runs once a week."""

READING = {"claims", "compare", "list", "show"}
SHOWN = re.compile(
    r"^```(sh|console|python)\n(.*?)^```$|^((?:\||\(`)[^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
IN_ROW = re.compile(r"[|(] ?`((?:unroll|make) [^`]+)`(?= \||\)$)")

Typed = tuple[str, str, str]
"""What is typed, in which language, and the output or the row of a table beside it."""


def typed(page: str) -> Iterator[Typed]:
    """All that a page shows and that can be typed, in its order."""
    for language, block, row in SHOWN.findall(
        (ROOT / page).read_text(encoding="utf-8")
    ):
        if language == "console":
            command, _, output = block.partition("\n")
            yield command.removeprefix("$ "), "sh", output
        elif language:
            commands = [block] if language == "python" else split(block)
            if here := "\n".join(
                c for c in commands if not c.startswith(tuple(ELSEWHERE))
            ):
                yield here, language, ""
        for command in IN_ROW.findall(row):
            if not command.startswith(tuple(ELSEWHERE)) and command not in HOURS:
                yield command, "sh", row


def split(block: str) -> Iterator[str]:
    """The commands of a block; one goes on to the next line while a quote is open."""
    command = ""
    for line in block.splitlines(keepends=True):
        command += line
        with contextlib.suppress(ValueError):
            if shlex.split(command, comments=True):
                yield command.strip()
            command = ""


def reading(command: str) -> bool:
    """Whether a command only reads committed results; those of a series of one's own
    are not."""
    words = shlex.split(command, comments=True)
    own = any(word.split("/")[0] == "meter" for word in words)
    return (
        words[:1] == ["unroll"]
        and words[1] in READING
        and not own
        and not {*"|;>."} & {*"".join(words)}
    )


@cache
def printed(command: str) -> str:
    """What a command prints in this process; of what is not built the advice."""
    output = io.StringIO()
    try:
        with contextlib.chdir(ROOT), contextlib.redirect_stdout(output):
            invoke(shlex.split(command, comments=True)[1:])
    except UnrollError as error:
        if "` builds it, in about " not in str(error):
            raise
        return str(error)
    return output.getvalue()


def check(command: str, row: str, output: str) -> None:
    """Every word in bold in the row is a verdict, or a number of parameters, that the
    command prints."""
    assert "is not built" not in output or "` builds it, in about " in output, output
    for word in re.findall(r"\*\*([\w ]+)\*\*", row):
        assert re.search(
            rf"(\?|:|parameters|It|makes|is) {word}\b(?! difference)", output
        ), f"{command} does not say {word}"


@pytest.mark.parametrize("page", PAGES)
def test_what_reads_results_prints_what_the_page_says(page):
    commands = [
        (command, beside)
        for block, _, beside in typed(page)
        for command in split(block)
        if reading(command)
    ]
    for command, beside in commands:
        check(command, beside, printed(command))


@pytest.fixture(scope="module")
def clone(tmp_path_factory, request):
    """A clone of the last commit after `make demo`, with a user's files."""
    if not request.config.getoption("--long"):
        pytest.skip("half an hour: --long")
    folder = tmp_path_factory.mktemp("home") / "unroll"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    subprocess.run(["git", "checkout", "--quiet", "-B", "main"], cwd=folder, check=True)
    random = np.random.default_rng(0)
    hours = pd.date_range("2024-01-01", periods=24 * 60, freq="h", name="time")
    load = hourly_load(len(hours), random)
    meter = pd.DataFrame(
        {"load": load.round(2), "wind": random.gamma(2, size=len(hours)).round(2)},
        hours,
    )
    meter.to_csv(folder / "meter.csv")
    meter.iloc[:-48].to_csv(folder / "new.csv")
    (folder / "station").mkdir()
    for part in (2023, 2024):
        meter.shift(freq=f"{60 * (part - 2024)}D").to_csv(
            folder / "station" / f"{part}.csv"
        )
    days = pd.date_range("2024-01-01", periods=207, name="day")
    shop = pd.DataFrame(
        {
            "sales": load[:207],
            "price": random.integers(8, 12, 207),
            "promotion": random.integers(0, 2, 207),
        },
        days,
    )
    shop.iloc[:200].to_csv(folder / "shop.csv")
    shop.iloc[200:].drop(columns="sales").to_csv(folder / "plan.csv")
    products = shop.drop(columns="price").assign(temperature=load[:207].round())
    products = pd.concat([products.assign(product=name) for name in ("tea", "coffee")])
    products[products.index < days[199]].to_csv(folder / "products.csv")
    to_come = products[products.index >= days[199]]
    to_come[["product", "promotion"]].to_csv(folder / "promotions.csv")
    weather = products.loc[products["product"] == "tea", "temperature"]
    weather.to_csv(folder / "weather.csv")
    run(folder, "make demo")
    return folder


def run(folder: Path, script: str, language: str = "sh") -> str:
    """What a reader sees who types this in a shell, and answers every question with
    Enter."""
    own = ("DVC_", "MLFLOW_", "UNROLL_", "PYTHON", "VIRTUAL_ENV")
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(own)
    }
    environment |= dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "reader")
    environment |= dict.fromkeys(
        ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "EMAIL"), "reader@example.org"
    )
    environment |= {
        "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    program = ["bash", "-ec"] if language == "sh" else ["python", "-c"]
    keyboard, stdin = pty.openpty()  # a question is asked of a terminal alone
    os.write(keyboard, b"\n" * 30)
    streams = {
        "stdin": stdin,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    done = subprocess.run(
        [*program, script], cwd=folder, env=environment, check=False, **streams
    )
    os.close(stdin)
    os.close(keyboard)
    assert done.returncode == 0 or script.startswith("unroll compare"), (
        f"{script}\n{done.stdout}"
    )
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_all_that_a_page_shows_works_as_typed(page, clone):
    # the page before may have changed an experiment
    subprocess.run(["git", "reset", "--quiet", "--hard"], cwd=clone, check=True)
    same = doctest.OutputChecker().check_output
    for script, language, beside in typed(page):
        output = run(clone, script, language)
        if beside.startswith(("|", "(")):
            check(script, beside, output)
        elif beside:
            assert same(
                beside, output, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            ), f"{script}\n{output}"
