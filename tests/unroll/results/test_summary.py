from stages.evaluate import evaluate
from tests.support import fake_runs
from unroll.results import summary


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
