import pytest

from pipeline.config import params
from pipeline.evaluation.scores import evaluate
from pipeline.report import charts
from pipeline.report.results import Evaluated, load
from tests.pipeline.evaluation.scored import asked, of, small


@pytest.fixture(scope="module")
def results(evaluated):
    return load(evaluated, params.load(evaluated.params))


def test_the_best_comes_first_by_the_weights_that_validation_chose(results):
    kinds = {}
    for one in results.built:
        rows = [row for row in charts.ranking(one).rows if row.name]
        values = {row.name: row.value for row in rows}
        assert [*values.values()] == sorted(values.values(), reverse=one.about.metric == "accuracy")
        chosen = {name: entry.best or entry.final for name, entry in one.experiments.items()}
        assert values == {name: chosen[name]["test"][one.about.metric].mean for name in values}
        kinds |= {row.name: row.family for row in rows}
    known = ("waves_last_value", "waves_perceptron", "imdb_rnn", "jena_hourly_gru")
    assert [kinds[name] for name in known] == ["simple", "dense", "rnn", "gru"]
    assert "imdb_summary" not in kinds


def test_a_score_far_better_than_every_network_does_not_stretch_the_axis():
    each = {"base": [value + 1e-15 for value in range(4)], "net": [value + 0.1 for value in range(4)]}
    runs = {name: of({"final_train": [values], "final_test": [values]}) for name, values in each.items()}
    titles, families = {name: name for name in runs}, dict.fromkeys(runs, "linear")
    evaluation = evaluate(small(), runs, {"base": asked()})
    found = charts.ranking(Evaluated("d", evaluation, "?", titles, families, None))
    assert [row.mark.beyond for row in found.rows] == [True, False]
    assert found.axis.low == pytest.approx(0.01 / 10 / 1.1)


def test_a_rebuilt_figure_is_a_share_of_the_published_one_and_of_accuracies_the_errors_are(results):
    axis, rows = charts.figures(results.verdicts)
    figures = {verdict.claim.words: verdict for verdict in results.verdicts if verdict.claim.kind == "figure"}
    assert {figures[row.words].claim.metric for row in rows} >= {"best.validation.accuracy", "final.test.mse"}
    for row in rows:
        verdict = figures[row.words]
        published, rebuilt = float(verdict.claim.value), verdict.rebuilt.mean
        if verdict.claim.metric.endswith("accuracy"):
            published, rebuilt = 1 - published, 1 - rebuilt
        assert row.mark.dot == axis.place(rebuilt / published)
        assert row.band.low <= row.band.dot == axis.place(1.0) <= row.band.high
