import json
import re
import shutil

import pytest

from pipeline.config import params, plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_json, write_text
from pipeline.provenance import fingerprint, record
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from unroll.project import Project
from unroll.results import compare
from unroll.results.show import lines, listing, meanings, show, show_list

LINEAR = {
    "model": {"family": "baselines", "name": "linear"},
    "training": {"method": "least_squares"},
}
RNN_MODEL = {"family": "recurrent", "name": "simple_rnn"}
RNN = {"model": RNN_MODEL, "training": {"method": "keras", "epochs": 30}}
PARAMS = {
    "sources": {"waves": {"kind": "waves", "train": 20, "test": 10}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {"waves": {"rnn": RNN, "linear": {"seeds": [3, 1], **LINEAR}}},
}


@pytest.fixture
def workspace(tmp_path):
    plain_yaml.write(PARAMS, tmp_path / "params.yaml")
    return Workspace(tmp_path)


def test_every_experiment_in_the_order_of_params_and_no_other(workspace, capsys):
    for name in ("linear", "removed"):
        write_json(workspace.run("waves", name) / "run.json", {})
    write_json(workspace.metrics("waves") / "linear.json", {"mse": 0.25, "mae": 0.4})
    rows = listing(Project(workspace.root))
    assert (
        rows
        == listing(Project(workspace.root), ["waves"])
        == json.loads(json.dumps(rows))
    )
    assert [(row["experiment"], row["score"], row["built"]) for row in rows] == [
        ("waves/rnn", None, False),
        ("waves/linear", 0.25, True),
    ]
    with pytest.raises(UsageError, match="must be one of: waves"):
        listing(Project(workspace.root), ["wave"])
    show_list(rows, in_groups=False)
    assert re.search(
        r"linear .* least_squares +2 +0.25 +yes\n", capsys.readouterr().out
    )
    show_list(rows, in_groups=True)
    assert re.search(r"waves +2 +1 +1\n", capsys.readouterr().out)


def test_the_number_of_a_document_is_answered_with_the_command_for_documents(workspace):
    with pytest.raises(UsageError, match="`unroll claims 002` lists"):
        show(Project(workspace.root), "002")


def test_a_name_is_shown_with_every_option_wherever_it_stands(workspace):
    both = show(Project(workspace.root), "waves")
    options = {"seed": 0, "train": 20, "validation": 2000, "test": 10}
    assert both["source"]["options"] == options
    assert both["dataset"]["experiments"] == ["rnn", "linear"]
    assert "  built: not on this machine" in lines(both)
    experiment = show(Project(workspace.root), "waves/linear")["experiment"]
    assert experiment["seeds"] == [3, 1]
    assert experiment["model"].items() >= {"last": None, "intercept": True}.items()


def test_options_are_shown_with_their_words_within_80_columns(workspace):
    project = Project(workspace.root)
    facts = show(project, "waves/linear")
    assert [*facts] == ["experiment"], "programs get facts alone"
    text = lines(facts, meanings(project.every, "waves/linear"))
    assert (
        "  seeds: 3, 1                 # the seeds to repeat the training with" in text
    )
    assert "    intercept: true           # whether the sum has an intercept" in text
    assert max(map(len, text)) <= 80


def test_what_was_built_is_shown_with_what_it_was_made_of(workspace):
    source(workspace, "waves")
    prepare(workspace, "waves")
    ingredients = {
        "params": "1" * 64,
        "data": "2" * 64,
        "code": "3" * 64,
        "lock": "4" * 64,
    }
    folder = workspace.run("waves", "linear")
    run = {
        "experiment": "linear",
        "dataset": "waves",
        "parameters": 51,
        "layers": [],
        "seeds": [3, 1],
        "epochs": 0,
    }
    run |= {"best_epochs": None, "loss": None, "fingerprint": ingredients}
    write_json(folder / "run.json", run)
    write_json(workspace.metrics("waves") / "linear.json", {"mse": 0.003})
    facts = show(Project(workspace.root), "waves")
    assert list(facts["source"]["built"]["files"]) == ["waves.npz"]
    assert facts["dataset"]["built"]["examples"] == {
        "train": 20,
        "validation": 2000,
        "test": 10,
    }
    facts = show(Project(workspace.root), "waves/linear")
    assert facts["experiment"]["built"] == run
    assert facts["experiment"]["metrics"] == {"mse": 0.003}
    assert f"  fingerprint: {fingerprint.brief(ingredients)}" in lines(facts)
    assert facts["experiment"]["no_record"].startswith("no record on this machine")
    section = params.load(workspace.params).experiment("waves/linear")
    record.write(
        workspace,
        workspace.record("waves", "linear"),
        folder,
        fingerprint.ingredients(workspace.prepared("waves"), section),
    )
    facts = show(Project(workspace.root), "waves/linear")
    assert "no_record" not in facts["experiment"]
    assert any(f"{fingerprint.folder(folder)[:12]}..." in line for line in lines(facts))


def test_what_only_shows_imports_no_module_of_the_repository(workspace, evaluated):
    """Whether it is a file or a package."""
    linear = {"model": {"family": "one", "name": "linear", "times": 3}}
    one = linear | {"training": {"method": "two", "epochs": 4}}
    experiments = {"waves": PARAMS["experiments"]["waves"] | {"one": one}}
    plain_yaml.write(PARAMS | {"experiments": experiments}, workspace.params)
    write_text(workspace.claims, "[]\n")
    for file in ("models/one.py", "methods/two/__init__.py"):
        write_text(
            workspace.root / "unroll_extensions" / file,
            "raise SystemExit('code of the repository')\n",
        )
    shown = show(Project(workspace.root), "waves/one")["experiment"]
    assert shown["model"] == {"family": "one", "name": "linear", "times": 3}
    assert shown["training"] == {"method": "two", "epochs": 4}
    assert [row["experiment"] for row in listing(Project(workspace.root))] == [
        "waves/rnn",
        "waves/linear",
        "waves/one",
    ]
    assert compare.claims(Project(workspace.root)).rows == ()
    shutil.copytree(evaluated.evaluation("waves"), workspace.evaluation("waves"))
    compare.compare(Project(workspace.root), ["waves"])


@pytest.mark.parametrize(
    "place",
    [
        (),
        ("experiments",),
        ("experiments", "linear"),
        ("experiments", "linear", "layers"),
    ],
)
def test_a_file_with_another_type_in_some_place_is_one_line(
    workspace, evaluated, place
):
    shutil.copytree(evaluated.evaluation("waves"), workspace.evaluation("waves"))
    write_text(workspace.claims, "[]\n")
    file = workspace.evaluation("waves") / "evaluation.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    whole["experiments"] = {"linear": next(iter(whole["experiments"].values()))}
    within = whole
    for key in place[:-1]:
        within = within[key]
    if place:
        within[place[-1]] = "text"
    write_json(file, whole if place else "text")
    for command in (
        lambda: show(Project(workspace.root), "waves/linear"),
        lambda: compare.compare(Project(workspace.root), ["waves"]),
    ):
        with pytest.raises(
            UnrollError,
            match=r"evaluation\.json is damaged .*; delete it and run `unroll repro`",
        ):
            command()
