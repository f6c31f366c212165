"""The models that are tried on a series, as experiments."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.config.params import Experiment, Model, Training
from pipeline.data.examples import Array
from series.question import Proposal
from series.reading.profile import FileProfile

DATASET = "series"
"""The name of the data set in all experiments: a series of one's own has no other."""

SEEDS = (0, 1, 2)
"""The seeds of each network."""

YEARS = 2 * np.timedelta64(365, "D")
"""The span of rows from which on models are told the time of the year. With fewer rows
they would learn single weeks by heart."""

RECENT_VALUES = 24
"""The last values of the target that boosting of the target alone sees."""

BOOSTING = {
    "strategy": "joint",
    "trees": 100,
    "learning_rate": 0.15,
    "examples": 40,
    "rows": 33_000,
}
"""Options of one boosting of all steps ahead, from a subset of the values; more of them
do not help."""

SLOW_BOOSTING = {**BOOSTING, "trees": 150, "learning_rate": 0.1}
"""Options of boosting without a base, which has more to learn."""

HIDDEN = [256, 128]
"""Widths of the perceptron's hidden layers."""

PERCEPTRON_VALUES = 64
"""The last values of the target that the perceptron sees."""

UNITS = 32
"""Width of a recurrent network's state."""

MOST_ROWS = 12
"""The most enriched rows that a recurrent network reads; of shorter cycles it reads
one."""

MOST_KNOWN_ROWS = 48
"""The most enriched rows that a recurrent network reads where columns are known
beforehand."""

BASES = ("mean", "last")
"""The naive forecasts whose residual a network may learn (see `models.residual`). A
series without a cycle has the second one alone."""

STEPS = (250, 800)
"""The numbers of steps that a network may be trained for: few suit noisy series, many
regular ones."""

MOST_EPOCHS = 30
"""How often a network learns from each window, at most."""

BATCH_SIZE = 64
"""The windows of a step."""

RECURRENT_RATE = 0.015
"""The highest learning rate of recurrent networks."""

DENSE_RATE = 0.005
"""The highest learning rate of the perceptron."""

