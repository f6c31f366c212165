import math
import re

import pytest

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation import claims, schema
from pipeline.evaluation.claims import Claim, Outcome, judge, load
from pipeline.evaluation.scores import statistics
from pipeline.training.run_folder import LayerSummary
from pipeline.workspace import Workspace
from tests.pipeline.evaluation.scored import evaluated, of, small
from tests.support import REPOSITORY

LAYERS = [
    LayerSummary(
        name=f"rnn{i}", type="SimpleRNN", output=[None, n], parameters=2080 * i
    )
    for i, n in ((1, 32), (2, 7))
]


def evaluation(
    values,
    other=(5.0,),
    *,
    between=None,
    beside=1.0,
    metric="mse",
    stand_in=False,
    varies=True,
):
    """Experiments e and b with these values on test, and o with others; `between` is
    the standard error by the rows of the difference between e and o, `beside` that
    between b and o.
    """
    data = small("classify" if metric == "accuracy" else "forecast", stand_in=stand_in)
    bare = evaluated(data, dict.fromkeys("eob", of({})))
    own = statistics(values, metric, varies=varies, error=0.1)
    others = statistics(other, metric, varies=len(other) > 1, error=0.1)
    entries = {
        name: entry.model_copy(
            update={
                "layers": LAYERS,
                "final": {"test": {metric: others if name == "o" else own}},
            }
        )
        for name, entry in bare.experiments.items()
    }
    rows = {} if between is None else {"e": {"o": between**2}, "b": {"o": beside**2}}
    update = {"experiments": entries, "rows": {"test": rows}, "blocks": {"test": 10**6}}
    return {"d": bare.model_copy(update=update)}


def claim(**fields):
    return Claim(
        **{
            "document": "000",
            "words": "w",
            "experiment": "d/e",
            "metric": "final.test.mse",
            **fields,
        }
    )


def figure(value, **fields):
    return claim(**{"value": value, "width": 1e4, **fields})


@pytest.mark.parametrize(
    ("value", "about", "interval"),
    [
        ("0.9014", False, (0.90135, 0.90145)),
        ("4.397e-4", False, (4.3965e-4, 4.3975e-4)),
        ("0.85", True, (0.84, 0.86)),
        ("2", False, (1.5, 2.5)),
    ],
)
def test_printed_digits_are_an_interval(value, about, interval):
    assert figure(value, about=about).printed() == pytest.approx(interval)


SPREAD = [1.0, 2.0, 4.0]
NARROW = [1.0, 1.01, 1.02]


@pytest.mark.parametrize(
    ("values", "fields", "known", "outcome"),
    [
        (SPREAD, {"value": "2.0"}, {}, Outcome.HOLDS),
        (SPREAD, {"value": "500"}, {}, Outcome.FAILS),
        (NARROW, {"value": "1.3"}, {}, Outcome.FAILS),
        (NARROW, {"value": "1.0"}, {}, Outcome.HOLDS),
        # Too few seeds.
        ([1.0, 2.0], {"value": "1.0"}, {}, Outcome.UNSURE),
        # An interval that is wider than the claim allows.
        (SPREAD, {"value": "2.0", "width": 3.0}, {}, Outcome.UNSURE),
        # Beside what a baseline has.
        (
            SPREAD,
            {"value": "2.0", "beside": ["d/o"]},
            {"other": (2.5,)},
            Outcome.LITTLE,
        ),
        (SPREAD, {"value": "500", "beside": ["d/o"]}, {"other": (2.5,)}, Outcome.FAILS),
        (
            SPREAD,
            {"value": "2.0", "beside": ["d/o"]},
            {"other": (90.0,)},
            Outcome.HOLDS,
        ),
        # A model without seeds is exact on the same rows. On others 0.1 is a tenth.
        ([1.0], {"value": "1.1"}, {"varies": False}, Outcome.FAILS),
        ([1.0], {"value": "1.1", "rows": "own"}, {"varies": False}, Outcome.HOLDS),
        ([1.0], {"value": "1.5", "rows": "own"}, {"varies": False}, Outcome.FAILS),
        # As a fraction of another experiment's figure.
        (
            [1.0, 1.1, 1.2],
            {"value": "0.25", "of": "d/o", "about": True},
            {"other": (4.0,)},
            Outcome.HOLDS,
        ),
        (
            [1.0, 1.1, 1.2],
            {"value": "0.50", "of": "d/o", "about": True},
            {"other": (4.0,)},
            Outcome.FAILS,
        ),
        ([1.0, 1.2], {"value": "0.25", "of": "d/o"}, {"other": (4.0,)}, Outcome.UNSURE),
        (
            SPREAD,
            {"value": "1", "of": "d/o", "beside": ["d/o"]},
            {"other": (2.5,)},
            Outcome.LITTLE,
        ),
    ],
)
def test_a_figure_holds_if_it_could_be_one_more_run(values, fields, known, outcome):
    assert judge(figure(**fields), evaluation(values, **known)).outcome == outcome


