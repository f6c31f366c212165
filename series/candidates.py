"""The models that are tried on a series, as experiments."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.config.params import Experiment, Model, Training
from series.question import Proposal
from series.reading.profile import FileProfile

SEEDS = (0, 1, 2)
"""The seeds of each recurrent network."""

DENSE_SEEDS = (0, 1)
"""The seeds of each perceptron, of which there is one for each base."""

YEARS = 2 * np.timedelta64(365, "D")
"""Shortest span of rows with which models see the time of the year.

With fewer rows they would learn single weeks by heart."""

BASES = ("mean", "last")
"""The naive forecasts whose residual a network may learn (see `series.models.residual`).

A series without a cycle has the last value alone."""

STEPS = (250, 800)
"""The numbers of steps that a network may be trained for.

Few steps suit noisy series, many suit regular series."""

MOST_EPOCHS = 30
"""Largest number of times that a network learns from each window."""

BATCH_SIZE = 64
"""The windows of a step."""

MOST_WINDOW_FITS = 2_000
"""Largest number of forecasts (series times origins) for statistical models.

They are fitted anew for each forecast, which takes about 15 ms."""

LEAST_SQUARES = {"method": "least_squares", "ridge": 100.0}
"""The training of ridge regression."""

BOOSTING = {
    "method": "boosting",
    "trees": 100,
    "learning_rate": 0.15,
    "examples": 40,
    "rows": 33_000,
}
"""The training of one boosting of all steps ahead, from a subset of the values.