MOST_WINDOW_FITS = 2_000
"""The most forecasts (series times origins) for which statistical models are tried.
They are fitted anew for each forecast, which takes about 15 ms."""

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
    """Return the models to try: naive forecasts, models without a network, and
    networks.

    Args:
        profile: of the file.
        proposal: what is forecast of it.
        networks: whether networks are tried, dense and recurrent ones.
        series: how many the file has.
        origins: from how many cutoffs each series is forecast. With more than
            `MOST_WINDOW_FITS` forecasts in all, models that are fitted anew for each
            forecast are left out.

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
        models["tsb"] = _unfitted("statistical", "tsb")
        # Far below any value: what is forecast is no less than 0.
        models["zero"] = _unfitted("baselines", "constant", value=-1e6)
    return models


def is_network(experiment: Experiment) -> bool:
    """Return whether a model is a network, dense or recurrent."""
    return experiment.training.method == "backpropagation"


def by_base(experiment: Experiment) -> list[Experiment]:
    """Return a network with each of the naive forecasts whose residual it may learn."""
    bases = BASES if experiment.model.options["cycles"] else BASES[1:]
    found = []
    for base in bases:
        model = Model.model_validate(experiment.model.model_dump() | {"base": base})
        found.append(experiment.model_copy(update={"model": model}))
    return found


def by_steps(experiment: Experiment, windows: int) -> list[Experiment]:
    """Return a network with each of the numbers of steps that it may be trained for.

    Args:
        experiment: the network, and how it is trained.
        windows: how many it learns from, from each `MOST_EPOCHS` times at most.
    """
    most = max(1, MOST_EPOCHS * windows // BATCH_SIZE)
    found = []
    for steps in sorted({min(steps, most) for steps in STEPS}):
        training = Training.model_validate(
            experiment.training.model_dump() | {"steps": steps}
        )
        found.append(experiment.model_copy(update={"training": training}))
    return found


def is_intermittent(measured: Array) -> bool:
    """Return whether a target is never below 0 and often 0, as sales of a spare part
    are.
    """
    known = measured[np.isfinite(measured)]
    if not len(known) or known.min() < 0:
        return False
    return bool(np.mean(known == 0) >= ZERO_SHARE)


def _naive(proposal: Proposal) -> dict[str, Experiment]:
    """The last value, and the value one cycle before."""
    models = {"last_value": _unfitted("baselines", "last_value")}
    for cycle in proposal.cycles:
        if cycle <= proposal.lookback:
            models[f"cycle_{cycle}"] = _unfitted(
                "baselines", "seasonal_naive", timesteps=cycle
            )
    return models


def _fitted(profile: FileProfile, proposal: Proposal) -> dict[str, Experiment]:
    """Ridge regression, and boosting of three kinds that err apart."""
    about = {"known": _known(proposal), "season": _sees_season(profile)}
    boosted = {**about, "cycles": proposal.cycles[:1]}
    own = {**boosted, "own": True, "recent": RECENT_VALUES}
    least_squares = _training("least_squares", ridge=100.0)
    boosting = _training("boosting", **BOOSTING)
    slow_boosting = _training("boosting", **SLOW_BOOSTING)
    models = {
        "ridge": _trained(_model("seasonal", "linear", **about), least_squares),
        "boosting": _trained(_model("seasonal", "boosting", **boosted), boosting),
        "boosting_own": _trained(
            _model("seasonal", "boosting", **own, base="zero"), slow_boosting
        ),
    }
    if proposal.cycles:
        of_cycle = _model("seasonal", "boosting", **own, base="cycle")
        models["boosting_cycle"] = _trained(of_cycle, boosting)
    return models


def _networks(profile: FileProfile, proposal: Proposal) -> dict[str, Experiment]:
    """A perceptron and two recurrent networks, with options of which `training.settled`
    chooses others.
    """
    about: dict[str, Any] = {"cycles": proposal.cycles, "season": _sees_season(profile)}
    known = _known(proposal)
    perceptron = _model(
        "residual", "mlp", **about, known=known, hidden=HIDDEN, last=PERCEPTRON_VALUES
    )
    rows = min([MOST_ROWS, *proposal.cycles])
    if known:
        # Each row tells what is known of one value ahead.
        rows = max(rows, min(proposal.horizon, MOST_KNOWN_ROWS))
    usual = {"steps": STEPS[0], "batch_size": BATCH_SIZE}
    dense = _training("backpropagation", **usual, learning_rate=DENSE_RATE)
    recurrent = _training("backpropagation", **usual, learning_rate=RECURRENT_RATE)
    models = {"mlp": _trained(perceptron, dense, SEEDS)}
    for name in ("gru", "lstm"):
        model = _model("residual", name, **about, units=UNITS, last=rows)
        models[name] = _trained(model, recurrent, SEEDS)
    return models


def _statistical(proposal: Proposal) -> dict[str, Experiment]:
    """Exponential smoothing and MSTL, which are fitted anew for each forecast."""
    cycles = proposal.cycles
    history = proposal.history or None
    first = cycles[0] if cycles else 0
    models = {"ets": _unfitted("statistical", "ets", cycle=first, history=history)}
    for cycle in cycles:
        if history or 2 * cycle <= proposal.lookback:
            models[f"ets_{cycle}"] = _unfitted(
                "statistical", "ets", cycle=cycle, trend=False, history=history
            )
    if cycles:
        models["mstl"] = _unfitted(
            "statistical", "mstl", cycles=cycles, history=history
        )
    return models


def _known(proposal: Proposal) -> int:
    """How many columns are known beforehand."""
    return len(proposal.future) + bool(proposal.holidays)


def _sees_season(profile: FileProfile) -> bool:
    """Whether there are enough years of rows to tell models the time of the year."""
    return bool(profile.last - profile.first >= YEARS)


def _unfitted(family: str, name: str, **options: Any) -> Experiment:
    """A model that is not trained."""
    return Experiment(
        dataset=DATASET,
        model=_model(family, name, **options),
        training=_training("none"),
    )


def _trained(
    model: Model, training: Training, seeds: Sequence[int] = (0,)
) -> Experiment:
    """A model that is trained, and sees the calendar."""
    return Experiment(
        dataset=DATASET, calendar=True, seeds=[*seeds], model=model, training=training
    )


def _model(family: str, name: str, **options: Any) -> Model:
    return Model.model_validate({"family": family, "name": name, **options})


def _training(method: str, **options: Any) -> Training:
    return Training.model_validate({"method": method, **options})