@pytest.mark.parametrize(
    ("relation", "mean", "known", "outcome"),
    [
        ({"relation": "below"}, 4.0, {"between": 0.1}, Outcome.HOLDS),
        ({"relation": "below"}, 4.0, {"between": 0.12}, Outcome.UNSURE),
        ({"relation": "below"}, 6.0, {"between": 0.05}, Outcome.FAILS),
        ({"relation": "above"}, 6.0, {"between": 0.05}, Outcome.HOLDS),
        # On par by the 90 % interval of the difference in the measure's own unit: 0.5
        # is a tenth of 5.
        ({"relation": "par", "within": 1.0}, 5.1, {"between": 0.09}, Outcome.HOLDS),
        ({"relation": "par", "within": 1.0}, 5.1, {"between": 0.12}, Outcome.UNSURE),
        ({"relation": "par", "within": 1.0}, 8.0, {"between": 0.1}, Outcome.FAILS),
        ({"relation": "below"}, 4.0, {}, Outcome.UNSURE),
        # Beside a baseline with the same error: whether that is below o, too, is known
        # or not.
        (
            {"relation": "below", "beside": ["d/b"]},
            4.0,
            {"between": 0.05, "beside": 0.05},
            Outcome.LITTLE,
        ),
        # `best` is the final weights where no epoch was chosen.
        (
            {"relation": "below", "metric": "best.test.mse"},
            4.0,
            {"between": 0.05},
            Outcome.HOLDS,
        ),
        (
            {"relation": "below", "beside": ["d/b"]},
            4.0,
            {"between": 0.05, "beside": 0.3},
            Outcome.HOLDS,
        ),
    ],
)
def test_a_comparison_with_another_experiment(relation, mean, known, outcome):
    verdict = judge(claim(against="d/o", **relation), evaluation([mean] * 3, **known))
    assert (verdict.outcome, verdict.other.mean) == (outcome, 5.0)
    if outcome == Outcome.FAILS and "within" in relation:
        assert verdict.interval == pytest.approx(
            (5 * (1.6 * 0.8483 - 1), 5 * (1.6 * 1.1788 - 1)), abs=0.01
        )


def test_an_accuracy_above_is_an_error_below():
    known = evaluation([0.9] * 3, [0.8] * 3, between=0.1, metric="accuracy")
    verdict = judge(
        claim(against="d/o", relation="above", metric="final.test.accuracy"), known
    )
    assert verdict.outcome == Outcome.HOLDS
    low, high = verdict.interval
    assert 0 < low < 0.1 < high


@pytest.mark.parametrize(
    ("metric", "seeds", "below", "above"),
    [
        *(("parameters", seeds, Outcome.HOLDS, Outcome.FAILS) for seeds in (1, 3)),
        ("best_epoch", 3, Outcome.HOLDS, Outcome.FAILS),
        ("best_epoch", 1, Outcome.UNSURE, Outcome.UNSURE),
    ],
)
def test_parameters_are_compared_as_they_are_and_epochs_over_seeds(
    metric, seeds, below, above
):
    """e has three parameters and is best at epochs 2 to 3, o has five and is best at
    epochs 8 to 10."""
    whole = evaluation([1.0] * 3)["d"]
    own = {"e": (3, [2.0, 3.0, 3.0]), "o": (5, [8.0, 9.0, 10.0])}
    entries = {}
    for name, (parameters, epochs) in own.items():
        update = {
            "parameters": parameters,
            "best_epoch": statistics(epochs),
            "seeds": [*range(seeds)],
        }
        entries[name] = whole.experiments[name].model_copy(update=update)
    known = {"d": whole.model_copy(update={"experiments": entries})}
    for relation, outcome in (("below", below), ("above", above)):
        assert (
            judge(claim(against="d/o", relation=relation, metric=metric), known).outcome
            == outcome
        )


def test_a_metric_that_is_not_there_or_of_another_kind_is_a_mistake():
    for metric, message in (
        (
            "final.test.accuracy",
            "d/e has no metric final.test.accuracy: 'accuracy' is not one of mse",
        ),
        ("parameters.test", "nothing"),
        ("layers.SimpleRNN.output", "is a shape"),
    ):
        with pytest.raises(UsageError, match=message):
            judge(figure("1.0", metric=metric), evaluation([1.0]))


