import shutil

import pytest

import unroll
from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, schema
from pipeline.evaluation.answers import answers_of
from pipeline.evaluation.schema import metrics
from pipeline.files import read_json, write_json
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


def test_what_was_answered_and_judged_is_read_by_all_that_shows_it(copy):
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
    written["answers"]["waves"]["untuned"] |= {
        "outcome": "helps",
        "change": -0.5,
        "low": -0.6,
        "high": -0.4,
    }
    write_json(copy.answers, written)
    assert [answer.outcome for answer in unroll.open(copy.root).answer("waves")] == [
        "helps"
    ]
    (table,) = compare(Project(copy.root), ["waves"]).tables
    sentence = table.answers[0]
    assert sentence.startswith(
        "Does recurrence help in untuned networks? It helps: SimpleRNN()"
    )
    assert "had 50 % less error than perceptron, by hand" in sentence
    assert "(95 % interval: -60 to -40 %)" in sentence


def test_answers_that_are_missing_or_older_than_their_evaluation_are_made_anew(copy):
    built = schema.load_all(copy, params.load(copy.params))
    recorded = answers.load(copy)
    known = built["waves"].experiments
    fewer = built["waves"].model_copy(update={"experiments": {"node": known["node"]}})
    reason = "results/answers.json is older than the evaluation of waves; `unroll report` writes it"
    with pytest.raises(UnrollError, match=reason):
        answers_of(recorded, "waves", fewer)
    whole = read_json(copy.evaluation("waves") / "evaluation.json")
    whole["experiments"]["node"]["epochs"] = 21
    write_json(copy.evaluation("waves") / "evaluation.json", whole)
    older = read_json(copy.answers)
    older["answers"]["waves"]["untuned"]["outcome"] = "not asked"
    write_json(copy.answers, older)
    waves, imdb = compare(Project(copy.root), ["waves", "imdb"]).tables
    assert waves.answers
    assert "not asked" not in waves.answers[0]
    assert "stand-in" in imdb.answers[0]
    copy.answers.unlink()
    assert unroll.open(copy.root).answer("waves")
    assert compare(Project(copy.root), ["waves"]).tables[0].answers == waves.answers
    copy.answers.write_text("{}", encoding="utf-8")
    with pytest.raises(
        UnrollError,
        match=r"answers\.json is damaged .*; delete it and run `unroll repro`",
    ):
        compare(Project(copy.root), ["waves"])


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("dataset.name", "sine", "dataset.name must be 'waves'. Received: 'sine'"),
        ("dataset.kind", None, "dataset.kind is missing"),
        (
            "dataset.metric",
            "accuracy",
            "experiments.last_value.final.validation.accuracy is missing",
        ),
        ("dataset.horizons", [1], "dataset.horizons must have at least 2 items"),
        ("blocks.test", None, "blocks.test is missing"),
        ("blocks.test", 0, "blocks.test must be greater than 0"),
        (
            "rows.test.last_value.perceptron",
            -1.0,
            "rows.test.last_value.perceptron must be greater than",
        ),
        (
            "experiments.perceptron.best.test",
            None,
            "perceptron.best.test.mse is missing",
        ),
        (
            "experiments.last_value.final.test",
            {},
            "last_value.final.test.mse is missing",
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
