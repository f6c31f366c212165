import json

import pytest

from pipeline.config import params, plain_yaml
from pipeline.errors import UsageError
from pipeline.files import write_json
from pipeline.provenance import fingerprint, record
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from unroll.results.show import lines, listing, show, show_list

LINEAR = {
    "dataset": "waves",
    "seeds": [3, 1],
    "model": {"family": "baselines", "name": "linear"},
    "training": {"method": "least_squares"},
}
RNN = {
    "dataset": "waves",
    "model": {"family": "recurrent", "name": "simple_rnn"},
    "training": {"method": "gradient_descent", "epochs": 30},
}
PARAMS = {
    "sources": {"waves": {"kind": "waves", "train": 20, "test": 10}, "made": {"kind": "waves"}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {"rnn": RNN, "linear": LINEAR},
}


@pytest.fixture
def workspace(tmp_path):
    plain_yaml.write(PARAMS, tmp_path / "params.yaml")
    return Workspace(tmp_path)


def test_every_experiment_in_the_order_of_params_and_no_other(workspace, capsys):
    for name in ("linear", "removed"):
        write_json(workspace.run("waves", name) / "run.json", {})
    write_json(workspace.headline("waves", "linear"), {"score": 0.25, "low": 0.2, "high": 0.3})
    rows = listing(workspace)
    keys = ("experiment", "dataset", "model", "method", "epochs", "seeds", "score", "built")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("rnn", "waves", "recurrent.simple_rnn", "gradient_descent", 30, [0], None, False),
        ("linear", "waves", "baselines.linear", "least_squares", None, [3, 1], 0.25, True),
    ]
    assert json.loads(json.dumps(rows)) == rows == listing(workspace, ["waves"])
    with pytest.raises(UsageError, match="must be one of: waves"):
        listing(workspace, ["wave"])
    show_list(rows)
    assert capsys.readouterr().out == (
        "experiment  data set  model                 method            epochs  seeds  score on test  built\n"
        "rnn         waves     recurrent.simple_rnn  gradient_descent      30      1                 no\n"
        "linear      waves     baselines.linear      least_squares                 2           0.25  yes\n"
    )


def test_a_name_is_shown_with_every_option_wherever_it_stands(workspace):
    options = {"seed": 0, "train": 7000, "validation": 2000, "test": 2000}
    made = {"source": {"name": "made", "kind": "waves", "options": options, "built": None}}
    assert show(workspace, "made") == made
    both = show(workspace, "waves")
    assert both["source"]["options"] == options | {"train": 20, "test": 10}
    dataset = {"name": "waves", "source": "waves", "preparation": {"name": "waves"}}
    assert both["dataset"] == dataset | {"experiments": ["rnn", "linear"], "built": None}
    found = show(workspace, "linear")["experiment"]
    assert (found["dataset"], found["seeds"], found["built"]) == ("waves", [3, 1], None)
    assert found["model"] == {"family": "baselines", "name": "linear", "last": None, "intercept": True}
    assert found["training"]["method"] == "least_squares"
    assert "metrics" not in found


def test_what_was_built_is_shown_with_what_it_was_made_of(workspace):
    source(workspace, "waves")
    prepare(workspace, "waves")
    made_of = {"params": "1" * 64, "data": "2" * 64, "code": "3" * 64, "lock": "4" * 64}
    folder = workspace.run("waves", "linear")
    write_json(folder / "run.json", {"fingerprint": made_of})
    for name in ("history.csv", "predictions.npz"):
        (folder / name).touch()
    write_json(workspace.headline("waves", "linear"), {"test": 0.003})
    facts = show(workspace, "waves")
    assert list(facts["source"]["built"]["files"]) == ["waves.npz"]
    assert facts["dataset"]["built"]["examples"] == {"train": 20, "validation": 2000, "test": 10}
    found = show(workspace, "linear")
    assert found["experiment"]["built"] == {"fingerprint": made_of}
    assert found["experiment"]["metrics"] == {"test": 0.003}
    assert f"  fingerprint: {fingerprint.brief(made_of)}" in list(lines(found))
    assert "  no_record: no record on this machine: taken from DVC's cache, or made elsewhere" in list(lines(found))
    every = params.load(workspace.params)
    section, preparation = every.experiment("linear"), every.dataset("waves").preparation
    record.write(workspace, folder, fingerprint.ingredients(workspace.prepared("waves"), section, preparation))
    found = show(workspace, "linear")
    assert "no_record" not in found["experiment"]
    assert found["experiment"]["record"]["run"] == fingerprint.folder(folder)
    assert f"    run: {fingerprint.folder(folder)[:12]}..." in list(lines(found))
