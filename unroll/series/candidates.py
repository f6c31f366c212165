"""The models that are tried on a series, as experiments."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.config.params import Experiment, Model, Training
from pipeline.data.examples import Array
from unroll.series import backtest
from unroll.series.backtest import Plan
from unroll.series.models import panel
from unroll.series.preparation import Prepared
from unroll.series.question import Proposal
from unroll.series.reading.profile import FileProfile
from unroll.series.row_options import fitted_of
from unroll.series.training import BATCH_SIZE, STEPS

SEEDS = (0, 1, 2)
"""The seeds of each recurrent network."""

DENSE_SEEDS = (0, 1)
"""The seeds of each perceptron, of which there is one for each base."""

SHORTEST_WITH_SEASON = 2 * np.timedelta64(365, "D")
"""Shortest span of rows with which models see the time of the year.

With fewer rows they would learn single weeks by heart."""

MOST_WINDOW_FITS = 2_000
"""Largest number of forecasts (series times origins) for statistical models.

They are fitted anew for each forecast, which takes about 15 ms."""

LEAST_SQUARES = {"method": "least_squares", "ridge": 100.0}
"""The training of ridge regression."""

FAR_BELOW = -1e6
"""A constant below any value, which the floor of forecasts makes 0."""

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

GLOBAL_NETWORK = {
    "method": "numpy_adam",
    "steps": 2500,
    "epochs": 15,
    "batch_size": 256,
    "learning_rate": 0.003,
}
"""The training of a network that learns from all series of a panel."""

GLOBAL_SEEDS = (0, 1, 2)
"""The seeds of a global network, whose forecast is their mean."""

FEWEST_GLOBAL_WINDOWS = 500
"""Smallest number of whole windows to train a global network on."""

MOST_WITH_ETS = 200
"""Largest number of whole series with a cycle that ETS is fitted to.

