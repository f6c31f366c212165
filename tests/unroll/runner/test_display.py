from unroll.runner.build import LocalExecutor
from unroll.runner.display import Display, Estimates
from unroll.runner.scheduler import BuildResult


def test_time_left_is_from_stages_of_the_same_kind_and_shared_by_jobs(capsys, tmp_path):
    due = ["train@a", "train@b", "train@c", "evaluate@d", "report"]
    display = Display(due, LocalExecutor(None, jobs=2), Estimates(tmp_path / "seconds.json"), str)
    display.show(BuildResult(built={"train@a": 10.0}), ["train@b"], "train@a")
    # Two trains of 10 s, two kinds not seen yet that count as 1 s: 22 s on two jobs.
    assert capsys.readouterr().out == "      1/5  train@a  10 s  (about 11 s left)\n"


def test_a_stage_takes_what_it_last_took_and_a_new_one_the_mean_of_its_kind(tmp_path):
    estimates = Estimates(tmp_path / "seconds.json")
    assert estimates.seconds("train@a") == 1.0
    for stage, seconds in (("train@a", 10.0), ("train@b", 40.0), ("train@b", 20.0), ("report", 3.0)):
        estimates.learn(stage, seconds)
    estimates.keep()
    estimates = Estimates(tmp_path / "seconds.json")
    assert [estimates.seconds(stage) for stage in ("train@a", "train@b", "train@new", "report")] == [10, 20, 15, 3]
