import json

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.files import write_json
from pipeline.workspace import Workspace
from stages.results.listing import listing, show

PARAMS = {
    "sources": {"waves": {"kind": "waves"}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {
        "waves_rnn": {
            "dataset": "waves",
            "seeds": [0, 12],
            "model": {"family": "recurrent", "name": "simple_rnn", "units": 2},
            "training": {"method": "gradient_descent", "epochs": 30},
        },
        "guess": {
            "dataset": "waves",
            "seeds": [0],
            "model": {"family": "baselines", "name": "last_value"},
            "training": {"method": "none"},
        },
    },
}


@pytest.fixture
def workspace(tmp_path):
    plain_yaml.write(PARAMS, tmp_path / "params.yaml")
    return Workspace(tmp_path)


def test_every_experiment_in_the_order_of_params(workspace):
    write_json(workspace.run("waves", "guess") / "run.json", {})
    write_json(workspace.headline("waves", "guess"), {"score": 0.25, "low": 0.2, "high": 0.3})
    rows = listing(workspace)
    assert rows == [
        {
            "experiment": "waves_rnn",
            "dataset": "waves",
            "model": "recurrent.simple_rnn",
            "method": "gradient_descent",
            "epochs": 30,
            "seeds": [0, 12],
            "score": None,
            "built": False,
        },
        {
            "experiment": "guess",
            "dataset": "waves",
            "model": "baselines.last_value",
            "method": "none",
            "epochs": None,
            "seeds": [0],
            "score": 0.25,
            "built": True,
        },
    ]
    assert json.loads(json.dumps(rows)) == rows


def test_a_run_of_a_removed_experiment_is_not_listed(workspace):
    write_json(workspace.run("waves", "removed") / "run.json", {})
    assert [row["experiment"] for row in listing(workspace)] == ["waves_rnn", "guess"]


def test_the_table_lines_up(workspace, capsys):
    show(listing(workspace))
    assert capsys.readouterr().out == (
        "experiment  data set  model                 method            epochs  seeds  score on test  built\n"
        "waves_rnn   waves     recurrent.simple_rnn  gradient_descent      30      2                 no\n"
        "guess       waves     baselines.last_value  none                          1                 no\n"
    )


def test_no_experiments_is_a_table_of_headings(tmp_path, capsys):
    plain_yaml.write({"sources": {}, "datasets": {}, "experiments": {}}, tmp_path / "params.yaml")
    show(listing(Workspace(tmp_path)))
    assert capsys.readouterr().out == "experiment  data set  model  method  epochs  seeds  score on test  built\n"


def test_without_params_there_is_nothing_to_list(tmp_path):
    with pytest.raises(UnrollError, match=r"params\.yaml is missing"):
        listing(Workspace(tmp_path))