Of more series CES has the error of ETS in a fifth of the time."""

ROOM = 100
"""Timesteps by which a whole series may grow before its first rows are left out."""


def candidates(
    profile: FileProfile,
    proposal: Proposal,
    prepared: Prepared,
    plan: Plan,
    *,
    networks: bool = True,
) -> tuple[dict[str, Experiment], list[str]]:
    """Return the models that suit some series.

    Args:
        profile: the profile of the file.
        proposal: the question that the file is asked.
        prepared: the series.
        plan: the cutoffs.
        networks: whether networks are tried, dense and recurrent ones.

    Returns:
        Name -> model, and how it is trained; and the names of networks that have too few
        rows to be trained.
    """
    if plan.apart:
        return _of_wholes(prepared, proposal, plan, networks=networks)
    forecasts = len(prepared.names) * plan.origins
    return of_windows(profile, proposal, forecasts, networks=networks), []


def of_windows(
    profile: FileProfile,
    proposal: Proposal,
    forecasts: int,
    *,
    networks: bool = True,
) -> dict[str, Experiment]:
    """Return the models of windows: naive ones, models without a network, and networks.

    Args:
        profile: the profile of the file.
        proposal: the question that the file is asked.
        forecasts: number of forecasts, series times cutoffs. With more than
            `MOST_WINDOW_FITS`, models that are fitted anew for each forecast are left
            out.
        networks: whether networks are tried, dense and recurrent ones.
    """
    windows = proposal.windows
    known = len(windows.future) + bool(windows.holidays)
    season = bool(profile.last - profile.first >= SHORTEST_WITH_SEASON)
    models = _naive(proposal)
    models |= _fitted(proposal, {"known": known, "season": season})
    if proposal.history and profile.length < 3 * proposal.year:
        # Too few windows of one series to learn differences to the year before.
        models.pop("boosting_cycle", None)
    if networks:
        models |= _networks(proposal, known, season=season)
    if forecasts <= MOST_WINDOW_FITS:
        models |= _statistical(proposal)
    if proposal.intermittent:
        models["tsb"] = _unfitted("statistical", "tsb")
    if "tsb" in models and proposal.objective == "median":
        models["zero"] = _unfitted("baselines", "constant", value=FAR_BELOW)
    return models


def _of_wholes(
    prepared: Prepared, proposal: Proposal, plan: Plan, *, networks: bool
) -> tuple[dict[str, Experiment], list[str]]:
    """Return the models of whole series, as `candidates`."""
    cycle = max([1, *proposal.cycles])
    counts = np.bincount(np.asarray(prepared.dataset.series_id))
    lengths = counts - proposal.horizon
    models = _of_one_series(lengths, cycle)
    if not networks:
        return models, []
    seen = panel.lookback(cycle)
    [fold] = backtest.folds(prepared.dataset, plan)
    if len(fold.train) - len(lengths) * (seen - 1) < FEWEST_GLOBAL_WINDOWS:
        return models, ["global_mlp", "global_gru"]
    return models | _global_networks(prepared, cycle), []


def _of_one_series(lengths: Array, cycle: int) -> dict[str, Experiment]:
    """Return the models that see one series each.

    Args:
        lengths: (series,) the number of rows of each series.
        cycle: timesteps of a cycle; 1 without one.
    """
    models = {"last_value": _unfitted("baselines", "last_value")}
    options = {"cycle": cycle, "history": int(lengths.max()) + ROOM}
    if 1 < cycle < lengths.max():  # else it would be the last value
        models[f"cycle_{cycle}"] = _unfitted("statistical", "seasonal_naive", **options)
    models["theta"] = _unfitted("statistical", "theta", **options)
    is_large = cycle > 1 and len(lengths) > MOST_WITH_ETS
    smoothing = "ces" if is_large else "auto_ets"
    models[smoothing] = _unfitted("statistical", smoothing, **options)
    return models


def _global_networks(prepared: Prepared, cycle: int) -> dict[str, Experiment]:
    """Return a dense and a recurrent network that learn from all series."""
    lows = [own.low[0] for own in fitted_of(prepared.dataset).series.values()]
    about = {
        "family": "panel",
        "cycle": cycle,
        "history": panel.lookback(cycle),
        "logarithms": min(lows) > 0,
    }
    networks = {
        "global_mlp": {**about, "name": "mlp", "hidden": [256, 128]},
        "global_gru": {**about, "name": "gru", "units": 32},
    }
    return {
        name: _trained(network, GLOBAL_NETWORK, GLOBAL_SEEDS, calendar=False)
        for name, network in networks.items()
    }


def _naive(proposal: Proposal) -> dict[str, Experiment]:
    """Return the last value, and the value one cycle before."""
    models = {"last_value": _unfitted("baselines", "last_value")}
    for cycle in _spanned(proposal):
        models[f"cycle_{cycle}"] = _unfitted(
            "baselines", "seasonal_naive", timesteps=cycle
        )
    return models


def _spanned(proposal: Proposal) -> list[int]:
    """Return the cycles that a window spans."""
    return [cycle for cycle in proposal.cycles if cycle <= proposal.lookback]


def _fitted(proposal: Proposal, about: Mapping[str, Any]) -> dict[str, Experiment]:
    """Return ridge regression, and boosting of two or three kinds whose errors differ."""
    ridge = {"family": "seasonal", "name": "linear", **about}
    boosting = {**ridge, "name": "boosting", "cycles": proposal.cycles[:1]}
    # Boosting of the target alone sees its last values.
    own = {**boosting, "own": True, "recent": 24}
    method = {"method": "poisson" if proposal.by_multiples else "boosting"}
    seen = {"multiples": True} if proposal.by_multiples else {}
    models = {
        "ridge": _trained(ridge, LEAST_SQUARES),
        "boosting": _trained(boosting | seen, BOOSTING | method),
        "boosting_own": _trained({**own, "base": "zero"}, SLOW_BOOSTING | method),
    }
    # Demand grows by multiples, and differences to the year before do not.
    if _spanned(proposal) and not proposal.by_multiples:
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
    if _spanned(proposal):
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
    return Experiment(
        dataset="series",
        model=Model.model_validate({"family": family, "name": name, **options}),
        training=Training.model_validate({"method": "none"}),
    )


def _trained(
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    seeds: Sequence[int] = (0,),
    *,
    calendar: bool = True,
) -> Experiment:
    return Experiment(
        dataset="series",
        calendar=calendar,
        seeds=[*seeds],
        model=Model.model_validate(model),
        training=Training.model_validate(training),
    )
