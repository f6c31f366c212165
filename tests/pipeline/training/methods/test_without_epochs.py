"""Methods in closed form, trees, and none: what a library says, to the bits whatever
the threads."""

from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    QuantileRegressor,
    Ridge,
)
from threadpoolctl import threadpool_limits

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.data.problem import problem
from pipeline.errors import UnrollError
from pipeline.files import read_npz, write_npz
from pipeline.metrics import score
from pipeline.models import baselines, recurrent
from pipeline.training import job as jobs
from pipeline.training.methods import (
    boosting,
    kernel_ridge,
    least_absolute,
    least_squares,
    logistic_regression,
    none,
)
from pipeline.training.recipe import recipe
from pipeline.training.trees import COLUMNS, checked, predict, table
from tests.support.training import job


def whole(dataset, split):
    """Inputs and targets."""
    return dataset.splits[split].take(np.arange(len(dataset.splits[split])))


def linear_regression(ridge):
    return Ridge(alpha=ridge) if ridge else LinearRegression()


def same_for_test(inputs, targets, kind="forecast", metric="mae"):
    """A data set whose test split is that of train."""
    split = Arrays(inputs, targets)
    return Dataset("x", kind, metric, {"train": split, "test": split}, scored=())


def fitted(trained):
    """The predictions of test, and the weights."""
    return trained.replicates[0].predictions["final_test"], trained.replicates[
        0
    ].weights["final"]


@pytest.mark.parametrize(("ridge", "chunk"), [(0.0, 7), (2.5, 2048)])
def test_least_squares_finds_a_librarys_coefficients_whatever_the_chunks(
    station, ridge, chunk, tmp_path, monkeypatch
):
    """And for every seed the same."""
    monkeypatch.setattr(jobs, "CHUNK", chunk)
    trained = least_squares.train(
        job(station, baselines.linear, 3, 5, last=3), ridge=ridge
    )
    (x, y), (x_test, _) = whole(station, "train"), whole(station, "test")
    features, features_test = (
        inputs[:, -3:].reshape(-1, 9).astype(np.float64) for inputs in (x, x_test)
    )
    library = linear_regression(ridge).fit(features, y.astype(np.float64))
    assert [replicate.seed for replicate in trained.replicates] == [3, 5]
    for replicate in trained.replicates:
        trained.save(replicate.weights["final"], tmp_path / "a")
        coefficients = read_npz(tmp_path / "a.npz")["weights"]
        np.testing.assert_allclose(
            coefficients, [*library.coef_, library.intercept_], rtol=1e-6
        )
        for split, x in (("train", features), ("test", features_test)):
            np.testing.assert_allclose(
                replicate.predictions[f"final_{split}"], library.predict(x), rtol=1e-6
            )
    assert (trained.parameters, trained.loss) == (10, "mse")


def test_two_numbers_continue_a_sine_exactly(sine_windows):
    """sin(x + h) = 2 cos(h) sin(x) - sin(x - h): found from data, and good for a free
    run."""
    trained = least_squares.train(
        job(sine_windows, baselines.linear, last=2, intercept=False)
    )
    np.testing.assert_allclose(fitted(trained)[1], [-1.0, 2 * np.cos(0.5)], rtol=1e-12)
    for name, error in (("final_test", 1e-28), ("rollout", 1e-24)):
        assert (
            score(
                "mse",
                trained.replicates[0].predictions[name],
                sine_windows.splits["test"].targets,
            )
            < error
        )


@pytest.mark.parametrize("ridge", [0.0, 2.5])
def test_of_a_target_for_each_timestep_least_squares_sees_what_came_up_to_there(
    shape, ridge
):
    dataset = shape("sequence_to_sequence")
    trained = least_squares.train(job(dataset, baselines.linear), ridge=ridge)
    (x, y), (x_test, _) = whole(dataset, "train"), whole(dataset, "test")
    for step in range(y.shape[1]):
        library = linear_regression(ridge).fit(x[:, : step + 1, 0], y[:, step])
        expected = library.predict(x_test[:, : step + 1, 0])
        np.testing.assert_allclose(
            fitted(trained)[0][:, step], expected, rtol=1e-6, atol=1e-9
        )
    with pytest.raises(ValueError, match="as many for each of"):
        least_squares.train(job(dataset, baselines.linear, last=1))
    dataset = shape("vector_to_sequence")  # several targets, each by itself
    expected = (
        linear_regression(ridge)
        .fit(*whole(dataset, "train"))
        .predict(whole(dataset, "test")[0])
    )
    predictions = fitted(
        least_squares.train(job(dataset, baselines.linear), ridge=ridge)
    )[0]
    np.testing.assert_allclose(predictions, expected, rtol=1e-6, atol=1e-9)


