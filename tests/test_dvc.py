"""What DVC says of the graph after an edit, on the miniature, and that its documented
commands run."""

import re
import shlex
from datetime import datetime
from pathlib import Path

import pytest
from dvc.cli import main
from dvc.repo import Repo

from pipeline.config import params, plain_yaml
from pipeline.config.named_modules import (
    METHODS,
    METRICS,
    MODELS,
    PREPARATIONS,
    SOURCES,
)
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint, record
from pipeline.provenance.fingerprint import Code
from tests.support import REPOSITORY
from unroll.builds import demo
from unroll.builds.repro import stages

CONFIG = params.load(REPOSITORY / "params.yaml")


def due(miniature):
    """The stages that DVC calls out of date, but for the page, which depends on the
    whole of params.yaml."""
    with Repo(str(miniature.root)) as repo:
        return {stage.rpartition(":")[2] for stage in repo.status()} - {"report"}


def test_every_run_has_a_record_of_all_that_it_was_made_of(built):
    for name, experiment in params.load(built.workspace.params).runs.items():
        where = (experiment.dataset, params.own_name(name))
        mark = fingerprint.folder(built.workspace.run(*where))
        run = record.read(built.workspace.record(*where), mark)
        assert run.params == experiment.model_dump()
        assert f"pipeline.models.{experiment.model.family}" in run.modules
        assert "arrays.npz" in run.files
        assert "numpy" in run.packages
        assert datetime.fromisoformat(run.started) <= datetime.fromisoformat(run.ended)


MODULES = {
    "source": [
        "stages.source",
        *(f"{SOURCES}.{source.kind}" for source in CONFIG.sources.values()),
    ],
    "file": ["stages.source", f"{SOURCES}.local"],
    "prepare": [
        "stages.prepare",
        *(
            f"{PREPARATIONS}.{dataset.preparation.name}"
            for dataset in CONFIG.datasets.values()
        ),
    ],
    "train": [
        "stages.perform",
        *(f"{MODELS}.{experiment.model.family}" for experiment in CONFIG.runs.values()),
        *(
            f"{METHODS}.{experiment.training.method}"
            for experiment in CONFIG.runs.values()
        ),
    ],
    "evaluate": ["stages.evaluate", *(f"{METRICS}.{name}" for name in MEASURES)],
    "report": ["stages.report"],
}
"""Stage -> the modules that it begins with."""


@pytest.mark.parametrize("stage", MODULES)
def test_every_module_that_shapes_what_a_stage_makes_is_its_dependency(stage):
    section = plain_yaml.read(REPOSITORY / "dvc.yaml")["stages"][stage]
    dependencies = [Path(path) for path in section.get("do", section)["deps"]]
    code = Code(REPOSITORY)
    files = [
        path.relative_to(REPOSITORY) for path in code.sources(MODULES[stage]).values()
    ]
    unseen = [
        file
        for file in files
        if not any(file.is_relative_to(folder) for folder in dependencies)
    ]
    assert unseen == []


DOCS = [
    REPOSITORY / "README.md",
    *(
        path
        for path in (REPOSITORY / "docs").glob("*.md")
        if path.name != "CHANGELOG.md"
    ),
]

HERE = {
    "experiments.sine_windows.dense4.model.hidden=[8]": "experiments.waves.linear.training.ridge=5.0",
    "sine_windows/lstm": "waves/node",
    "sine_windows": "waves",
    "TARGET": "evaluate@waves",
}
"""What the docs name -> what the miniature has in its place."""

ELSEWHERE = (
    "vega.html",
    "add -d NAME",
    "dvc push",
    "s3",
    "exp run -S experiments.waves.",
    "exp run -S experiments.sine_windows.lstm.",
    "exp run -S experiments.rows.",
    "templates.yaml",
    "stage add",
    "unprotect",
)
"""In commands that need a library, a place to store, or minutes."""


