from pathlib import Path

import pytest

from pipeline.config import params
from stages.repro import spread
from stages.repro.eta import Estimates, work

WORK = {"train@a": ("waves", 10.0), "train@b": ("waves", 40.0), "train@c": ("jena", 5.0)}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "seconds.json"


def test_what_is_not_known_at_all_takes_what_its_work_says(file):
    assert Estimates(file, WORK).seconds("train@b") == 40.0
    assert Estimates(file, WORK).seconds("report") == 1.0


def test_a_stage_takes_what_it_took_the_last_time(file):
    Estimates(file, WORK).learn("train@a", 12.0)
    assert Estimates(file, WORK).seconds("train@a") == 12.0


def test_what_is_learnt_at_once_is_written_together(file, monkeypatch):
    monkeypatch.setattr(spread, "SHARE", 1e9)
    estimates = Estimates(file, WORK)
    estimates.learn("train@a", 12.0)
    estimates.learn("train@b", 50.0)
    assert Estimates(file, WORK).seconds("train@b") == 48.0, "at the pace of what was written: it is not known yet"
    estimates.keep()
    assert Estimates(file, WORK).seconds("train@b") == 50.0


def test_with_more_to_do_it_takes_longer(file):
    Estimates(file, WORK).learn("train@a", 12.0)
    assert Estimates(file, WORK | {"train@a": ("waves", 20.0)}).seconds("train@a") == 24.0


def test_stages_of_one_kind_tell_of_each_other_by_what_they_have_to_do(file):
    estimates = Estimates(file, WORK)
    estimates.learn("train@a", 30.0)
    estimates.learn("evaluate@waves", 3.0)
    assert estimates.seconds("train@b") == 120.0
    assert estimates.seconds("evaluate@jena") == 3.0
    assert estimates.seconds("train@c") == 5.0, "of another kind: its own pace is not known"


def test_the_first_build_knows_which_trainings_are_long():
    wanted = params.load(Path(__file__).parents[3] / "params.yaml")
    amounts = {stage.removeprefix("train@"): amount for stage, (_, amount) in work(wanted).items()}
    ranked = ["jena_gru_dropout", "jena_gru", "imdb_lstm", "imdb_rnn", "waves_rnn6", "waves_last_value"]
    assert sorted(ranked, key=amounts.get, reverse=True) == ranked
    longest = sorted(amounts, key=amounts.get, reverse=True)[:3]
    assert all(name.endswith("dropout") for name in longest), longest
    before = len(wanted.experiments["imdb_lstm"].seeds)
    wanted.experiments["imdb_lstm"] = wanted.experiments["imdb_lstm"].trial(None, list(range(3 * before)))
    assert work(wanted)["train@imdb_lstm"][1] == pytest.approx(3 * amounts["imdb_lstm"], rel=0.05)


@pytest.mark.parametrize("epochs", ["many", -3, None, True])
def test_an_option_that_is_wrong_is_left_to_those_who_check_it(epochs):
    wanted = params.load(Path(__file__).parents[3] / "params.yaml")
    wanted.experiments["imdb_lstm"].training.model_extra["epochs"] = epochs
    assert 0 < work(wanted)["train@imdb_lstm"][1] < 1000


def test_it_is_sure_once_it_has_seen_one_of_each_kind(file):
    estimates = Estimates(file, WORK)
    assert not estimates.sure(["train@a"])
    estimates.learn("train@b", 10.0)
    assert estimates.sure(["train@a", "train@b"])
    assert not estimates.sure(["train@a", "train@c"])
    assert estimates.sure([])


def test_what_is_left_is_shared_by_jobs_but_no_less_than_the_longest(file):
    estimates = Estimates(file, WORK)
    for stage, seconds in (("train@a", 10.0), ("train@b", 40.0), ("train@c", 2.0)):
        estimates.learn(stage, seconds)
    assert estimates.left(["train@c"], {"train@a": 4.0}, 2) == 6.0
    assert estimates.left(["train@a", "train@b"], {"train@c": 100.0}, 2) == 40.0
    assert estimates.left(["train@a", "train@c"], {"train@b": 10.0}, 1) == 42.0
    assert estimates.left([], {}, 2) == 0.0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"train@a": 3}', '{"train@a": [2, 1]}', '{"train@a": {"work": "x"}}'])
def test_a_damaged_file_is_as_none(file, text):
    file.write_text(text)
    assert Estimates(file, WORK).seconds("train@a") == 10.0
