"""The tables behind a data set's plots: curves of training, a stretch of the test set,
the worst mistakes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import (
    Array,
    Arrays,
    Examples,
    Windows,
    ceil_div,
    of_every_column,
)
from pipeline.evaluation.schema import Evaluation
from pipeline.evaluation.scores import layout, rows_of_week
from pipeline.metrics import losses
from pipeline.training.run_folder import Run

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 400
"""Most test examples in an excerpt: more than a plot can show are of no use."""

CYCLES = 10
"""Natural cycles (days) in the excerpt of a series with less than three whole weeks."""

BEFORE = 24
"""Most values of an example's input in its excerpt; the last ones are shown."""

PARTS = ("best", "median", "worst")
"""The parts of a test set that are drawn side by side."""

CURVE = 100
"""Most epochs in a curve: more than a plot can show are of no use."""

MISTAKES = 3
"""Number of wrong and confident reviews that are shown for each experiment."""

WORDS = 40
"""Number of words, from the end of a review, that are shown."""

MISTAKE_COLUMNS = ["experiment", "example", "truth", "probability", "words"]


def tables(
    dataset: Dataset, runs: Mapping[str, Run], compared: Sequence[str]
) -> dict[str, "pd.DataFrame"]:
    """Return name of a file -> its table; tables without content are left out.

    `compared` are the experiments whose predictions are drawn. `history` and `scores`
    are not among the tables.
    """
    every = {
        "predictions": predictions(dataset, runs, compared),
        "weeks": weeks(dataset, runs),
        "rollout": rollouts(dataset, runs),
        "mistakes": mistakes(dataset, runs),
        "gradients": gradients(runs),
    }
    return {name: table for name, table in every.items() if table is not None}


def rounded(table: "pd.DataFrame") -> "pd.DataFrame":
    """Round numbers to six digits.

    A plot shows fewer digits, and a long excerpt stays small.
    """
    floats = table.select_dtypes("floating").columns
    return table.assign(
        **{name: [float(f"{value:.6g}") for value in table[name]] for name in floats}
    )


def scores(evaluation: Evaluation) -> "pd.DataFrame":
    """Return scores.csv, for `dvc plots`: each experiment's score on test.

    Columns: experiment; score, the mean over seeds with the weights that validation
    chose; low and high, the 95 % interval of the mean, if it is known.
    """
    import pandas as pd

    rows = []
    for name, entry in evaluation.experiments.items():
        stat = entry.score(evaluation.dataset.metric)
        if stat:
            rows.append([name, stat.mean, *(stat.mean_ci or (None, None))])
    return pd.DataFrame(rows, columns=["experiment", "score", "low", "high"])


def history(runs: Mapping[str, Run]) -> "pd.DataFrame":
    """Return history.csv: experiment, seed, epoch and the values recorded in the epoch.

    Each seed has at most `CURVE` evenly spaced epochs, and its best epoch.
    """
    import pandas as pd

    keys = ["experiment", "seed", "epoch"]
    curves = []
    for name, run in runs.items():
        for index, (_, rows) in enumerate(run.history.groupby("seed", sort=False)):
            kept = np.linspace(1, len(rows), min(CURVE, len(rows))).round().tolist()
            if run.summary.best_epochs:
                kept.append(run.summary.best_epochs[index])
            curves.append(rows[rows["epoch"].isin(kept)].assign(experiment=name))
    if not curves:
        return pd.DataFrame(columns=keys)
    return pd.concat(curves, ignore_index=True).set_index(keys).reset_index()


def predictions(
    dataset: Dataset, runs: Mapping[str, Run], names: Sequence[str]
) -> "pd.DataFrame | None":
    """Return predictions.csv, in the data's unit; None if no line can be drawn.

    The predictions are the first seed's, with the weights that validation chose, else
    with the final weights. The columns:

    - part: a stretch of test: a week of a series, or an example. These experiments
      together err least in part 0, by the median in part 1, and most in part 2. A
      series with less than three whole weeks of test has part 0 only.
    - index: the row of the series, counted from the part's first row, or the step of
      the example. Steps below 1 belong to the input.
    - time: the timestamp of the target in seconds since 1970 by the file's clock, if
      the data set has timestamps.
    - x: the input of points (examples, 1), ascending.
    - truth, and one column for each of `names`.
    """
    import pandas as pd

    on_test = _on_test(runs)
    drawn = {name: on_test[name] for name in names if name in on_test}
    if not _can_be_drawn(dataset, drawn):
        return None
    test = dataset.splits["test"]
    before = _values_before(dataset)
    firsts = {name: of_seeds[0] for name, of_seeds in drawn.items()}
    lines = {"truth": test.targets} | firsts
    frames = []
    for part, chosen in enumerate(_stretches(dataset, drawn)):
        if before:
            given = test.take(chosen)[0].astype(np.float64).ravel()[-before:]
            head = {"part": part, "index": np.arange(1 - before, 1), "truth": given}
            frames.append(pd.DataFrame(head))
        values = {
            name: line[chosen].astype(np.float64).ravel()
            for name, line in lines.items()
        }
        frames.append(pd.DataFrame({"part": part} | _places(dataset, chosen) | values))
    table = pd.concat(frames, ignore_index=True)
    in_unit = [*lines]
    table[in_unit] = table[in_unit] * dataset.scale.std + dataset.scale.mean
    return table


