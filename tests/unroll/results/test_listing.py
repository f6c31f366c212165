import json

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UsageError
from pipeline.files import write_json
from pipeline.workspace import Workspace
from unroll.results.listing import listing, show


def experiment(seeds, family, name, **training):
    model, waves = {"family": family, "name": name}, {"dataset": "waves", "seeds": seeds}
    return waves | {"model": model, "training": training}


PARAMS = {
    "sources": {"waves": {"kind": "waves"}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {
        "waves_rnn": experiment([0, 12], "recurrent", "simple_rnn", method="gradient_descent", epochs=30),
        "guess": experiment([0], "baselines", "last_value", method="none"),
    },
}


def test_every_experiment_in_the_order_of_params_and_no_other(tmp_path, capsys):
    plain_yaml.write(PARAMS, tmp_path / "params.yaml")
    workspace = Workspace(tmp_path)
    for name in ("guess", "removed"):
        write_json(workspace.run("waves", name) / "run.json", {})
    write_json(workspace.headline("waves", "guess"), {"score": 0.25, "low": 0.2, "high": 0.3})
    rows = listing(workspace)
    keys = ("experiment", "dataset", "model", "method", "epochs", "seeds", "score", "built")
    assert rows == [
        dict(zip(keys, row, strict=True))
        for row in (
            ("waves_rnn", "waves", "recurrent.simple_rnn", "gradient_descent", 30, [0, 12], None, False),
            ("guess", "waves", "baselines.last_value", "none", None, [0], 0.25, True),
        )
    ]
    assert json.loads(json.dumps(rows)) == rows
    assert listing(workspace, ["waves"]) == rows
    with pytest.raises(UsageError, match="must be one of: waves"):
        listing(workspace, ["wave"])
    show(rows)
    assert capsys.readouterr().out == (
        "experiment  data set  model                 method            epochs  seeds  score on test  built\n"
        "waves_rnn   waves     recurrent.simple_rnn  gradient_descent      30      2                 no\n"
        "guess       waves     baselines.last_value  none                          1           0.25  yes\n"
    )
