"""What a sceptic finds in an hour: scikit-learn alone, at random, against the answers that are committed.

It reads a prepared data set as anybody would, tries models without recurrence on flattened inputs, keeps the best on
validation, and compares that one on test with the network of each answer, by the rule of docs/decisions/verdicts.md.
"""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows, of_every_column
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, intervals, schema
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.scores import blocks
from pipeline.metrics import MEASURES, losses, score
from pipeline.training import run_folder
from pipeline.workspace import Workspace

MOST = 8000
"""Examples that kernel ridge regression and nearest neighbours are given: their time grows with the square."""


def search(workspace: Workspace, name: str, minutes: float, seed: int = 0) -> Iterator[str]:
    """Try models until the time is up; a line for each that is the best so far, then one for each answer.

    Raises:
        UnrollError: the data set is not built, classifies words, or has nothing to choose by.
    """
    folder = workspace.prepared(name)
    data = dataset.load(folder, calendar=bool(dataset.describe(folder).calendar))
    asks_too_much = data.vocabulary or data.each_step or of_every_column(data.splits["train"])
    if "validation" not in data.splits or asks_too_much:
        raise UnrollError(f"{name}: a sceptic needs numbers in, a validation split, and one answer for each example")
    higher, random, best = MEASURES[data.metric].higher, np.random.default_rng(seed), (np.inf, "", np.empty(0))
    until, tried = time.monotonic() + 60 * minutes, 0
    with threadpool_limits(1):
        while not tried or time.monotonic() < until:
            tried += 1
            words, model, last, most = _drawn(random, data)
            split = {part: (_flat(data, part, last), data.splits[part].targets) for part in ("train", "validation")}
            inputs, targets = split["train"]
            kept = random.permutation(len(inputs))[:most]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of networks that could have gone on
                model.fit(inputs[kept], targets[kept])
            found = score(data.metric, model.predict(split["validation"][0]), split["validation"][1])
            if (-found if higher else found) < best[0]:
                best = -found if higher else found, words, model.predict(_flat(data, "test", last))
                yield f"{name}  {data.metric} on validation {found:.4g}  {words}"
    yield from _verdicts(workspace, name, data, best[1], best[2])


def _drawn(random: np.random.Generator, data: Dataset) -> tuple[str, Any, int, int]:
    """A model in words, it, how many timesteps it sees, and how many examples."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    several = data.splits["train"].targets.ndim > 1
    last = int(random.integers(1, data.input_shape[0] + 1))
    kind = str(random.choice(["mlp", "boosting", "kernel ridge", "neighbours"]))
    most, options = MOST, dict[str, Any]()
    if kind == "mlp":
        sizes = tuple(int(size) for size in 2 ** random.integers(3, 8, random.integers(1, 3)))
        options = {
            "alpha": float(10 ** random.uniform(-6, -1)),
            "learning_rate_init": float(10 ** random.uniform(-4, -2)),
        }
        options |= {"activation": str(random.choice(["relu", "tanh"])), "max_iter": int(random.integers(5, 60))}
        model, most = MLPRegressor(hidden_layer_sizes=sizes, random_state=0, **options), 10**9
        options |= {"hidden": sizes}
    elif kind == "boosting":
        loss = "squared_error" if data.metric == "mse" else "absolute_error"
        options = {"max_iter": int(random.integers(50, 500)), "max_leaf_nodes": int(random.integers(4, 64))}
        options |= {"learning_rate": float(10 ** random.uniform(-2, -0.5))}
        model, most = HistGradientBoostingRegressor(loss=loss, random_state=0, **options), 10**9
        model = MultiOutputRegressor(model) if several else model
    elif kind == "kernel ridge":
        options = {"alpha": float(10 ** random.uniform(-4, 1)), "gamma": float(10 ** random.uniform(-4, 0))}
        model = KernelRidge(kernel="rbf", **options)
    else:
        options = {"n_neighbors": int(random.integers(1, 40)), "weights": str(random.choice(["uniform", "distance"]))}
        model = KNeighborsRegressor(**options)
    said = ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in options.items()
    )
    return f"{kind} of the last {last} steps ({said})", make_pipeline(StandardScaler(), model), last, most


def _flat(data: Dataset, split: str, last: int) -> Array:
    """(n, values) of the last timesteps, all columns of them, the calendar's too."""
    examples = data.splits[split]
    inputs = examples.take(np.arange(len(examples)))[0]
    if isinstance(examples, Windows) or inputs.ndim == 3:
        inputs = inputs[:, -last:]
    flat: Array = inputs.reshape(len(inputs), -1).astype(np.float64)
    return flat


def _verdicts(workspace: Workspace, name: str, data: Dataset, words: str, predictions: Array) -> Iterator[str]:
    evaluation, every = schema.load(workspace.evaluation(name)), params.load(workspace.params)
    targets, groups = data.splits["test"].targets, blocks(data, "test")
    yield f"{name}  {data.metric} on test {score(data.metric, predictions, targets):.4g}  the sceptic's best: {words}"
    for found in answers.front_page({name: evaluation})[name]:
        if found.network is None:
            continue
        seeds = every.experiments[found.network].seeds
        run = run_folder.load_for(workspace.run(name, found.network), name, seeds)
        each = losses(data.metric, run.predictions[f"{run.points[-1]}_test"], targets)
        mine = losses(data.metric, predictions[None], targets)
        low, high = intervals.difference(each, mine, groups).interval()
        holds = (high < 0) if not MEASURES[data.metric].higher else (low > 0)
        now = "still better" if holds else "no longer better" if found.outcome == Outcome.YES else "not better"
        apart = f"{found.network} less the sceptic's {low:.3g} to {high:.3g}"
        yield f"{name}  {found.networks}: was {found.outcome}; {apart}: {now}"