def _can_be_drawn(dataset: Dataset, drawn: Mapping[str, Array]) -> bool:
    """Return whether the predictions of some experiments are a line.

    Classes are no line. Forecasts of every column have no predictions, only errors. A
    single target is no line if its example has no values before it.
    """
    test = dataset.splits["test"]
    if not drawn or dataset.kind == "classify" or of_every_column(test):
        return False
    is_single = layout(dataset) == "examples" and test.targets.ndim == 1
    return not is_single or _values_before(dataset) > 0


def _places(dataset: Dataset, chosen: Array) -> dict[str, Array]:
    """Return the columns index, time and x of predictions.csv for some test examples
    (m,).
    """
    test = dataset.splits["test"]
    if not isinstance(test, Windows):
        places = {"index": np.arange(1, test.targets[chosen].size + 1)}
        if layout(dataset) == "points":
            places["x"] = test.inputs[chosen, 0]
        return places
    rows = (test.rows[chosen][:, None] + test.ahead).ravel()
    places = {"index": rows - rows[0]}
    if dataset.stamps is not None:
        places["time"] = dataset.stamps[rows].astype("datetime64[s]").astype(np.int64)
    return places


def _values_before(dataset: Dataset) -> int:
    """Return how many values of an example's input to show before its targets.

    It is 0 if the input does not hold the values right before the targets.
    """
    shape = dataset.input_shape
    targets = dataset.splits["test"].targets
    forecast = dataset.kind == "forecast" and layout(dataset) == "examples"
    if not forecast or len(shape) != 2 or shape[1] != 1:
        return 0
    follows = targets.ndim == 1 or targets.shape[1] < shape[0]
    return min(shape[0], BEFORE) if follows else 0


def _stretches(dataset: Dataset, drawn: Mapping[str, Array]) -> list[Array]:
    """Return the test examples (m,) of each part.

    Points are one part, in the order of their inputs. Else the parts are the blocks (an
    example, or a whole week of a series) with the least, the median and the largest
    error of all experiments together. Too few whole weeks are the first days only.
    """
    test = dataset.splits["test"]
    if layout(dataset) == "points":
        return [_ordered_points(test)]
    rows_per_week = rows_of_week(dataset)
    block_of_example = np.arange(len(test))
    if isinstance(test, Windows):
        block_of_example = np.zeros(len(test), int)
        if rows_per_week:
            block_of_example = test.rows // rows_per_week
    _, block_of_example, counts = np.unique(
        block_of_example, return_inverse=True, return_counts=True
    )
    whole = np.flatnonzero(counts > 0.9 * counts.max())
    few = not dataset.period or len(whole) < len(PARTS)
    if isinstance(test, Windows) and few:
        return [_first_days(test, dataset.period)]
    return _best_median_worst(dataset, drawn, block_of_example, whole)


def _ordered_points(test: Examples) -> Array:
    """Return at most `LONGEST` points (m,), in the order of their inputs."""
    inputs = test.take(np.arange(len(test)))[0]
    order = np.argsort(inputs[:, 0], kind="stable")
    return order[:: ceil_div(len(order), LONGEST)]


def _first_days(test: Windows, period: int) -> Array:
    """Return the windows (m,) of the first `CYCLES` cycles of `period` timesteps, or of
    the first `LONGEST` timesteps if `period` is 0.
    """
    length = CYCLES * period * test.step or LONGEST * test.step
    first = np.flatnonzero(test.rows - test.rows[0] < length)
    return _one_after_another(test, first)


