"""What a sceptic finds in an hour: scikit-learn alone, at random, against the answers that are committed.

It reads a prepared data set as anybody would, tries models without recurrence on rows of lags, keeps the best on
validation, and compares that one on test with the network of each answer, by the rule of docs/decisions/verdicts.md.
"""

import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits

from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, compared, of_every_column
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, schema
from pipeline.evaluation.scores import blocks
from pipeline.metrics import losses
from pipeline.training import run_folder
from pipeline.workspace import Workspace

FEW, MANY = 8000, 100_000
"""Rows that a model learns from: kernel ridge regression and neighbours, whose time grows with the square; others."""

HALF = 0.5
"""How often a model sees the whole input; else its last timesteps, drawn at random."""

AT_ONCE = 500
"""Examples that are answered at once: kernel ridge regression compares each of their rows with all that it learnt."""

TOO_MANY = 50
"""Values in an answer from which on boosting is left out, since it makes a model for each."""


def search(workspace: Workspace, name: str, minutes: float, seed: int = 0) -> Iterator[str]:
    """Try models until the time is up; a line for each that is the best so far, then one for each answer.

    Raises:
        UnrollError: the data set is not built, classifies words, or has nothing to choose by.
    """
    folder = workspace.prepared(name)
    data = dataset.load(folder, calendar=bool(dataset.describe(folder).calendar))
    if "validation" not in data.splits or data.vocabulary:
        raise UnrollError(f"{name}: a sceptic needs numbers in, and a validation split")
    random, best = np.random.default_rng(seed), (np.inf, "", np.empty(0))
    until, tried, examples = time.monotonic() + 60 * minutes, 0, len(data.splits["train"])
    with threadpool_limits(1):
        while not tried or time.monotonic() < until:
            tried += 1
            words, model, last, most = _drawn(random, data)
            drawn = random.permutation(examples)[: most // _rows_each(data)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of networks that could have gone on
                model.fit(*_rows(data, "train", drawn, last))
            error = float(_losses(model, data, "validation", last).mean())
            if error < best[0]:
                best = error, words, _losses(model, data, "test", last)
                yield f"{name}  {data.metric} on validation {error:.4g}  {words}"
    yield from _verdicts(workspace, name, data, best[1], best[2])


def _drawn(random: np.random.Generator, data: Dataset) -> tuple[str, Any, int, int]:
    """A model in words, it, how many timesteps it sees, and how many rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = _rows(data, "train", np.arange(1), 1)[1][0].size
    whole = data.input_shape[0]
    last = whole if random.random() < HALF else int(random.integers(1, whole + 1))
    kinds = ["mlp", "boosting", "kernel ridge", "neighbours"]
    kind = str(random.choice([kind for kind in kinds if kind != "boosting" or values <= TOO_MANY]))
    most, options = FEW, dict[str, Any]()
    if kind == "mlp":
        sizes = tuple(int(size) for size in 2 ** random.integers(4, 9, random.integers(1, 4)))
        options = {
            "alpha": float(10 ** random.uniform(-6, -1)),
            "learning_rate_init": float(10 ** random.uniform(-4, -2)),
        }
        options |= {"activation": str(random.choice(["relu", "tanh"])), "max_iter": int(10 ** random.uniform(1, 2.7))}
        model, most = MLPRegressor(hidden_layer_sizes=sizes, random_state=0, **options), MANY
        options |= {"hidden": sizes}
    elif kind == "boosting":
        loss = "squared_error" if data.metric == "mse" else "absolute_error"
        options = {"max_iter": int(random.integers(50, 500)), "max_leaf_nodes": int(random.integers(4, 64))}
        options |= {"learning_rate": float(10 ** random.uniform(-2, -0.5))}
        model, most = HistGradientBoostingRegressor(loss=loss, random_state=0, **options), MANY
        model = MultiOutputRegressor(model) if values > 1 else model
    elif kind == "kernel ridge":
        columns = _rows(data, "train", np.arange(1), last)[0].shape[1]
        options = {"alpha": float(10 ** random.uniform(-4, 1)), "gamma": float(10 ** random.uniform(-1.5, 1)) / columns}
        model = KernelRidge(kernel="rbf", **options)
    else:
        options = {"n_neighbors": int(random.integers(1, 40)), "weights": str(random.choice(["uniform", "distance"]))}
        model = KNeighborsRegressor(**options)
    settings = ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in options.items()
    )
    return f"{kind} of the last {last} steps ({settings})", make_pipeline(StandardScaler(), model), last, most


def _rows_each(data: Dataset) -> int:
    """Rows that scikit-learn gets of one example."""
    steps, columns = (*data.input_shape, 1)[:2]
    return steps if data.each_step else columns if of_every_column(data.splits["train"]) else 1


def _rows(data: Dataset, split: str, indices: Array, last: int) -> tuple[Array, Array]:
    """Inputs (rows, values) of the last timesteps, and targets (rows,) or (rows, values), of some examples.

    All columns are in a row, those of the calendar, too. Where each step is answered it has a row, of what was known by
    then; where all columns are, each has one, of its own past and less its last value, as in NLinear (Zeng 2023).
    """
    inputs, targets = data.splits[split].take(indices)
    if data.each_step:
        inputs = sliding_window_view(np.pad(inputs, [(0, 0), (last - 1, 0), (0, 0)]), last, axis=1)
        return inputs.reshape(targets.size, -1).astype(np.float64), targets.ravel()
    if inputs.ndim == 3:
        inputs = inputs[:, -last:]
    if of_every_column(data.splits[split]):
        targets = targets.reshape(len(inputs), -1, inputs.shape[2])
        inputs, targets = (np.swapaxes(values - inputs[:, -1:], 1, 2) for values in (inputs, targets))
        targets = targets.reshape(-1, targets.shape[2])
        return inputs.reshape(len(targets), -1).astype(np.float64), targets
    return inputs.reshape(len(inputs), -1).astype(np.float64), targets


def _losses(model: Any, data: Dataset, split: str, last: int) -> Array:
    """(examples,) what each adds to the measure. What is taken off targets is taken off answers, so it cancels."""
    parts, count = [], len(data.splits[split])
    for first in range(0, count, AT_ONCE):
        inputs, targets = _rows(data, split, np.arange(first, min(first + AT_ONCE, count)), last)
        parts.append(losses(data.metric, model.predict(inputs)[None], targets)[0])
    of_examples: Array = np.concatenate(parts).reshape(count, -1).mean(axis=1)
    return of_examples


def _verdicts(workspace: Workspace, name: str, data: Dataset, words: str, losses_of_best: Array) -> Iterator[str]:
    every = params.load(workspace.params)
    built = {key: schema.load(folder) for key in every.datasets if (folder := workspace.evaluation(key)).is_dir()}
    table = answers.front_page(built)
    yield f"{name}  {data.metric} on test {losses_of_best.mean():.4g}  the sceptic's best: {words}"
    for answer in table[name]:
        if answer.network is None:
            continue
        run = run_folder.load_for(workspace.run(name, answer.network), name, every.experiments[answer.network].seeds)
        predictions = run.predictions[f"{run.points[-1]}_test"]
        of_network = losses(data.metric, predictions, compared(data.splits["test"]))
        comparison = partial(answers.compare, data.metric, of_network, losses_of_best[None], blocks(data, "test"))
        # As on the page: one correction for all answers, in which the sceptic's stands in our opponent's place.
        others = [other.comparison for row in table.values() for other in row if other is not answer]
        p_values = [other.difference.p_value for other in others if other]
        level = answers.holm([*p_values, comparison().difference.p_value])[-1]
        decided = comparison(alpha=level)
        low, high = decided.interval
        difference = f"{answer.network} less the sceptic's {low:.3g} to {high:.3g}"
        yield f"{name}  {answer.networks}: {answer.outcome} on the page; {difference}: {decided.outcome}"
