import re

import numpy as np
import pytest

import unroll
from pipeline.config import plain_yaml
from pipeline.data.sources import stand_in
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import scores
from tests.support import REPOSITORY
from tests.support.examples import run_example
from unroll.project import Project

METHODS = {
    name: value
    for name, value in vars(Project).items()
    if callable(value) and not name.startswith("_")
}
IN_A_BUILD = {"predictions"}
"""The method whose example needs a run on disk."""


@pytest.mark.parametrize("name", sorted(METHODS.keys() - IN_A_BUILD))
def test_an_example_gives_what_it_says(name):
    run_example(METHODS[name], unroll.open(REPOSITORY))


def test_completion_and_help_name_what_is_imported_only_when_it_is_asked_for():
    assert {*unroll.__all__} <= {*dir(unroll)}


def test_predictions_are_those_of_a_run(evaluated):
    run_example(Project.predictions, unroll.open(evaluated.root))


def test_the_demo_says_where_an_experiment_is_that_it_does_not_hold(tmp_path):
    plain_yaml.write({"sources": {}, "datasets": {}}, tmp_path / ".demo/params.yaml")
    with pytest.raises(
        UsageError, match=r"waves/lstm is not one .*unroll.open\(\"\.\"\)"
    ):
        unroll.open(tmp_path / ".demo").predictions("waves/lstm")


def test_judge_decides_on_an_array_as_the_evaluation_did_on_the_run(evaluated):
    project = unroll.open(evaluated.root)
    judged = project.judge(
        "waves", project.predictions("waves/perceptron"), against="waves/last_value"
    )
    compared = project.compare("waves/perceptron", "waves/last_value")
    assert [judged.low, judged.high] == pytest.approx([compared.low, compared.high])
    assert judged.outcome == compared.outcome == "helps"
    truth = project.data("waves").splits["test"].targets
    assert project.judge("waves", truth).outcome == "helps", (
        "than the strongest opponent"
    )


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (
            np.zeros(7),
            r"must have shape \(seeds, 300\), in the order of the test examples\. Received: \(7,\)",
        ),
        (np.full(300, np.nan), "must be finite"),
        ("waves_nod", "waves/node"),
    ],
)
def test_judge_refuses_what_is_no_prediction(evaluated, predictions, message):
    with pytest.raises(UsageError, match=message):
        unroll.open(evaluated.root).judge("waves", predictions)


def test_judge_compares_nothing_on_few_weeks(evaluated, monkeypatch):
    monkeypatch.setattr(scores, "few_blocks", lambda *_: 3)
    with pytest.raises(UnrollError, match="waves: the test rows are fewer than four w"):
        unroll.open(evaluated.root).judge("waves", np.zeros(4))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (
            lambda project: project.scores("jena"),
            UnrollError,
            "`unroll --root .* repro evaluate@jena` builds it",
        ),
        (
            lambda project: project.scores("nosuch"),
            UsageError,
            "the data set must be one of: .*waves",
        ),
        (
            lambda project: project.compare("waves/node", "imdb/rnn"),
            UsageError,
            "belong to two data sets",
        ),
    ],
)
def test_what_cannot_be_shown_is_said_with_what_can(evaluated, ask, error, message):
    with pytest.raises(error, match=message):
        ask(unroll.open(evaluated.root))


def test_a_mirror_is_asked_for_data_of_the_web_and_what_is_generated_says_so(
    tmp_path, monkeypatch
):
    generated = (REPOSITORY / "docs/notebooks/stand_in/params.yaml").read_text(
        encoding="utf-8"
    )
    (tmp_path / "params.yaml").write_text(generated.replace("rows: 2000", "rows: 100"))
    made = unroll.open(tmp_path).data("imdb")
    assert made.stand_in
    (tmp_path / "imdb").mkdir()
    stand_in.produce(tmp_path / "imdb", None, of="imdb", rows=100)
    files = "{kind: download, files: {imdb.npz: null, imdb_word_index.json: null}}"
    (tmp_path / "params.yaml").write_text(
        re.sub(r"\{kind: stand_in.*?\}", files, generated)
    )
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path))
    fetched = unroll.open(tmp_path).data("imdb")
    assert not fetched.stand_in
    np.testing.assert_array_equal(
        fetched.splits["test"].inputs, made.splits["test"].inputs
    )


def test_networks_of_ones_own_that_began_with_several_threads_are_named(monkeypatch):
    def refuse(_):
        raise RuntimeError(
            "Intra op parallelism cannot be modified after initialization."
        )

    import tensorflow as tf

    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: 0)
    monkeypatch.setattr(threading, "set_intra_op_parallelism_threads", refuse)
    with pytest.raises(
        UsageError,
        match=r"several threads here; call `unroll\.open` after `import keras`",
    ):
        unroll.open(REPOSITORY).train("waves/rnn6", epochs=1)


def test_a_training_is_shown_in_one_line():
    trained = unroll.open(REPOSITORY).train("waves/last_value")
    assert repr(trained).startswith("<trained: seeds 0; 0 parameters; each of `repl")
    assert "\n" not in repr(trained)
