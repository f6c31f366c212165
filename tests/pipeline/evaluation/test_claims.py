import pytest

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation import schema
from pipeline.evaluation.claims import Claim, judge, load, look_up
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Difference
from pipeline.evaluation.scores import evaluate, statistics
from pipeline.training import run_folder
from pipeline.training.run_folder import LayerSummary
from pipeline.workspace import Workspace
from tests.pipeline.evaluation.scored import of, small
from tests.support import REPOSITORY, fake_runs

LAYERS = [
    LayerSummary(name=f"rnn{i}", type="SimpleRNN", output=[None, n], parameters=2080 * i) for i, n in ((1, 32), (2, 7))
]


def evaluation(values, other=(5.0,), *, difference=None, stand_in=False, varies=True):
    """Two experiments, e and o, with these values of final.test.mse, as judge takes them."""
    bare = evaluate(small(stand_in=stand_in), dict.fromkeys("eo", of({})), {})
    known = {
        "e": statistics(values, "mse", varies=varies, error=0.1),
        "o": statistics(other, "mse", varies=len(other) > 1, error=0.1),
    }
    entries = {
        name: entry.model_copy(update={"layers": LAYERS, "final": {"test": {"mse": known[name]}}})
        for name, entry in bare.experiments.items()
    }
    pairs = {"test": {"e": {"o": difference} if difference else {}}}
    return dict.fromkeys("eo", bare.model_copy(update={"experiments": entries, "differences": pairs}))


def claim(**fields):
    return Claim(**{"document": "000", "words": "w", "experiment": "e", "metric": "final.test.mse", **fields})


def figure(value, **fields):
    return claim(**{"value": value, "width": 1e4, **fields})


def test_printed_digits_are_an_interval():
    assert figure("0.9014").printed() == pytest.approx((0.90135, 0.90145))
    assert figure("4.397e-4").printed() == pytest.approx((4.3965e-4, 4.3975e-4))
    assert figure("0.85", about=True).printed() == pytest.approx((0.84, 0.86))
    assert figure("2").printed() == (1.5, 2.5)


SPREAD, NARROW = [1.0, 2.0, 4.0], [1.0, 1.01, 1.02]


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
        (SPREAD, {"value": "2.0", "beside": ["o"]}, {"other": (2.5,)}, Outcome.LITTLE),
        (SPREAD, {"value": "500", "beside": ["o"]}, {"other": (2.5,)}, Outcome.FAILS),
        (SPREAD, {"value": "2.0", "beside": ["o"]}, {"other": (90.0,)}, Outcome.HOLDS),
        # A model without seeds is exact on the same rows. On others 0.1 is a tenth, and there are two draws.
        ([1.0], {"value": "1.1"}, {"varies": False}, Outcome.FAILS),
        ([1.0], {"value": "1.1", "rows": "own"}, {"varies": False}, Outcome.HOLDS),
        ([1.0], {"value": "1.5", "rows": "own"}, {"varies": False}, Outcome.FAILS),
        # A share of another experiment's figure.
        ([1.0, 1.1, 1.2], {"value": "0.25", "of": "o", "about": True}, {"other": (4.0,)}, Outcome.HOLDS),
        ([1.0, 1.1, 1.2], {"value": "0.50", "of": "o", "about": True}, {"other": (4.0,)}, Outcome.FAILS),
    ],
)
def test_a_figure_holds_if_it_could_be_one_more_run(values, fields, known, outcome):
    assert judge(figure(**fields), evaluation(values, **known)).outcome == outcome


def test_a_share_is_one_of_too_few_seeds_too():
    verdict = judge(figure("0.25", of="o"), evaluation([1.0, 1.2], other=(4.0,)))
    assert (verdict.outcome, verdict.interval) == (Outcome.UNSURE, None)
    assert verdict.rebuilt.mean == pytest.approx(1.1 / 4)


def apart(mean, reach):
    """With so wide a 95 % interval to each side; the 90 % one has .84 of that."""
    return Difference(mean=mean, error=reach / 1.96, freedom=None, p_value=0)


@pytest.mark.parametrize(
    ("relation", "difference", "outcome"),
    [
        ({"relation": "below"}, apart(-1, 0.5), Outcome.HOLDS),
        ({"relation": "below"}, apart(-1, 1.5), Outcome.UNSURE),
        ({"relation": "below"}, apart(1, 0.5), Outcome.FAILS),
        ({"relation": "above"}, apart(1, 0.5), Outcome.HOLDS),
        ({"relation": "par", "within": 2.0}, apart(0.5, 1.0), Outcome.HOLDS),
        ({"relation": "par", "within": 2.0}, apart(1.1, 1.0), Outcome.HOLDS),  # by the 90 % interval, which is shown
        ({"relation": "par", "within": 2.0}, apart(1.5, 1.0), Outcome.UNSURE),
        ({"relation": "par", "within": 2.0}, apart(-3.5, 1.0), Outcome.FAILS),
        ({"relation": "below"}, None, Outcome.UNSURE),
    ],
)
def test_a_comparison_with_another_experiment(relation, difference, outcome):
    verdict = judge(claim(against="o", **relation), evaluation([1.0, 1.0, 1.0], difference=difference))
    assert (verdict.outcome, verdict.other.mean) == (outcome, 5.0)


