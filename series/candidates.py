"""The models that are tried on a series, as experiments."""

from typing import Any

import numpy as np

from pipeline.config.params import Experiment, Model, Training
from series.question import Proposal
from series.reading.profile import FileProfile

DATASET = "series"
"""The name of the data set in all experiments: a series of one's own has no other."""

SEEDS = [0, 1, 2]
"""The seeds of each network."""

YEARS = 2 * np.timedelta64(365, "D")
"""The rows below which models are not told the time of the year: they would learn single weeks by heart."""

RECENT_VALUES = 24
"""The last values of the target that boosting of the target alone sees."""

BOOSTING = {
    "strategy": "joint",
    "trees": 100,
    "learning_rate": 0.15,
    "examples": 40,
    "rows": 33_000,
}
"""Options of one boosting of all steps ahead, from a subset of the values: three times as many gain nothing."""

SLOW_BOOSTING = {**BOOSTING, "trees": 150, "learning_rate": 0.1}
"""Options of boosting without a base, which has more to learn."""

HIDDEN = [256, 128]
"""Widths of the perceptron's hidden layers."""

PERCEPTRON_VALUES = 64
"""The last values of the target that the perceptron sees."""

UNITS = 32
"""Width of a recurrent network's state."""

MOST_ROWS = 12
"""The most enriched rows that a recurrent network reads; of shorter cycles it reads one."""

BASES = ("mean", "last")
"""The naive forecasts whose residual a network may learn, the second one where nothing repeats; see
`models.residual`."""

STEPS = (250, 800)
"""The numbers of steps that a network may be trained for: noisy series want few, regular ones many."""

MOST_EPOCHS = 30
"""How often a network learns from each window, at most."""

BATCH_SIZE = 64
"""The windows of a step."""

RECURRENT_RATE = 0.015
"""The highest learning rate of recurrent networks."""

DENSE_RATE = 0.005
"""The highest learning rate of the perceptron."""

MOST_WINDOW_FITS = 2_000
"""The most forecasts (origins of all series) for which statistical models are tried: they are fitted anew
for each forecast, which takes about 15 ms."""

ZERO_SHARE = 0.3
"""The share of values that are 0 from which a series counts as intermittent demand."""


def candidates(
    profile: FileProfile,
    proposal: Proposal,
    *,
    networks: bool = True,
    series: int = 1,
    origins: int = 182,
) -> dict[str, Experiment]:
    """Return the models to try: naive forecasts, models without a network, and networks.

    Args:
        profile: of the file.
        proposal: what is forecast of it.
        networks: whether networks are tried, dense and recurrent ones.
        series: how many the file has.
        origins: from how many cutoffs each series is forecast. With more than `MOST_WINDOW_FITS`
            forecasts in all, models that are fitted anew for each forecast are left out.

    Returns:
        Name -> model and training.
    """
    models = _naive(proposal)
    models |= _fitted(profile, proposal)
    if networks:
        models |= _networks(profile, proposal)
    if series * origins <= MOST_WINDOW_FITS:
        models |= _statistical(proposal)
    if is_intermittent(profile.columns[proposal.target].measured):
        models["tsb"] = Experiment(dataset=DATASET, model=_model("statistical", "tsb"), training=_training("none"))
    return models


def is_network(experiment: Experiment) -> bool:
    """Return whether a model is a network, dense or recurrent."""
    return experiment.training.method == "backpropagation"


def by_base(experiment: Experiment) -> list[Experiment]:
    """Return a network with each of the naive forecasts whose residual it may learn."""
    bases = BASES if experiment.model.options["cycles"] else BASES[1:]
    models = [experiment.model.model_dump() | {"base": base} for base in bases]
    return [experiment.model_copy(update={"model": Model.model_validate(model)}) for model in models]