def _best_median_worst(
    dataset: Dataset, drawn: Mapping[str, Array], block_of_example: Array, whole: Array
) -> list[Array]:
    """Return the examples (m,) of the blocks with the least, the median and the largest
    error of all experiments together.

    Args:
        dataset: the data set.
        drawn: experiment -> its predictions on test (seeds, n, ...).
        block_of_example: (n,) the number of each test example's block, from 0.
        whole: (blocks,) the numbers of the blocks to choose from.
    """
    test = dataset.splits["test"]
    errors = sum(
        losses(dataset.metric, values, test.targets).mean(axis=0)
        for values in drawn.values()
    )
    sums = np.bincount(block_of_example, errors)
    mean_errors = sums / np.bincount(block_of_example)
    order = whole[np.argsort(mean_errors[whole], kind="stable")]
    return [
        _one_after_another(test, np.flatnonzero(block_of_example == order[index]))
        for index in (0, len(order) // 2, -1)
    ]


def _one_after_another(test: Examples, examples: Array) -> Array:
    """Return the examples, from the first on, whose targets do not overlap."""
    if isinstance(test, Arrays):
        return examples
    chosen = []
    free = 0
    for example in examples:
        if test.rows[example] >= free:
            chosen.append(example)
            free = int(test.rows[example]) + test.outputs * test.step
    return np.array(chosen)


def rollouts(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """Return rollout.csv: step (from 1), truth, and for each experiment the first
    seed's free run. Return None if the data set has no free runs.
    """
    import pandas as pd

    if not dataset.rollout:
        return None
    truth = dataset.splits["test"].targets
    free = {
        name: run.predictions["rollout"][0]
        for name, run in runs.items()
        if "rollout" in run.predictions
    }
    return pd.DataFrame({"step": np.arange(1, len(truth) + 1), "truth": truth} | free)


def gradients(runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """Return gradients.csv: back, the timesteps before the last one, from 0; and for each
    experiment with gradients how much its output depends on this timestep
    (`Program.gradients`), as the mean over seeds. Return None if there is none.
    """
    import pandas as pd

    found = {
        name: pd.Series(run.predictions["gradients"].mean(axis=0)[::-1])
        for name, run in runs.items()
        if "gradients" in run.predictions
    }
    if not found:
        return None
    return pd.DataFrame(found).rename_axis("back").reset_index()


def mistakes(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """Return mistakes.csv: the reviews of test that each experiment gets most wrong.

    Columns: experiment, example, truth, probability (of class 1, the mean over seeds)
    and words (the last words of the review). The worst mistake comes first. A model
    with the same prediction for every review is left out. Return None if the data set
    has no words.
    """
    import pandas as pd

    test = dataset.splits["test"]
    if dataset.words is None or not isinstance(test, Arrays):
        return None
    rows = []
    for name, predicted in _on_test(runs).items():
        probability = predicted.astype(np.float64).mean(axis=0)
        errors = np.abs(probability - test.targets)
        worst = np.argsort(-errors, kind="stable")[:MISTAKES]
        wrong = (errors[worst] > 0.5) & (np.ptp(probability) > 0)
        for example in worst[wrong]:
            words = dataset.words[test.inputs[example]]
            # "br" is the rest of an HTML line break.
            said = " ".join(words[~np.isin(words, ("", "br"))][-WORDS:])
            truth = int(test.targets[example])
            rows.append([name, example, truth, probability[example], said])
    return pd.DataFrame(rows, columns=MISTAKE_COLUMNS)


def weeks(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """Return weeks.csv: the measure of each experiment in each week of test.

    Return None if runs keep predictions; weeks are shown only for runs that do not.
    """
    import pandas as pd

    test = dataset.splits["test"]
    length = rows_of_week(dataset)
    if length is None or not of_every_column(test):
        return None
    numbers, week = np.unique(test.rows // length, return_inverse=True)
    columns: dict[str, Array] = {"week": numbers - numbers[0]}
    for name, values in _on_test(runs).items():
        errors = losses(dataset.metric, values, None).mean(axis=0)
        columns[name] = np.bincount(week, errors) / np.bincount(week)
    return pd.DataFrame(columns)


def _on_test(runs: Mapping[str, Run]) -> dict[str, Array]:
    """Return experiment -> its predictions on test (seeds, n, ...), with the weights
    that validation chose, else with the final weights.
    """
    return {
        name: run.predictions[f"{run.points[-1]}_test"]
        for name, run in runs.items()
        if run.predictions
    }
