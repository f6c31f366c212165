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