def by_steps(experiment: Experiment, windows: int) -> list[Experiment]:
    """Return a network with each of the numbers of steps that it may be trained for.

    Args:
        experiment: the network, and how it is trained.
        windows: how many it learns from, from each `MOST_EPOCHS` times at most.
    """
    most = max(1, MOST_EPOCHS * windows // BATCH_SIZE)
    numbers = sorted({min(steps, most) for steps in STEPS})
    trainings = [experiment.training.model_dump() | {"steps": steps} for steps in numbers]
    return [experiment.model_copy(update={"training": Training.model_validate(training)}) for training in trainings]


def is_intermittent(measured: np.ndarray) -> bool:
    """Return whether a target is never below 0 and often 0, as sales of a spare part are."""
    known = measured[np.isfinite(measured)]
    if not len(known) or known.min() < 0:
        return False
    return bool(np.mean(known == 0) >= ZERO_SHARE)


def _naive(proposal: Proposal) -> dict[str, Experiment]:
    """The last value, and the value one cycle before."""
    models = {
        "last_value": Experiment(dataset=DATASET, model=_model("baselines", "last_value"), training=_training("none"))
    }
    for cycle in proposal.cycles:
        if cycle <= proposal.lookback:
            models[f"cycle_{cycle}"] = Experiment(
                dataset=DATASET,
                model=_model("baselines", "seasonal_naive", timesteps=cycle),
                training=_training("none"),
            )
    return models


def _fitted(profile: FileProfile, proposal: Proposal) -> dict[str, Experiment]:
    """Ridge regression, and boosting of three kinds that err apart."""
    season = _sees_season(profile)
    known = len(proposal.future) + bool(proposal.holidays)
    common: dict[str, Any] = {"cycles": proposal.cycles[:1], "known": known, "season": season}
    own = {**common, "own": True, "recent": RECENT_VALUES}
    models = {
        "ridge": Experiment(
            dataset=DATASET,
            calendar=True,
            model=_model("seasonal", "linear", known=known, season=season),
            training=_training("least_squares", ridge=100.0),
        ),
        "boosting": Experiment(
            dataset=DATASET,
            calendar=True,
            model=_model("seasonal", "boosting", **common),
            training=_training("boosting", **BOOSTING),
        ),
        "boosting_own": Experiment(
            dataset=DATASET,
            calendar=True,
            model=_model("seasonal", "boosting", **own, base="zero"),
            training=_training("boosting", **SLOW_BOOSTING),
        ),
    }
    if proposal.cycles:
        models["boosting_cycle"] = Experiment(
            dataset=DATASET,
            calendar=True,
            model=_model("seasonal", "boosting", **own, base="cycle"),
            training=_training("boosting", **BOOSTING),
        )
    return models


def _networks(profile: FileProfile, proposal: Proposal) -> dict[str, Experiment]:
    """A perceptron and two recurrent networks, which learn the residual to a naive forecast."""
    common: dict[str, Any] = {"cycles": proposal.cycles, "season": _sees_season(profile)}
    perceptron = _model("residual", "mlp", **common, hidden=HIDDEN, last=PERCEPTRON_VALUES)
    models = {"mlp": _network(perceptron, DENSE_RATE)}
    rows = min([MOST_ROWS, *proposal.cycles])
    for name in ("gru", "lstm"):
        model = _model("residual", name, **common, units=UNITS, last=rows)
        models[name] = _network(model, RECURRENT_RATE)
    return models


def _network(model: Model, rate: float) -> Experiment:
    """A network, with options of which `training.settled` chooses others."""
    options = {"steps": STEPS[0], "batch_size": BATCH_SIZE, "learning_rate": rate}
    return Experiment(
        dataset=DATASET,
        calendar=True,
        seeds=SEEDS,
        model=model,
        training=_training("backpropagation", **options),
    )


def _statistical(proposal: Proposal) -> dict[str, Experiment]:
    """Exponential smoothing and MSTL, which are fitted anew for each forecast."""
    cycles = proposal.cycles
    history: dict[str, Any] = {"history": proposal.history or None}
    models = {"ets": _model("statistical", "ets", cycle=cycles[0] if cycles else 0, **history)}
    for cycle in cycles:
        if proposal.history or 2 * cycle <= proposal.lookback:
            models[f"ets_{cycle}"] = _model("statistical", "ets", cycle=cycle, trend=False, **history)
    if cycles:
        models["mstl"] = _model("statistical", "mstl", cycles=cycles, **history)
    return {
        name: Experiment(dataset=DATASET, model=model, training=_training("none")) for name, model in models.items()
    }


def _sees_season(profile: FileProfile) -> bool:
    """Whether there are enough years of rows to tell models the time of the year."""
    return bool(profile.last - profile.first >= YEARS)


def _model(family: str, name: str, **options: Any) -> Model:
    return Model.model_validate({"family": family, "name": name, **options})


def _training(method: str, **options: Any) -> Training:
    return Training.model_validate({"method": method, **options})
