import pytest

from bench.own_series import files, measure
from pipeline.config import params
from unroll.commands.main import invoke


@pytest.mark.parametrize("form", files.FORMS, ids=lambda form: form.name)
def test_a_file_is_added_with_nothing_said_but_its_target_and_its_last_window_is_whole(form, tmp_path):
    workspace = measure.empty(tmp_path)
    invoke(["--root", str(tmp_path), "add", str(form.write(tmp_path, 800)), "--target", form.target, "--yes"])
    added = params.load(workspace.params)
    assert {*measure.SERVED} <= added.experiments_of(form.name).keys()
    window = form.frame(800).tail(added.datasets[form.name].preparation.options["windows"]["lookback"])
    assert not window.isna().any(axis=None)
