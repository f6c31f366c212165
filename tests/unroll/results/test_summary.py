from pipeline.evaluation.outcome import Outcome
from stages.evaluate import evaluate
from tests.support import fake_runs
from unroll.results import summary


def test_a_line_for_each_data_set_says_whether_it_needs_a_recurrent_network(evaluated):
    waves, imdb = summary.summary(evaluated, ["imdb", "waves"])
    assert (waves[0], imdb[0]) == ("waves", "imdb (stand-in)")
    assert {waves[1], imdb[1]} <= {Outcome.YES, Outcome.NO, Outcome.UNSURE}
    assert waves[3].startswith("perceptron MSE 0.")
    assert imdb[4].endswith(" % wrong")


def test_only_what_was_evaluated_since_is_new(tmp_path):
    workspace = fake_runs.build(tmp_path, without=("imdb", "jena_hourly", "jena"))
    evaluate(workspace, "waves")
    before = summary.built(workspace)
    assert summary.since(workspace, before) == []
    evaluate(workspace, "sine_windows")
    assert summary.since(workspace, before) == ["sine_windows"]
    evaluate(workspace, "waves")
    assert [*before] == ["waves"]
    assert set(summary.since(workspace, before)) == {"waves", "sine_windows"}
