import dataclasses
import shutil

import pytest

import unroll
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.evaluation.schema import metrics
from pipeline.files import read_json, write_json
from pipeline.metrics import MEASURES
from pipeline.workspace import Workspace
from stages.report import report
from unroll.project import Project
from unroll.results.compare import compare
from unroll.results.show import listing


@pytest.fixture
def copy(evaluated, tmp_path):
    """What git keeps of a workspace, which a test may change."""
    for name in ("params.yaml", "templates.yaml", "claims.yaml"):
        shutil.copy(evaluated.root / name, tmp_path)
    shutil.copytree(evaluated.root / "results", tmp_path / "results")
    return Workspace(tmp_path)


def test_each_experiment_has_its_measures_on_test_and_its_own_one_on_validation(
    evaluated,
):
    evaluation = schema.load(evaluated.evaluation("jena_hourly"))
    folder = evaluated.metrics("jena_hourly")
    written = {file.stem: read_json(file) for file in folder.iterdir()}
    assert written == metrics(evaluation)
    gru = evaluation.experiments["gru"]
    assert [*written["gru"].items()] == [
        ("mae", gru.best["test"]["mae"].mean),
        ("mse", gru.best["test"]["mse"].mean),
        ("val", gru.best["validation"]["mae"].mean),
    ]
    imdb = evaluated.metrics("imdb")
    assert [*read_json(imdb / "majority.json")] == ["accuracy", "val"]
    assert not (imdb / "summary.json").exists(), "it predicts nothing"
    assert (
        next(
            row["score"]
            for row in listing(Project(evaluated.root))
            if row["experiment"] == "jena_hourly/gru"
        )
        == gru.best["test"]["mae"].mean
    )


def test_a_measure_that_a_user_added_is_shown(copy, monkeypatch):
    own = dataclasses.replace(MEASURES["mae"], name="own")
    monkeypatch.setitem(MEASURES, "own", own)
    file = copy.evaluation("jena_hourly") / "evaluation.json"
    data = read_json(file)
    on_test = data["experiments"]["gru"]["best"]["test"]
    on_test["own"] = on_test["mae"]
    write_json(file, data)
    measured = metrics(schema.load(copy.evaluation("jena_hourly")))["gru"]
    assert measured["own"] == measured["mae"]
    [table] = compare(Project(copy.root), ["jena_hourly/gru"]).tables
    [title] = [column.title for column in table.columns if column.key == "added_own"]
    assert title == "Test own"
    assert table.rows[0]["added_own"].text == table.rows[0]["test_best"].text


def test_what_was_answered_and_judged_is_in_one_file(copy):
    written = read_json(copy.answers)
    assert written["answers"]["waves"]["untuned"]["outcome"] == "open"
    assert written["answers"]["imdb"]["untuned"]["notes"] == [
        "untuned",
        "stand-in",
    ]
    assert written["claims"]["counts"] == {
        "holds": 1,
        "does not hold": 2,
        "not built": 1,
        "stand-in": 2,
    }
    of_003 = written["claims"]["documents"]["003"]
    assert of_003["waves/perceptron best.test.mse 1000"] == {"outcome": "does not hold"}


def test_what_shows_answers_needs_no_answers_file(copy):
    before = compare(Project(copy.root), ["waves"]).tables[0].answers
    copy.answers.unlink()
    assert compare(Project(copy.root), ["waves"]).tables[0].answers == before
    assert [answer.outcome for answer in unroll.open(copy.root).answer("waves")] == [
        "open"
    ]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("dataset.name", "sine", "dataset.name must be 'waves'. Received: 'sine'"),
        ("dataset.kind", None, "dataset.kind is missing"),
        (
            "dataset.metric",
            "accuracy",
            "must have blocks.validation, and accuracy of last_value",
        ),
        ("dataset.horizons", [1], "dataset.horizons must have at least 2 items"),
        ("blocks.test", None, "must have blocks.test, and mse of "),
        ("blocks.test", 0, "blocks.test must be greater than 0"),
        (
            "rows.test.last_value.perceptron",
            -1.0,
            "rows.test.last_value.perceptron must be greater than",
        ),
        (
            "experiments.perceptron.best.test",
            None,
            "must have blocks.test, and mse of perceptron",
        ),
        (
            "experiments.last_value.final.test",
            {},
            "must have blocks.test, and mse of last_value",
        ),
        ("experiments.node.seeds", "1", "experiments.node.seeds must be a valid list"),
    ],
)
def test_an_edited_evaluation_is_one_line_that_names_the_field(
    copy, place, value, message
):
    file = copy.evaluation("waves") / "evaluation.json"
    edited = read_json(file)
    *above, last = place.split(".")
    part = edited
    for key in above:
        part = part[key]
    part.pop(last, None)
    if value is not None:
        part[last] = value
    write_json(file, edited)
    with pytest.raises(UnrollError) as error:
        report(copy)
    assert f"{file} is damaged (" in str(error.value)
    assert message in str(error.value)
