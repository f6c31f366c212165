"""What `predict` says of names that are no answer."""

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from unroll.commands.main import invoke

LINEAR = {
    "model": {"family": "baselines", "name": "linear"},
    "training": {"method": "least_squares"},
}
WAVES = {
    "sources": {"waves": {"kind": "waves", "train": 20, "validation": 5, "test": 5}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {"waves": {"linear": LINEAR}},
}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("waves", "waves is a name of params.yaml, and a forecast needs an answer"),
        ("waves/linear", "waves/linear is a name of params.yaml"),
        ("wavs", "'wavs' is no answer here, nor in params.yaml. Did you mean waves?"),
    ],
)
def test_what_cannot_be_forecast_gets_one_line(tmp_path, name, message):
    plain_yaml.write(WAVES, tmp_path / "params.yaml")
    with pytest.raises(UnrollError, match=message):
        invoke(["--root", str(tmp_path), "predict", name])
