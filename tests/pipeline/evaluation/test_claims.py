import pytest

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation.claims import FAILS, HOLDS, NOT_BUILT, SCALED, STAND_IN, Claim, judge, load, look_up
from pipeline.evaluation.scores import evaluate, statistics
from pipeline.training import run_folder
from pipeline.training.run_folder import Layer
from pipeline.workspace import Workspace
from tests.pipeline.evaluation.scored import of, small
from tests.support import REPOSITORY, fake_runs

LAYERS = [Layer(name=f"rnn{i}", type="SimpleRNN", output=[None, n], parameters=2080 * i) for i, n in ((1, 32), (2, 7))]


def evaluation(values, other=(5.0,), *, stand_in=False):
    """Two experiments, e and o, with these values of final.test.mse, as judge takes them."""
    bare = evaluate(small(stand_in=stand_in), dict.fromkeys("eo", of({})), ())
    known = {"e": statistics(values), "o": statistics(other)}
    entries = {
        name: entry.model_copy(update={"layers": LAYERS, "final": {"test": {"mse": known[name]}}})
        for name, entry in bare.experiments.items()
    }
    return dict.fromkeys("eo", bare.model_copy(update={"experiments": entries}))


def claim(**fields):
    return Claim(**{"document": "000", "words": "w", "experiment": "e", "metric": "final.test.mse", **fields})


@pytest.mark.parametrize(
    ("values", "value", "tolerance", "outcome"),
    [
        ([0.0049], 0.005, 0.0005, HOLDS),
        ([0.0045], 0.005, 0.0005, HOLDS),  # on the edge, whatever the last bit
        ([0.0044], 0.005, 0.0005, FAILS),
        ([0.004, 0.0065], 0.005, 0.0001, HOLDS),  # between the least and the greatest seed
        ([0.006, 0.0065], 0.005, 0.0001, FAILS),
        ([0.004, 0.0061], 0.005, 0.0001, HOLDS),  # the mean is within tolerance too
        ([51.0], 51.0, 0.0, HOLDS),
        ([51.0], 52.0, 0.0, FAILS),
    ],
)
def test_about_holds_within_tolerance_or_inside_the_seeds(values, value, tolerance, outcome):
    assert judge(claim(value=value, tolerance=tolerance), evaluation(values)).outcome == outcome


@pytest.mark.parametrize(
    ("relation", "mean", "outcome"),
    [
        ("below", 3.9, HOLDS),
        ("below", 4.0, HOLDS),
        ("below", 4.1, FAILS),
        ("above", 6.1, HOLDS),
        ("above", 6.0, HOLDS),
        ("above", 5.9, FAILS),
        ("about", 5.9, HOLDS),
        ("about", 6.1, FAILS),
    ],
)
def test_a_comparison_with_another_experiment(relation, mean, outcome):
    verdict = judge(claim(against="o", relation=relation, tolerance=1.0), evaluation([mean]))
    assert verdict.outcome == outcome
    assert verdict.reference == 5.0


def test_below_a_published_value_is_not_met_by_one_lucky_seed():
    assert judge(claim(value=2.0, relation="below"), evaluation([1.0, 9.0])).outcome == FAILS


def test_a_comparison_is_not_met_by_the_range_of_the_seeds():
    assert judge(claim(against="o", tolerance=0.1), evaluation([1.0, 6.0])).outcome == FAILS


@pytest.mark.parametrize(
    ("shape", "outcome"), [([None, 32], HOLDS), ([None, None, 32], FAILS), ([None, 31], FAILS), ([4, 32], FAILS)]
)
def test_shapes(shape, outcome):
    verdict = judge(claim(metric="layers.SimpleRNN.output", value=shape), evaluation([0.0]))
    assert verdict.outcome == outcome
    assert verdict.shape == [None, 32]


def test_without_an_evaluation_a_claim_is_not_built():
    known = evaluation([1.0])
    assert judge(claim(value=1.0, experiment="x"), known).outcome == NOT_BUILT
    assert judge(claim(against="x"), known).outcome == NOT_BUILT


@pytest.mark.parametrize("value", [1.0, 7.0])
def test_stand_in_data_never_give_a_verdict(value):
    assert judge(claim(value=value), evaluation([1.0], stand_in=True)).outcome == STAND_IN
    assert judge(claim(value=value), evaluation([1.0], stand_in=True), scaled=True).outcome == STAND_IN