def documented():
    """Every DVC command in the docs, as typed, without those that need what is
    `ELSEWHERE`."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    typed = re.findall(r"^dvc .*|(?<=`)dvc [^`\n]+(?=`)", text, re.MULTILINE)
    commands = [line.partition("  #")[0].strip() for line in typed]
    return dict.fromkeys(
        command
        for command in commands
        if not any(word in command for word in ELSEWHERE)
    )


def test_every_dvc_command_of_the_docs_runs_in_a_demo(miniature, monkeypatch, capsys):
    demo.commit(REPOSITORY, miniature.root, "all")
    before = (miniature.root / "dvc.lock").read_bytes()
    monkeypatch.chdir(miniature.root)
    for name, value in miniature.environment.items():
        monkeypatch.setenv(name, value)
    with Repo() as repo:
        assert repo.reproduce() == [], "what `unroll repro` has built"
        files = repo.metrics.show()[""]["data"]
    runs = params.load(miniature.workspace.params).runs
    assert files.keys() == {f"results/metrics/{name}.json" for name in runs}
    assert (miniature.root / "dvc.lock").read_bytes() == before
    commands = list(documented())
    assert {"dvc params diff", "dvc metrics diff --precision 9 HEAD"} <= {*commands}
    for command in commands:
        for theirs, ours in HERE.items():
            command = command.replace(theirs, ours)  # noqa: PLW2901
        assert main(shlex.split(command)[1:]) == 0, command
    assert "experiments.waves.linear.training.ridge" in capsys.readouterr().out
    with Repo() as repo:
        assert repo.status(["evaluate@waves"], with_deps=True) == {}
        (changed,) = repo.metrics.diff()["diff"]
    assert changed == "results/metrics/waves/linear.json"


def test_dvc_lock_has_every_stage_of_the_graph():
    """Otherwise `dvc pull`, `checkout` and `exp apply` fail after their work."""
    locked = plain_yaml.read(REPOSITORY / "dvc.lock")["stages"]
    assert locked.keys() == {*stages(CONFIG)}


def test_an_edit_is_named_by_its_section_and_reruns_what_can_change(miniature):
    before = miniature.workspace.params.read_bytes()
    miniature.change(lambda data: data["experiments"]["waves"]["node"].update(seeds=2))
    with Repo(str(miniature.root)) as repo:
        status = {
            stage.rpartition(":")[2]: changes
            for stage, changes in repo.status().items()
        }
    (changed,) = status["train@waves"][0].values()
    assert changed == {"params.yaml": {"experiments.waves": "modified"}}
    miniature.workspace.params.write_bytes(before + b"# a comment\n")
    assert due(miniature) == set()
    edits = {
        "templates.yaml": {
            "prepare@waves",
            "prepare@jena",
            "train@waves",
            "train@jena",
        },
        "pipeline/models/recurrent.py": {
            "train@waves",
            "train@jena",
            "evaluate@waves",
            "evaluate@jena",
        },
        "pipeline/evaluation/scores.py": {"evaluate@waves", "evaluate@jena"},
        "pipeline/report/page.css": set(),
    }
    for path, rerun in edits.items():
        file = miniature.root / path
        text = file.read_bytes()
        file.write_bytes(text + b"\n")
        assert due(miniature) == rerun, path
        file.write_bytes(text)
    made = ("data/prepared/waves", "runs/waves", "runs/waves/linear")
    for folder in (*made, "results/evaluations/waves", "results/metrics"):
        # of a killed process
        (miniature.root / folder / ".EaZqxlTMTQZ5b8J-qDRc_A.tmp").touch()
    assert due(miniature) == set()


def test_a_file_of_ones_own_is_what_its_source_depends_on(miniature, monkeypatch):
    (miniature.root / "meter.csv").touch()
    miniature.change(lambda data: data.update(files={"meter": {"path": "meter.csv"}}))
    monkeypatch.chdir(miniature.root)
    with Repo() as repo:
        (stage,) = repo.stage.collect("file@meter")
    assert "meter.csv" in [dependency.def_path for dependency in stage.deps]
