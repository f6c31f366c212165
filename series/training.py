"""Fits of a model to windows: the choice of options, and of the windows to train on."""

from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data import row_calendar
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.errors import UnrollError
from pipeline.training.job import Job, Trained
from series import candidates
from series.comparison import POWER, objective_of
from series.models.residual import reach
from series.recipes import recipe

VALIDATION_SHARE = 0.15
"""Share of the windows, the last ones, on which options are chosen."""

FEWEST_TO_CHOOSE = 20
"""Smallest number of windows, to train and to validate on, to choose options by."""

COMPLETE_SHARE = 0.5
"""Share of train windows with all targets, from which only these windows are taken."""


def select_options(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows
) -> Experiment:
    """Choose the open options of a network.

    They are the naive forecast that the network corrects, and the number of steps.

    Args:
        name: the name of the model.
        experiment: the model, and how it is trained.
        dataset: the series.
        train: the windows whose targets were known at the first origin. The last of
            them are validated on.

    Returns:
        The experiment with the options of the smallest mean error of one seed.
        With too few windows the first options are taken. A model that is no network is
        returned as it is.
    """
    if not candidates.is_network(experiment):
        return experiment
    earlier, later = _halves(dataset, train)
    if min(len(earlier), len(later)) < FEWEST_TO_CHOOSE:
        first = candidates.by_base(experiment)[0]
        return candidates.by_steps(first, len(train))[0]

    def error(choice: Experiment) -> float:
        one_seed = choice.model_copy(update={"seeds": choice.seeds[:1]})
        trained, _ = fit(name, one_seed, dataset, earlier, later)
        forecasts = trained.replicates[0].predictions["final_test"]
        errors = np.abs(forecasts - later.targets)
        return float(np.nanmean(errors ** POWER[objective_of(dataset)]))

    def best(choices: list[Experiment]) -> Experiment:
        return choices[0] if len(choices) == 1 else min(choices, key=error)

    with_base = best(candidates.by_base(experiment))
    return best(candidates.by_steps(with_base, len(train)))


def _halves(dataset: Dataset, train: Windows) -> tuple[Windows, Windows]:
    """Split windows by time; earlier targets lie before later windows."""
    stamps = np.asarray(dataset.stamps)
    begins = stamps[train.rows]
    ends = stamps[train.rows + train.ahead[-1]]
    first = np.sort(begins)[int((1 - VALIDATION_SHARE) * len(train))]
    earlier = replace(train, rows=train.rows[ends < first])
    return earlier, replace(train, rows=train.rows[begins >= first])


def fit(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows, test: Windows
) -> tuple[Trained, Job]:
    """Train a model on windows and predict others, as "final_test".

    Args:
        name: the name of the model.
        experiment: the model, and how it is trained.
        dataset: the series.
        train: windows to train on.
        test: windows to predict.

    Returns:
        The trained model, and the job with the windows as the model takes them.

    Raises:
        UnrollError: the model has the option `history`, and the series has a gap.
    """
    if experiment.model.options.get("history"):
        _require_no_gap(name, dataset)
    trainer = recipe(name, experiment)
    if experiment.training.method == "none":
        train = test  # nothing is learnt, so no more windows are needed
    elif not trainer.masks:
        train = complete_windows(train)
    splits = {
        "train": with_lookback(experiment, train),
        "test": with_lookback(experiment, test),
    }
    job = trainer.job(replace(dataset, splits={**splits}, scored=()))
    job = replace(job, splits=("test",))
    return trainer.train(job), job


def _require_no_gap(name: str, dataset: Dataset) -> None:
    fitted = dataset.fitted
    if fitted is None or dataset.stamps is None:
        return
    spacing = np.diff(
        row_calendar.numbered(dataset.stamps, fitted.cleaning, fitted.csv.time_zone)
    )
    if (spacing != spacing[0]).any():
        raise UnrollError(
            f"{name}: the option `history` is for one series without gaps; leave the "
            "option out"
        )


def complete_windows(train: Windows) -> Windows:
    """Return the windows that have all targets.

    Methods that cannot mask a missing target are trained on them. If they are too few
    (`COMPLETE_SHARE`), all windows are returned, with missing targets filled in.
    """
    windows = train.complete()
    if len(windows) >= COMPLETE_SHARE * len(train):
        return windows
    return replace(train, measured=None)


def with_lookback(experiment: Experiment, windows: Windows) -> Windows:
    """Return windows that reach as far back as a model looks.

    They are longer for a model with the option `history`, with NaN before the series
    begins. They are shorter for a network of the family `residual`, which looks at a
    few enriched rows.
    """
    options = experiment.model.options
    if experiment.model.family == "residual":
        seen = reach(options["last"], options["cycles"]) * windows.step
        return replace(windows, lookback=min(seen, windows.lookback))
    history = options.get("history") or 0
    more = history * windows.step - windows.lookback
    return _extended(windows, more) if more > 0 else windows


def _extended(windows: Windows, more: int) -> Windows:
    before = np.full((more, windows.series.shape[1]), np.nan, windows.series.dtype)
    measured = windows.measured
    if measured is not None:
        measured = np.concatenate([np.zeros(more, bool), measured])
    longer: dict[str, Any] = {
        "series": np.concatenate([before, windows.series]),
        "rows": windows.rows + more,
        "lookback": windows.lookback + more,
        "measured": measured,
    }
    return replace(windows, **longer)
