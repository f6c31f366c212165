import pytest

from stages.evaluate import evaluate
from stages.results import summary
from tests.support import fake_runs


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    made = fake_runs.build(tmp_path_factory.mktemp("workspace"))
    for name in ("waves", "imdb"):
        evaluate(made, name)
    return made


def test_a_line_for_each_data_set_says_whether_it_needs_a_recurrent_network(workspace):
    waves, imdb = summary.summary(workspace, ["imdb", "waves"])
    assert (waves[0], imdb[0]) == ("waves", "imdb (stand-in)")
    assert waves[1] == "MSE"
    assert imdb[3].endswith(" %")
    assert {waves[-1], imdb[-1]} <= {"better", "worse", "cannot tell"}


def test_only_what_was_evaluated_since_is_new(workspace):
    before = summary.built(workspace)
    assert set(before) == {"waves", "imdb"}
    assert summary.since(workspace, before) == []
    evaluate(workspace, "waves")
    assert summary.since(workspace, before) == ["waves"]
