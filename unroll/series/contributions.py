"""Why a model forecasts what it does: what each group of inputs contributes.

Contributions of a linear model are those of its inputs: the mean of the window, the
departures of its values from this mean, and the departures of other columns from theirs.
Contributions of exponential smoothing and MSTL are level, trend and season.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.errors import UsageError
from pipeline.training.job import Predict
from unroll.series import prediction_intervals
from unroll.series.forecaster import Forecaster
from unroll.series.models import statistical
from unroll.series.rows import Window
from unroll.series.spec import Member

FLOOR = "floor"
"""The column of what keeps a forecast from lying below 0, or 0 on a closed day."""

TINY = 1e-6
"""The largest error of rounding, in standard deviations."""


def explained(forecaster: Forecaster) -> list[str]:
    """Return the models whose forecasts are sums of contributions."""
    return [
        member.name
        for member in forecaster.spec.members
        if member.experiment.model.name in {"linear", *statistical.PARTS}
    ]


def contributions(
    forecaster: Forecaster, model: str, windows: Mapping[str, Window]
) -> pd.DataFrame:
    """Return what each group of inputs contributes to the forecasts of a model.

    Args:
        forecaster: the forecaster with the model.
        model: the name of the model.
        windows: name of a series -> its last rows.

    Returns:
        A row for each series and timestep: unique_id, ds, a column for each group, and
        their sum y_hat, in the target's unit.

    Raises:
        UsageError: the forecasts of the model are no such sums.
    """
    names = explained(forecaster)
    if model not in names:
        raise UsageError(
            f"contributions to the forecast by {model} are not available. The models of "
            f"this answer that have them: {', '.join(names) or 'none'}; short series "
            "have none"
        )
    alone = forecaster.of_models([model], "")
    frames = [
        _of_window(alone, name or forecaster.name, window)
        for name, window in windows.items()
    ]
    table = pd.concat(frames, ignore_index=True).fillna(0.0)
    return table[[*table.columns.drop("y_hat"), "y_hat"]]


def _of_window(part: Forecaster, unique_id: str, window: Window) -> pd.DataFrame:
    """Return the contributions to the forecast after a window, by its only model."""
    [member] = part.spec.members
    inputs = window.inputs[-member.timesteps :]
    if member.experiment.model.name == "linear":
        groups = _linear(part.predict[0][0], member, window, inputs)
    else:
        groups = statistical.parts(
            member.problem.model_dump(), member.experiment.model, inputs
        )
    scale = window.scale
    forecast, _ = part.ahead(window, (prediction_intervals.USUAL,), None)
    groups = {group: values * scale.std for group, values in groups.items()}
    groups["level"] = groups["level"] + scale.mean
    left = forecast - sum(groups.values())
    if np.abs(left).max() > TINY * scale.std:
        groups[FLOOR] = left
    about = {"unique_id": unique_id, "ds": window.times(len(left))}
    return pd.DataFrame({**about, **groups, "y_hat": forecast})


def _linear(
    predict: Predict, member: Member, window: Window, inputs: Array
) -> dict[str, Array]:
    """Return group -> what it contributes (steps,) to a linear model's forecast.

    Groups are put into a window one after the other, at first of the target's mean
    alone. What the forecast gains by each is its contribution, since it is a sum. In
    model units columns are departures from their means.
    """
    target = member.problem.target
    measured = inputs.shape[1] - member.problem.calendar
    holidays = measured - bool(window.fitted.windows.holidays)
    names = window.fitted.windows.future
    known = holidays - len(names)
    # Their values so far, and those to come.
    planned = [window.fitted.columns.index(name) for name in names]
    planned += range(known, holidays)
    places = {
        "last_values": [target],
        "other_columns": [*{*range(known)} - {target, *planned}],
        "known_columns": planned,
        "holidays": [*range(holidays, measured)],
        "calendar": [*range(measured, inputs.shape[1])],
    }
    seen = np.zeros_like(inputs)
    seen[:, target] = inputs[:, target].mean()
    stages = {"level": seen}
    for group, columns in places.items():
        if columns:
            seen = seen.copy()
            seen[:, columns] = inputs[:, columns]
            stages[group] = seen
    forecasts = predict(np.stack([*stages.values()]))
    forecasts = forecasts.reshape(len(stages), -1).astype(np.float64)
    gains = np.diff(forecasts, axis=0, prepend=0.0)
    return dict(zip(stages, gains, strict=True))
