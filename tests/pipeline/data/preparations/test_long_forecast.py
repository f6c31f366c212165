"""The field's protocol against naive loops; and a run that keeps errors in place of
predictions."""

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.data import dataset
from pipeline.data.preparations.long_forecast import prepare
from pipeline.data.problem import problem
from pipeline.errors import UnrollError
from pipeline.models import baselines, feedforward, recurrent
from pipeline.training.methods import keras as keras_method
from pipeline.training.methods import least_squares, none
from tests.pipeline.evaluation.scored import evaluated, of
from tests.support.training import job

ROWS = 400
LOOKBACK = 12
HORIZON = 4
COLUMNS = 3
OPTIONS = {
    "file": "some.csv",
    "stamp": "date",
    "lookback": LOOKBACK,
    "horizon": HORIZON,
    "day": 2,
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A walk of three columns, which is none of their mean."""
    folder = tmp_path_factory.mktemp("raw")
    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).cumsum(axis=0) * [
        1,
        10,
        0.1,
    ]
    stamps = pd.date_range("2020-01-01", periods=ROWS, freq="h").astype(str)
    pd.DataFrame(
        values, index=pd.Index(stamps, name="date"), columns=["a", "b", "c"]
    ).to_csv(folder / "some.csv")
    return folder


@pytest.fixture(scope="module")
def data(raw, tmp_path_factory):
    """As it is saved and loaded."""
    folder = tmp_path_factory.mktemp("prepared")
    dataset.save(prepare("long", raw, **OPTIONS), folder)
    return dataset.load(folder)


def naive(raw, split):
    """Windows and targets by the code that the papers share, as loops."""
    values = pd.read_csv(raw / "some.csv").drop(columns="date").to_numpy()
    train = int(ROWS * 0.7)
    test = int(ROWS * 0.2)
    values = (values - values[:train].mean(axis=0)) / values[:train].std(axis=0)
    start = {
        "train": 0,
        "validation": train - LOOKBACK,
        "test": ROWS - test - LOOKBACK,
    }[split]
    end = {"train": train, "validation": ROWS - test, "test": ROWS}[split]
    part = values[start:end]
    rows = range(LOOKBACK, len(part) - HORIZON + 1)
    inputs = [part[row - LOOKBACK : row] for row in rows]
    return np.array(inputs), np.array([part[row : row + HORIZON] for row in rows])


def test_windows_and_targets_are_those_of_the_papers_code(raw, data):
    for split in ("train", "validation", "test"):
        inputs, targets = data.splits[split].take(np.arange(len(data.splits[split])))
        expected, expected_targets = naive(raw, split)
        np.testing.assert_allclose(inputs, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            targets,
            expected_targets.reshape(len(expected_targets), -1),
            rtol=1e-5,
            atol=1e-6,
        )
    assert len(data.groups["as published"]) == len(data.splits["test"]) // 32 * 32


def test_a_constant_column_is_named_and_few_windows_have_no_batch(tmp_path):
    stamps = pd.date_range("2020-01-01", periods=100, freq="h").astype(str)
    values = np.random.default_rng(0).normal(size=100)
    table = pd.DataFrame({"date": stamps, "a": values, "b": 0.1})
    table.to_csv(tmp_path / "some.csv", index=False)
    with pytest.raises(UnrollError, match="column 'b' has one value in all train rows"):
        prepare("long", tmp_path, **OPTIONS)
    table.drop(columns="b").to_csv(tmp_path / "some.csv", index=False)
    assert prepare("long", tmp_path, **OPTIONS).groups == {}


def test_the_last_values_and_least_squares_answer_for_each_column_by_its_own_past(
    raw, data
):
    inputs, targets = naive(raw, "test")
    repeated = (
        none.train(job(data, baselines.last_value))
        .replicates[0]
        .predictions["final_test"]
    )
    off = inputs[:, -1:] - targets
    np.testing.assert_allclose(repeated[:, 0], (off**2).mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(repeated[:, 1], np.abs(off).mean(axis=(1, 2)), rtol=1e-4)

    past, expected_targets = naive(raw, "train")
    flat = np.column_stack(
        [past.swapaxes(1, 2).reshape(-1, LOOKBACK), np.ones(past.shape[0] * COLUMNS)]
    )
    weights = np.linalg.lstsq(
        flat, expected_targets.swapaxes(1, 2).reshape(-1, HORIZON), rcond=None
    )[0]
    flat = np.column_stack(
        [inputs.swapaxes(1, 2).reshape(-1, LOOKBACK), np.ones(len(inputs) * COLUMNS)]
    )
    off = (flat @ weights).reshape(-1, COLUMNS, HORIZON).swapaxes(1, 2) - targets
    errors = (
        least_squares.train(job(data, baselines.shared))
        .replicates[0]
        .predictions["final_test"]
    )
    np.testing.assert_allclose(errors[:, 0], (off**2).mean(axis=(1, 2)), rtol=1e-3)


@pytest.mark.parametrize(
    "build", [feedforward.linear, feedforward.nlinear, feedforward.dlinear]
)
def test_columns_share_one_map(data, build):
    keras.utils.set_random_seed(0)
    model = build(problem(data), start="pytorch")
    inputs, _ = data.splits["test"].take(np.arange(5))
    turned = inputs[:, :, [2, 0, 1]]
    shape = (5, HORIZON, COLUMNS)
    once, again = (
        np.asarray(model(values)).reshape(shape) for values in (inputs, turned)
    )
    np.testing.assert_allclose(again, once[:, :, [2, 0, 1]], rtol=1e-4, atol=1e-5)
    assert {weights.shape[-1] for weights in model.get_weights()} == {HORIZON}
    bound = LOOKBACK**-0.5  # where PyTorch's layers begin
    largest = [abs(weights).max() for weights in model.get_weights()]
    assert min(largest) > 0
    assert 0.9 * bound < max(largest) <= bound


def test_segments_are_read_and_written_by_themselves_and_start_from_the_last_value(
    data,
):
    keras.utils.set_random_seed(0)
    model = recurrent.segments(problem(data), units=6, segment=4, last=8)
    inputs, _ = data.splits["test"].take(np.arange(5))
    out = np.asarray(model(inputs)).reshape(5, HORIZON, COLUMNS)
    np.testing.assert_allclose(
        np.asarray(model(inputs + 2)).reshape(out.shape), out + 2, rtol=1e-3, atol=1e-4
    )
    changed = inputs.copy()
    changed[:, -8:-1, 0] += 1.0  # of one column's past, which the others do not see
    moved = (
        np.abs(np.asarray(model(changed)).reshape(out.shape) - out).max(axis=(0, 1))
        > 1e-6
    )
    assert moved.tolist() == [True, False, False]
    unseen = inputs.copy()
    unseen[:, :-8] += 1.0
    np.testing.assert_array_equal(model(unseen), model(inputs))
    with pytest.raises(ValueError, match="`segment` must divide"):
        recurrent.segments(problem(data), segment=5)


def test_kept_errors_become_scores_groups_and_differences(data):
    count = {split: len(examples) for split, examples in data.splits.items()}
    random = np.random.default_rng(0)

    def run(scale):
        errors = {
            f"final_{split}": scale * random.random((3, n, 2)).astype(np.float32)
            for split, n in count.items()
        }
        return of(errors), errors["final_test"]

    (near, errors), (far, _) = run(1.0), run(3.0)
    evaluation = evaluated(data, {"near": near, "far": far})
    whole = len(data.groups["as published"])
    scored = evaluation.experiments["near"]
    maes = scored.final["test"]["mae"].model_dump()
    mses = scored.groups["as published"]["mse"].model_dump()
    assert maes["values"] == pytest.approx(errors[:, :, 1].mean(axis=1))
    assert mses["values"] == pytest.approx(errors[:, :whole, 0].mean(axis=1))
    assert evaluation.difference("test", "near", "far").interval()[1] < 0, (
        "six weeks are ranked"
    )


def test_what_a_run_keeps_is_scored_as_predictions_would_be(raw, data):
    training = job(data, feedforward.linear, 0, 1, 2, start="pytorch")
    options = {
        "optimizer": "adam",
        "loss": "mse",
        "batch_size": 16,
        "learning_rate": 1e-4,
        "halve_after": 2,
    }
    trained = keras_method.train(training, epochs=3, patience=2, **options)
    inputs, targets = naive(raw, "test")
    for replicate in trained.replicates:
        kernel, bias = replicate.weights["best"][:2]
        answers = np.einsum("nlc,lh->nhc", inputs, kernel) + bias[None, :, None]
        off = answers - targets
        np.testing.assert_allclose(
            replicate.predictions["best_test"][:, 0],
            (off**2).mean(axis=(1, 2)),
            rtol=1e-3,
        )
        np.testing.assert_allclose(
            replicate.predictions["best_test"][:, 1],
            np.abs(off).mean(axis=(1, 2)),
            rtol=1e-3,
        )