def test_parameters_are_compared_as_they_are_and_epochs_over_seeds():
    found = evaluation([1.0, 1.0, 1.0])["e"]

    def outcome(relation, metric, seeds):
        """Of e with three parameters, best at epochs 2 to 3, against o with five, best at epochs 8 to 10."""
        e, o = (found.experiments[name].model_copy(update={"seeds": seeds}) for name in "eo")
        e = e.model_copy(update={"best_epoch": statistics([2.0, 3.0, 3.0])})
        o = o.model_copy(update={"best_epoch": statistics([8.0, 9.0, 10.0]), "parameters": 5})
        both = found.model_copy(update={"experiments": {"e": e, "o": o}})
        return judge(claim(against="o", relation=relation, metric=metric), dict.fromkeys("eo", both)).outcome

    for metric in ("parameters", "best_epoch"):
        assert outcome("below", metric, [0, 1, 2]) == Outcome.HOLDS
        assert outcome("above", metric, [0, 1, 2]) == Outcome.FAILS
    assert outcome("below", "best_epoch", [0]) == Outcome.UNSURE


def test_shapes():
    for shape, outcome in (
        ([None, 32], Outcome.HOLDS),
        ([None, None, 32], Outcome.FAILS),
        ([None, 31], Outcome.FAILS),
        ([4, 32], Outcome.FAILS),
    ):
        verdict = judge(claim(metric="layers.SimpleRNN.output", value=shape), evaluation([0.0]))
        assert (verdict.outcome, verdict.shape) == (outcome, [None, 32])


def test_without_an_evaluation_a_claim_is_not_built():
    for one in (figure("1.0", experiment="x"), claim(against="x", relation="below"), figure("1.0", beside=["x"])):
        assert judge(one, evaluation([1.0])).outcome == "not built"


def test_a_count_is_equal_or_not_and_stand_ins_and_a_scaled_workspace_never_give_a_verdict():
    for value, outcome in ((3, Outcome.HOLDS), (4, Outcome.FAILS)):
        count = claim(metric="parameters", value=value)
        assert judge(count, evaluation([1.0])).outcome == outcome
        assert judge(count, evaluation([1.0], stand_in=True)).outcome == "stand-in"
        assert judge(count, evaluation([1.0]), scaled=True).outcome == "scaled down"


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("final.test.accuracy", "e has no metric final.test.accuracy: 'accuracy' is not one of mse"),
        ("layers.LSTM.parameters", "'LSTM' is not one of SimpleRNN"),
        ("parameters.test", "nothing"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(path, match):
    with pytest.raises(UsageError, match=match):
        look_up(evaluation([3.0])["e"], "e", path)


def test_a_number_is_not_compared_with_a_shape():
    shape = "layers.SimpleRNN.output"
    for one in (claim(value=[None, 32]), claim(metric=shape, value=1), figure("1.0", metric=shape)):
        with pytest.raises(UsageError, match="another kind|is a shape"):
            judge(one, evaluation([1.0]))


def test_every_claim_of_the_repository_names_an_experiment_and_a_metric_that_it_has(tmp_path):
    """By the committed evaluations; where there is none, by fake runs."""
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    committed, made = Workspace(REPOSITORY), Workspace(tmp_path)
    claims, wanted = load(committed.claims), params.load(made.params)
    there = {
        name: schema.load(committed.evaluation(name)) for name in wanted.datasets if committed.evaluation(name).is_dir()
    }
    built = {name for name, scores in there.items() if wanted.experiments_of(name).keys() <= scores.experiments.keys()}
    fake_runs.fill(made, without=tuple(built))
    known = {}
    for name, entry in wanted.datasets.items():
        if name in built:
            scores = there[name]
        else:
            asked = wanted.experiments_of(name)
            runs = {key: run_folder.load(made.run(name, key)) for key in asked}
            scores = evaluate(fake_runs.dataset(name, entry.preparation.name), runs, asked)
        known |= dict.fromkeys(scores.experiments, scores)
    assert {judge(one, known).outcome for one in claims} <= {
        Outcome.HOLDS,
        Outcome.FAILS,
        Outcome.LITTLE,
        Outcome.UNSURE,
    }
    documents = [one.document for one in claims]
    assert sorted(documents) == documents, "document by document"
    assert set(documents) == {"000", "001", "002", "003", "004", "005"}


OLD = 'value: "0.02", width: 2'
TEXT = '{document: "003", words: about 0.02, experiment: guess, metric: final.test.mse, value: "0.02", width: 2}'


EITHER = "must have either value, or against and relation"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value:", "valeu:", "claim 2: valeu is not known here. Valid: about, against, beside, document"),
        ("width: 2", "against: b", EITHER),
        (", width: 2", "", "must say the `width` beyond which an interval tells nothing"),
        (OLD, "against: b, relation: par", "must have `within` where the relation is par"),
        (f"- {TEXT}\n", "a: 1\n", "claims.yaml: the whole must be a list of claims. Received: dict"),
    ],
)
def test_a_mistake_in_a_claim_is_one_line_with_its_place(tmp_path, old, new, said):
    text = f"- {TEXT}\n".replace(old, new)
    assert new in text
    first = "" if old.startswith("-") else f"- {TEXT}\n"
    (tmp_path / "claims.yaml").write_text(first + text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "claims.yaml")
    line = str(caught.value)
    assert line.startswith("claims.yaml: ")
    assert said in line
    assert "\n" not in line


def test_a_difference_reads_the_same_from_the_other_side():
    known = evaluation([1.0], difference=apart(-1, 0.5))["e"]
    assert known.difference("test", "o", "e") == apart(1, 0.5)
    assert known.difference("test", "e", "x") is None
