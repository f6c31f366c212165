import pytest

from unroll.runner.eta import Estimates


def test_a_stage_takes_what_it_last_took_and_a_new_one_the_mean_of_its_kind(tmp_path):
    file = tmp_path / "seconds.json"
    estimates = Estimates(file)
    assert estimates.seconds("train@a") == 1.0
    for stage, seconds in (("train@a", 10.0), ("train@b", 40.0), ("train@b", 20.0), ("report", 3.0)):
        estimates.learn(stage, seconds)
    estimates.keep()
    estimates = Estimates(file)
    assert [estimates.seconds(stage) for stage in ("train@a", "train@b", "train@new", "report")] == [10, 20, 15, 3]


def test_what_is_left_is_shared_by_all_slots_but_a_stage_runs_on_one(tmp_path):
    estimates = Estimates(tmp_path / "seconds.json")
    for stage, seconds in (("train@a", 10.0), ("train@b", 40.0)):
        estimates.learn(stage, seconds)
    assert estimates.left(["train@a"], {"train@b": 30.0}, 2) == 10
    assert estimates.left(["train@a", "train@b"], {}, 2) == 40
    assert estimates.left([], {"train@a": 99.0}, 2) == 0


@pytest.mark.parametrize("text", ["{", "[1]", '{"train@a": {"seconds": 1}}'])
def test_a_damaged_file_is_as_if_empty(tmp_path, text):
    (tmp_path / "seconds.json").write_text(text)
    assert Estimates(tmp_path / "seconds.json").seconds("train@a") == 1