def test_a_delayed_value_is_answered_by_its_copy(shape):
    dataset = shape("delayed")
    delay = int(np.argmax(whole(dataset, "test")[1][0] != 0))
    trained = none.train(job(dataset, baselines.delayed, timesteps=delay))
    np.testing.assert_array_equal(fitted(trained)[0], whole(dataset, "test")[1])
    with pytest.raises(ValueError, match="delayed needs inputs"):
        none.train(job(shape("vector_to_sequence"), baselines.delayed, timesteps=1))


@pytest.mark.parametrize("intercept", [True, False])
def test_the_least_absolute_error_is_that_of_the_linear_programme(random, intercept):
    """Of a weighted sum, with noise that now and then is large and to one side."""
    x = random.standard_normal((400, 8))
    y = (
        x @ np.arange(8) / 8
        + 0.1 * random.standard_normal(400)
        + 5 * (random.random(400) < 0.2)
    )
    outliers = same_for_test(x.reshape(400, 4, 2), y)
    trained = least_absolute.train(job(outliers, baselines.linear, intercept=intercept))
    least = abs(
        QuantileRegressor(alpha=0, fit_intercept=intercept).fit(x, y).predict(x) - y
    ).mean()
    assert least <= abs(fitted(trained)[0] - y).mean() < 1.001 * least
    assert (
        abs(Ridge(alpha=0, fit_intercept=intercept).fit(x, y).predict(x) - y).mean()
        > 1.05 * least
    )
    assert (trained.parameters, trained.loss) == (8 + intercept, "mae")


@pytest.mark.parametrize(
    "words", [baselines.bag_of_words, partial(baselines.tfidf, reviews=2)]
)
def test_what_is_learnt_of_words_comes_from_the_train_split(words, reviews):
    training = job(reviews, words)
    predictions, weights = fitted(logistic_regression.train(training, c=100.0))
    baseline = training.build()
    of_split = {split: each.inputs for split, each in reviews.splits.items()}
    learnt = [baseline.learn(reviews.splits["train"])] if baseline.learn else []
    x = baseline.features(of_split["train"], *learnt)
    x_test = baseline.features(of_split["test"], *learnt)
    library = LogisticRegression(C=100.0, max_iter=1000).fit(
        x, reviews.splits["train"].targets
    )
    np.testing.assert_allclose(
        predictions, library.predict_proba(x_test)[:, 1], rtol=1e-6
    )
    assert len(weights) == x.shape[1] + 1


def test_naive_bayes_weights_are_differences_of_log_shares():
    # class 1 has the counts 3 and 1, class 0 the counts 0 and 2; each begins at 1
    features = csr_matrix([[1, 1], [2, 0], [0, 2]])
    weights = logistic_regression.naive_bayes_weights(features, np.array([1, 1, 0]))
    expected = [np.log((4 / 6) / (1 / 4)), np.log((2 / 6) / (3 / 4))]
    np.testing.assert_allclose(weights, expected)