@pytest.mark.parametrize(
    ("metric", "value", "outcome"),
    [
        ("layers.SimpleRNN.output", [None, 32], Outcome.HOLDS),
        ("layers.SimpleRNN.output", [None, None, 32], Outcome.FAILS),
        ("layers.SimpleRNN.output", [4, 32], Outcome.FAILS),
        ("parameters", 3, Outcome.HOLDS),
        ("parameters", 4, Outcome.FAILS),
    ],
)
def test_a_count_or_shape_is_equal_or_not_unless_data_are_stand_ins_or_not_built(
    metric, value, outcome
):
    count = claim(metric=metric, value=value)
    assert judge(count, evaluation([1.0])).outcome == outcome
    assert judge(count, evaluation([1.0], stand_in=True)).outcome == "stand-in"
    for lacking in ({"experiment": "d/x"}, {"beside": ["d/x"]}, {"experiment": "x/e"}):
        assert judge(figure("1.0", **lacking), evaluation([1.0])).outcome == "not built"


def test_a_claim_that_is_not_built_stands_with_its_data_set():
    verdict = judge(figure("1.0", experiment="d/x"), evaluation([1.0]))
    assert (verdict.outcome, verdict.dataset.name) == ("not built", "d")


def test_of_two_equal_counts_none_is_smaller():
    for relation in ("below", "above"):
        count = claim(metric="parameters", against="d/o", relation=relation)
        assert judge(count, evaluation([1.0])).outcome == Outcome.FAILS


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([-1.0, 0.1, 1.0], Outcome.UNSURE),
        ([-1.02, -1.0, -0.98], Outcome.UNSURE),
        ([-1.002, -1.0, -0.998], Outcome.HOLDS),
    ],
)
def test_an_interval_around_0_or_below_it_is_no_narrow_one(values, outcome):
    known = evaluation([1.0])
    gap = statistics(values)
    entries = known["d"].experiments
    entries["e"] = entries["e"].model_copy(update={"gap": gap})
    assert judge(figure("-1.0", metric="gap", width=1.1), known).outcome == outcome


@pytest.mark.parametrize(
    ("interval", "metric", "times"),
    [
        ((0.5, 2.0), "final.test.mse", 4),
        ((-2.0, -0.5), "gap", 4),
        ((3.0, 3.0), "gap", 1),
        ((0.0, 0.0), "gap", 1),
        ((0.0, 2.0), "gap", math.inf),
        ((-2.0, 0.0), "gap", math.inf),
        ((0.5, 0.8), "final.test.accuracy", 4),
    ],
)
def test_an_interval_is_so_many_times_as_wide_as_its_end(interval, metric, times):
    assert claims._span(interval, metric) == pytest.approx(times)


@pytest.mark.parametrize(
    ("mean", "outcome"),
    [(4.0, Outcome.YES), (6.0, Outcome.NO), (5.0, Outcome.UNSURE)],
)
def test_a_question_is_answered(mean, outcome):
    asked = claim(against="d/o", relation="below", question=True)
    assert judge(asked, evaluation([mean], between=0.05)).outcome == outcome


def test_every_claim_of_the_repository_names_an_experiment_and_a_metric_that_it_has():
    workspace = Workspace(REPOSITORY)
    all_claims = load(workspace.claims)
    evaluations = [
        schema.load(folder)
        for folder in (REPOSITORY / "results" / "evaluations").iterdir()
    ]
    by_dataset = {evaluation.dataset.name: evaluation for evaluation in evaluations}
    outcomes = {judge(each, by_dataset).outcome for each in all_claims}
    assert outcomes <= {
        Outcome.HOLDS,
        Outcome.FAILS,
        Outcome.LITTLE,
        Outcome.UNSURE,
        Outcome.YES,
        Outcome.NO,
        Outcome.NOT_BUILT,
    }
    assert {name for each in all_claims for name in each.experiments} <= {
        *params.load_all(workspace.params).runs
    }


TEXT = '{document: "003", words: about 0.02, experiment: waves/guess, metric: final.test.mse, value: "0.02", width: 2}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "value:",
            "valeu:",
            "claim 2: valeu is not known here. Valid: about, against, beside, document",
        ),
        (
            "width: 2",
            "against: waves/b",
            "must have either value, or against and relation",
        ),
        (
            ", width: 2",
            "",
            "must have the `width` beyond which an interval tells nothing",
        ),
        (
            'value: "0.02", width: 2',
            "against: waves/b, relation: par",
            "must have `within` where the relation is par",
        ),
    ],
)
def test_a_mistake_in_a_claim_is_one_line_with_its_place(tmp_path, old, new, message):
    (tmp_path / "claims.yaml").write_text(
        f"- {TEXT}\n- {TEXT.replace(old, new)}\n", encoding="utf-8"
    )
    with pytest.raises(UsageError, match=rf"^claims\.yaml: .*{re.escape(message)}.*$"):
        load(tmp_path / "claims.yaml")
