import numpy as np
import pandas as pd
import pytest

from bench.own_series import files
from pipeline.config import params, plain_yaml
from pipeline.workspace import Workspace
from stages.commands.main import invoke

EMPTY = {"sources": {}, "datasets": {}, "experiments": {}}


@pytest.mark.parametrize("form", files.FORMS, ids=lambda form: form.name)
def test_a_file_is_added_with_nothing_said_but_its_target_and_its_last_window_is_whole(form, tmp_path):
    workspace = Workspace(tmp_path)
    plain_yaml.write(EMPTY, workspace.params)
    form.write(tmp_path / form.file, 800)
    invoke(["--root", str(tmp_path), "add", str(tmp_path / form.file), "--target", form.target, "--yes"])
    added = params.load(workspace.params)
    assert {f"{form.name}_{model}" for model in ("ridge", "gru", "lstm")} <= added.experiments.keys()
    window = form.frame(800).tail(added.datasets[form.name].preparation.options["lookback"])
    assert not window.isna().any(axis=None)


def test_minutes_are_one_row_each_with_numbers_of_two_decimals(tmp_path):
    files.write_minutes(tmp_path / "minutes.csv", 3000)
    found = pd.read_csv(tmp_path / "minutes.csv", parse_dates=["time"])
    assert list(found) == ["time", "load", "wind"]
    assert found["time"].diff().dropna().unique() == pd.Timedelta(minutes=1)
    assert np.array_equal(found["load"], found["load"].round(2))
    assert len(found) == 3000