def test_naive_bayes_multiplies_each_feature_by_its_weight(reviews):
    training = job(reviews, baselines.bag_of_words)
    trained = logistic_regression.train(training, c=0.5, naive_bayes=True)
    train, test = (reviews.splits[split] for split in ("train", "test"))
    features = training.build().features
    x, x_test = features(train.inputs), features(test.inputs)
    scale = logistic_regression.naive_bayes_weights(x, train.targets)
    library = LogisticRegression(C=0.5, max_iter=1000)
    library.fit(x.toarray() * scale, train.targets)
    expected = library.predict_proba(x_test.toarray() * scale)[:, 1]
    np.testing.assert_allclose(fitted(trained)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trees_predict_what_a_library_does_to_the_last_bit(loss, dtype, random):
    """With missing values where none was in training, too, and of two models."""
    features = random.normal(size=(5000, 6)).astype(dtype)
    features[random.random(features.shape) < 0.1] = np.nan
    features[:, 5] = np.round(np.nan_to_num(features[:, 5]))
    targets = np.exp(np.nan_to_num(features[:, 0]) + random.normal(size=5000))
    options = {"loss": loss, "early_stopping": False}
    models = [
        HistGradientBoostingRegressor(**options).fit(features, targets),
        # a tree that splits nothing is a leaf
        HistGradientBoostingRegressor(max_iter=3, **options).fit(
            features[:30], targets[:30]
        ),
    ]
    trees = checked(table(models))
    seen = np.concatenate([features, np.full((1, 6), np.nan, dtype)])
    expected = np.stack([model.predict(seen) for model in models], axis=1)
    for some in (seen, seen[:1]):
        predictions = predict(trees, some)
        if loss == "poisson":
            predictions = np.exp(predictions)
        np.testing.assert_array_equal(predictions, expected[: len(some)])


def a_table():
    """Trees of three features."""
    features = np.random.default_rng(0).normal(size=(200, 3))
    model = HistGradientBoostingRegressor(max_iter=2).fit(features, features[:, 0])
    return table([model])


@pytest.mark.parametrize("column", ["left", "right", "feature"])
@pytest.mark.parametrize("value", [-1.0, 1.0, 2.0**31, 1e300, np.nan, np.inf, -np.inf])
def test_a_tree_whose_nodes_lead_elsewhere_is_not_read(column, value):
    weights = a_table()
    inner = np.flatnonzero(weights[:, COLUMNS.index("left")] != np.arange(len(weights)))
    weights[inner[1:], COLUMNS.index(column)] = value
    if column == "feature" and value == 1:
        assert checked(weights) is weights
        return
    with pytest.raises(ValueError, match="a node of a tree leads out"):
        checked(weights)


def test_trees_ask_for_no_feature_that_is_not_there():
    trees = checked(a_table())
    with pytest.raises(ValueError, match="a tree asks for feature 0 of 0"):
        predict(trees, np.zeros((5, 0)))


@pytest.mark.parametrize(
    ("method", "weights", "says"),
    [
        ("boosting", np.array([b"cposix"]), "it has no array weights of numbers"),
        ("boosting", np.zeros(0), "trees have 7 columns"),
        ("boosting", np.zeros((0, 7)), "trees have 7 columns"),
        ("boosting", np.zeros((3, 6)), "trees have 7 columns"),
        ("boosting", np.full((3, 7), -1), "a node of a tree leads out of the tree"),
        ("least_absolute", np.array([b"cposix"]), "it has no array weights of numbers"),
    ],
)
def test_weights_from_elsewhere_are_refused(method, weights, says, station, tmp_path):
    write_npz(tmp_path / "seed_0_final.npz", {"weights": weights})
    model = {"family": "baselines", "name": "lags"}
    if method == "least_absolute":
        model["name"] = "linear"
    experiment = Experiment.model_validate(
        {"dataset": "meter", "model": model, "training": {"method": method}}
    )
    with pytest.raises(
        UnrollError,
        match=f"seed_0_final.npz is damaged .{says}.*; delete it and run `unroll repro`",
    ):
        recipe("mine", experiment).load(
            asdict(problem(station)), tmp_path / "seed_0_final"
        )


def changed(dataset, **changes):
    """The data set with other windows."""
    return replace(
        dataset,
        splits={split: replace(w, **changes) for split, w in dataset.splits.items()},
    )


def lags_of(inputs):
    """What `lags` has with `last` of 4."""
    return np.column_stack([inputs[:, -4:, 1], inputs[:, -1, [0, 2]]])


def test_boosting_is_that_of_a_library_for_each_of_several_values(station):
    def boosted(dataset):
        options = {"trees": 7, "leaves": 5, "learning_rate": 0.3, "examples": 10}
        trained = boosting.train(job(dataset, baselines.lags, last=4), **options)
        return fitted(trained)[0], trained.parameters

    second = changed(station, delay=5)
    options = {"loss": "absolute_error", "early_stopping": False, "learning_rate": 0.3}
    library = HistGradientBoostingRegressor(
        max_iter=7, max_leaf_nodes=5, min_samples_leaf=10, **options
    )
    (x, y), (x_test, _) = whole(second, "train"), whole(second, "test")
    predictions, parameters = boosted(second)
    np.testing.assert_allclose(
        predictions, library.fit(lags_of(x), y).predict(lags_of(x_test)), rtol=1e-12
    )
    assert parameters == 1 + 7 * (2 * 5 - 1)
    several, _ = boosted(changed(station, outputs=2))
    np.testing.assert_array_equal(several[:, 1], predictions)


def test_with_differences_trees_predict_a_rise_from_the_last_value(station):
    """So the same series higher up has predictions that are as much higher."""
    higher = changed(station, outputs=2)
    for split, examples in higher.splits.items():
        higher.splits[split] = replace(
            examples, series=examples.series + np.float32([0, 64, 0])
        )
    build = partial(baselines.lags, last=4, differences=True, means=[3])
    results = [
        fitted(boosting.train(job(data, build), trees=5))
        for data in (changed(station, outputs=2), higher)
    ]
    (lower, _), (upper, _) = results
    np.testing.assert_allclose(upper, lower + 64, atol=1e-3)


def test_kernel_ridge_is_that_of_a_library_of_rows_evenly_spaced(station):
    dataset = changed(station, outputs=2)
    predictions, weights = fitted(
        kernel_ridge.train(
            job(dataset, baselines.lags, last=4), gamma=0.5, alpha=0.1, rows=50
        )
    )
    chosen = np.unique(np.linspace(0, len(dataset.splits["train"]) - 1, 50).astype(int))
    (x, y), (x_test, _) = dataset.splits["train"].take(chosen), whole(dataset, "test")
    features, features_test = (
        lags_of(inputs.astype(np.float64)) for inputs in (x, x_test)
    )
    mean = features.mean(axis=0)
    deviation = features.std(axis=0)
    library = KernelRidge(kernel="rbf", gamma=0.5 / 6, alpha=0.1).fit(
        (features - mean) / deviation, y - y.mean(axis=0)
    )
    expected = library.predict((features_test - mean) / deviation) + y.mean(axis=0)
    np.testing.assert_allclose(predictions, expected, rtol=1e-6)
    assert weights.shape == (50, 2)
    single, _ = fitted(kernel_ridge.train(job(station, baselines.lags, last=4)))
    assert single.shape == (len(station.splits["test"]),)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_with_a_scale_for_each_feature_kernel_ridge_is_a_gaussian_process(random):
    """Of the same kernel and noise; the third feature tells nothing."""
    inputs = random.random((90, 3)) * 4
    targets = np.stack(
        [np.sin(2 * inputs[:, 0]), inputs[:, 1]], axis=1
    ) + random.normal(0, 0.1, (90, 2))
    dataset = same_for_test(inputs, targets, "regress", "mse")
    features = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    mean = targets.mean(axis=0)
    deviation = targets.std()
    kernel = ConstantKernel() * RBF(np.full(3, 3**0.5)) + WhiteKernel(0.1)
    library = GaussianProcessRegressor(kernel).fit(
        features, (targets - mean) / deviation
    )
    amplitude = library.kernel_.k1.k1.constant_value
    noise = library.kernel_.k2.noise_level
    predictions, _ = fitted(
        kernel_ridge.train(
            job(dataset, baselines.lags), alpha=noise / amplitude, scales=100
        )
    )
    expected = library.predict(features) * deviation + mean
    np.testing.assert_allclose(predictions, expected, atol=5e-3)
    assert (
        library.kernel_.k1.k2.length_scale[2]
        > 5 * library.kernel_.k1.k2.length_scale[0]
    )


def test_a_baseline_predicts_every_split_and_its_rollout_stays_where_it_began(
    station, sine_windows, reviews
):
    predictions = (
        none.train(job(station, baselines.last_value)).replicates[0].predictions
    )
    for split, examples in station.splits.items():
        values = [float(examples.series[row - 2, 1]) for row in examples.rows]
        assert predictions[f"final_{split}"].tolist() == values
    rollout = (
        none.train(job(sine_windows, baselines.last_value))
        .replicates[0]
        .predictions["rollout"]
    )
    assert np.unique(rollout).tolist() == [np.sin(32.0)]
    trained = none.train(job(reviews, baselines.majority))
    assert set(fitted(trained)[0]) == {
        round(float(reviews.splits["train"].targets.mean()))
    }
    assert trained.parameters == 1


def test_one_number_counts_for_each_of_several_targets_and_step_by_step_nothing_is_seen_ahead(
    shape,
):
    """So the last value is the one that is repeated, or at each step the one that has
    just come."""
    several, stepwise = (
        shape(name) for name in ("sequence_to_vector", "sequence_to_sequence")
    )
    predictions = fitted(none.train(job(several, baselines.last_value)))[0]
    assert (predictions == np.repeat(whole(several, "test")[0][:, -1], 4, axis=1)).all()
    assert (
        fitted(none.train(job(stepwise, baselines.last_value)))[0]
        == whole(stepwise, "test")[0][:, :, 0]
    ).all()


def test_a_network_that_is_not_trained_is_summarised_but_predicts_nothing(reviews):
    build = recurrent.MODELS["simple_rnn"]
    trained = none.train(
        job(reviews, build, units=4, embedding=3, head=False, sequences=True)
    )
    assert (trained.replicates, trained.parameters) == ([], 30 * 3 + 4 * 8)
    assert [layer["type"] for layer in trained.layers] == ["Embedding", "SimpleRNN"]


QUICK = [
    partial(least_absolute.train, rounds=3),
    partial(boosting.train, trees=3),
    partial(kernel_ridge.train, rows=500),
]


@pytest.mark.parametrize(
    "train", [least_squares.train, logistic_regression.train, *QUICK]
)
def test_bits_do_not_depend_on_the_number_of_threads(random, train):
    from scipy import linalg  # noqa: F401 - what is loaded later is not limited

    inputs = random.standard_normal((2000, 300))
    many = same_for_test(
        inputs, (inputs.sum(axis=1) > 0).astype(np.float64), "classify", "mse"
    )
    training = job(many, baselines.linear)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            predictions, weights = fitted(train(training))
            results.append([predictions.tobytes(), weights.tobytes()])
    assert results[0] == results[1]


def test_harmonic_regression_is_read_back_with_the_same_bits_whatever_the_threads(
    waves, tmp_path
):
    model = {"family": "baselines", "name": "harmonic_regression", "frequencies": 20}
    section = {"dataset": "waves", "model": model, "training": {"method": "none"}}
    known = recipe("told", Experiment.model_validate(section))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            trained = known.train(known.job(waves))
            found.append(fitted(trained)[0].tobytes())
    assert found[0] == found[1]
    assert trained.parameters == 4 + 4 + 4 + 1
    path = tmp_path / "seed_0_final"
    trained.save(trained.replicates[0].weights["final"], path)
    predict = known.load(asdict(problem(waves)), path)
    inputs, targets = whole(waves, "test")
    assert (predict(inputs) == fitted(trained)[0]).all()
    last = score("mse", inputs[:, -1, 0], targets)
    assert score("mse", predict(inputs), targets) < 0.1 * last
    path.with_name("seed_0_final.learnt.npz").unlink()
    with pytest.raises(UnrollError, match="all that the baseline learnt"):
        known.load(asdict(problem(waves)), path)


def test_trees_and_kernels_are_refused_what_they_cannot_answer(shape, random):
    for method in (boosting, kernel_ridge):
        with pytest.raises(ValueError, match="sees the whole input"):
            method.train(job(shape("delayed"), baselines.lags))
    inputs = random.standard_normal((60, 8, 1))
    targets = random.standard_normal((60, 2))
    targets[:, 1] = np.nan
    with pytest.raises(ValueError, match="measured for each value ahead"):
        boosting.train(job(same_for_test(inputs, targets), baselines.lags))