def test_a_scaled_workspace_never_gives_a_verdict():
    assert judge(claim(value=1.0), evaluation([1.0]), scaled=True).outcome == SCALED


def test_best_means_final_where_no_epoch_was_chosen():
    assert look_up(evaluation([3.0])["e"], "e", "best.test.mse").mean == 3.0


@pytest.mark.parametrize(
    ("path", "value"), [("parameters", 3), ("layers.SimpleRNN.parameters", 2080), ("dataset.examples.test", 4)]
)
def test_paths_to_plain_numbers(path, value):
    assert look_up(evaluation([3.0])["e"], "e", path).values == [value]


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("final.test.accuracy", "e has no metric final.test.accuracy: 'accuracy' is not one of mse"),
        ("final.validation.mse", "'validation' is not one of test"),
        ("layers.LSTM.parameters", "'LSTM' is not one of SimpleRNN"),
        ("final.test", "not a number"),
        ("parameters.test", "nothing"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(path, match):
    with pytest.raises(UsageError, match=match):
        look_up(evaluation([3.0])["e"], "e", path)


def test_a_number_is_not_compared_with_a_shape():
    with pytest.raises(UsageError, match="another kind"):
        judge(claim(value=[None, 32]), evaluation([1.0]))
    with pytest.raises(UsageError, match="another kind"):
        judge(claim(metric="layers.SimpleRNN.output", value=1.0), evaluation([1.0]))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Every experiment of the repository's params.yaml, evaluated from fake runs."""
    root = tmp_path_factory.mktemp("everything")
    (root / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    workspace = fake_runs.fill(Workspace(root))
    wanted = params.load(workspace.params)
    found = {}
    for name, entry in wanted.datasets.items():
        dataset = fake_runs.dataset(name, entry.preparation.name)
        runs = {key: run_folder.load(workspace.run(name, key)) for key in wanted.experiments_of(name)}
        scores = evaluate(dataset, runs, baselines=())
        found |= dict.fromkeys(scores.experiments, scores)
    return found


CLAIMS = load(REPOSITORY / "claims.yaml")


@pytest.mark.parametrize("one", CLAIMS, ids=[f"{c.experiment}-{c.metric}" for c in CLAIMS])
def test_every_claim_of_the_repository_names_an_experiment_and_a_metric_that_it_has(one, everything):
    assert judge(one, everything).outcome in {HOLDS, FAILS}


def test_the_claims_come_from_the_four_documents_and_lie_document_by_document():
    documents = [c.document for c in CLAIMS]
    assert sorted(documents) == documents
    assert set(documents) == {"000", "001", "002", "003"}


TEXT = '{document: "003", words: about 0.02, experiment: guess, metric: final.test.mse, value: 0.02}'


def test_a_file_of_claims_is_read(tmp_path):
    others = (TEXT.replace("value: 0.02", new) for new in ("against: o, relation: below", "value: [null, 32]"))
    (tmp_path / "claims.yaml").write_text("".join(f"- {text}\n" for text in (TEXT, *others)), encoding="utf-8")
    figure, comparison, shape = load(tmp_path / "claims.yaml")
    assert (figure.value, figure.relation, figure.tolerance, figure.note) == (0.02, "about", 0, "")
    assert (comparison.value, comparison.against, comparison.relation) == (None, "o", "below")
    assert shape.value == [None, 32]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value:", "valeu:", "claim 2: valeu is not known here. Valid: against, document, experiment, metric"),
        (", value: 0.02", "", "claim 2: the whole must have either value or against, and not both."),
        ("value: 0.02", "value: 1, against: b", "the whole must have either value or against, and not both."),
        ("value: 0.02", "value: many", "2: value must be a valid number or must be a valid list. Received: 'many'"),
        ("value: 0.02", "value: .nan", "claims.yaml: item 2.value must be a finite number. Received: nan"),
        ("value: 0.02", "value: 1, tolerance: -1", "claim 2: tolerance must be greater than or equal to 0."),
        ("value: 0.02", "value: 1, relation: over", "relation must be 'about', 'below' or 'above'. Received: 'over'"),
        ('"003"', "3", "claim 2: document must be a valid string. Received: 3"),
        (TEXT, "hello", "claim 2: the whole must be a mapping. Received: 'hello'"),
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
