from unroll.runner.build import Local
from unroll.runner.display import Display
from unroll.runner.eta import Estimates
from unroll.runner.scheduler import Outcome


def test_time_left_is_from_stages_of_the_same_kind_and_shared_by_jobs(capsys, tmp_path):
    due = ["train@a", "train@b", "train@c", "evaluate@d", "report"]
    display = Display(due, Local(None, jobs=2), Estimates(tmp_path / "seconds.json"), str)
    display.show(Outcome(built={"train@a": 10.0}), ["train@b"], "train@a")
    # Two trains of 10 s, two kinds not seen yet that count as 1 s: 22 s on two jobs.
    assert capsys.readouterr().out == "      1/5  train@a  10 s  (about 11 s left)\n"