More values do not help."""

SLOW_BOOSTING = BOOSTING | {"trees": 150, "learning_rate": 0.1}
"""The training of boosting without a base, which has more to learn."""

NETWORK = {"method": "numpy_adam", "steps": STEPS[0], "batch_size": BATCH_SIZE}
"""The training of a network, without its highest learning rate."""


def candidates(
    profile: FileProfile,
    proposal: Proposal,
    *,
    networks: bool = True,
    series: int = 1,
    origins: int = 182,
) -> dict[str, Experiment]:
    """Return the models to try: naive forecasts, models without a network, and
    networks.

    Args:
        profile: the profile of the file.
        proposal: the question that the file is asked.
        networks: whether networks are tried, dense and recurrent ones.
        series: number of series in the file.
        origins: number of cutoffs from which each series is forecast. With more than
            `MOST_WINDOW_FITS` forecasts in all, models that are fitted anew for each
            forecast are left out.

    Returns:
        Name -> model, and how it is trained.
    """
    known = len(proposal.future) + bool(proposal.holidays)
    season = bool(profile.last - profile.first >= YEARS)
    models = _naive(proposal)
    models |= _fitted(proposal, {"known": known, "season": season})
    if networks:
        models |= _networks(proposal, known, season=season)
    if series * origins <= MOST_WINDOW_FITS:
        models |= _statistical(proposal)
    if proposal.intermittent:
        models["tsb"] = _unfitted("statistical", "tsb")
    if "tsb" in models and proposal.objective == "median":
        # Far below any value, so that the floor of forecasts makes it 0.
        models["zero"] = _unfitted("baselines", "constant", value=-1e6)
    return models


def is_network(experiment: Experiment) -> bool:
    """Return whether a model is a network, dense or recurrent."""
    return experiment.training.method == "numpy_adam"


def by_base(experiment: Experiment) -> list[Experiment]:
    """Return a network with each of the naive forecasts whose residual it may learn."""
    if "base" in experiment.model.options:
        return [experiment]
    bases = BASES if experiment.model.options["cycles"] else BASES[1:]
    options = experiment.model.model_dump()
    models = [Model.model_validate(options | {"base": base}) for base in bases]
    return [experiment.model_copy(update={"model": model}) for model in models]


def by_steps(experiment: Experiment, windows: int) -> list[Experiment]:
    """Return a network with each of the numbers of steps that it may be trained for.

    Args:
        experiment: the network, and how it is trained.
        windows: number of windows that the network learns from, each at most
            `MOST_EPOCHS` times.
    """
    most = max(1, MOST_EPOCHS * windows // BATCH_SIZE)
    options = experiment.training.model_dump()
    trainings = [
        Training.model_validate(options | {"steps": steps})
        for steps in sorted({min(steps, most) for steps in STEPS})
    ]
    return [experiment.model_copy(update={"training": each}) for each in trainings]


def _naive(proposal: Proposal) -> dict[str, Experiment]:
    """Return the last value, and the value one cycle before."""
    models = {"last_value": _unfitted("baselines", "last_value")}
    for cycle in proposal.cycles:
        if cycle <= proposal.lookback:
            models[f"cycle_{cycle}"] = _unfitted(
                "baselines", "seasonal_naive", timesteps=cycle
            )
    return models


def _fitted(proposal: Proposal, about: Mapping[str, Any]) -> dict[str, Experiment]:
    """Return ridge regression, and boosting of three kinds whose errors differ."""
    ridge = {"family": "seasonal", "name": "linear", **about}
    boosting = {**ridge, "name": "boosting", "cycles": proposal.cycles[:1]}
    # Boosting of the target alone sees its last values.
    own = {**boosting, "own": True, "recent": 24}
    method = {"method": "poisson" if proposal.by_multiples else "boosting"}
    models = {
        "ridge": _trained(ridge, LEAST_SQUARES),
        "boosting": _trained(boosting, BOOSTING | method),
        "boosting_own": _trained({**own, "base": "zero"}, SLOW_BOOSTING | method),
    }
    if proposal.cycles:
        models["boosting_cycle"] = _trained({**own, "base": "cycle"}, BOOSTING)
    return models


def _networks(proposal: Proposal, known: int, *, season: bool) -> dict[str, Experiment]:
    """Return a perceptron for each base and two recurrent networks.

    `training.select_options` chooses the number of steps later, and the base of a
    recurrent network. Perceptrons of both bases are combined with less error than one.
    """
    about = {"family": "residual", "cycles": proposal.cycles, "season": season}
    dense = {**about, "name": "mlp", "known": known, "hidden": [256, 128], "last": 64}
    # The enriched rows that a recurrent network reads: 12, or a shorter cycle.
    rows = min([12, *proposal.cycles])
    if known:
        # Each row holds the known columns of one value ahead.
        rows = max(rows, min(proposal.horizon, 48))
    loss = "mse" if proposal.objective == "mean" else "mae"
    network = NETWORK | {"loss": loss}
    training = network | {"learning_rate": 0.005}
    models = {"mlp": _trained({**dense, "base": "last"}, training, DENSE_SEEDS)}
    if proposal.cycles:
        models["mlp_mean"] = _trained({**dense, "base": "mean"}, training, DENSE_SEEDS)
    for name in ("gru", "lstm"):
        recurrent = {**about, "name": name, "units": 32, "last": rows}
        models[name] = _trained(recurrent, network | {"learning_rate": 0.015}, SEEDS)
    return models


def _statistical(proposal: Proposal) -> dict[str, Experiment]:
    """Return exponential smoothing and MSTL, fitted anew for each forecast."""
    cycles = proposal.cycles
    back = {"history": proposal.history or None}
    models = {
        "ets": _unfitted("statistical", "ets", cycle=cycles[0] if cycles else 0, **back)
    }
    for cycle in cycles:
        if proposal.history or 2 * cycle <= proposal.lookback:
            smoothed = {"cycle": cycle, "trend": False, **back}
            models[f"ets_{cycle}"] = _unfitted("statistical", "ets", **smoothed)
    if cycles:
        models["mstl"] = _unfitted("statistical", "mstl", cycles=cycles, **back)
    return models


def _unfitted(family: str, name: str, **options: Any) -> Experiment:
    model = Model.model_validate({"family": family, "name": name, **options})
    return Experiment(
        dataset="series",
        model=model,
        training=Training.model_validate({"method": "none"}),
    )


def _trained(
    model: Mapping[str, Any], training: Mapping[str, Any], seeds: Sequence[int] = (0,)
) -> Experiment:
    return Experiment(
        dataset="series",
        calendar=True,
        seeds=[*seeds],
        model=Model.model_validate(model),
        training=Training.model_validate(training),
    )
