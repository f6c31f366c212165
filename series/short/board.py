"""The scores of models of short series, and the choice of the model that forecasts.

Errors are divided by the size of each series' usual changes (`Histories.scales`). A
series counts as one draw. All series choose and compare: there are few models to choose
from, and the mean of several is preferred to a single one, so the choice favours little.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from series import comparison, intervals, leaderboard
from series.comparison import FEWEST_SERIES, SEASON, Errors
from series.leaderboard import (
    DECILES,
    LEVELS,
    MARGIN,
    MEAN,
    MEASURE,
    Board,
    ModelScores,
)
from series.options import Objective
from series.short import networks, offsets
from series.short.backtest import CARDS, first_cutoffs
from series.short.histories import Histories

MEMBERS = ("theta", "ets", "ces", "mlp")
"""The models whose mean is forecast; half of it is by models of one series."""

UNIT = "usual changes"
"""The unit of errors."""


def members(names: Sequence[str]) -> list[str]:
    """Return the models whose mean forecasts; none if there are fewer than two."""
    found = [name for name in MEMBERS if name in names]
    return found if len(found) > 1 else []


def mean(forecasts: Mapping[str, Array]) -> Array:
    """Return the mean of the members' forecasts.

    The models of one series count half together, and the network the other half.

    Args:
        forecasts: name of a member -> forecasts, of one shape.
    """
    of_one = [own for name, own in forecasts.items() if name not in networks.NETWORKS]
    of_all = [own for name, own in forecasts.items() if name in networks.NETWORKS]
    kinds = [np.mean(kind, axis=0) for kind in (of_one, of_all) if kind]
    return np.asarray(np.mean(kinds, axis=0))


def table(
    names: Sequence[str],
    stamps: Sequence[Array],
    measured: Sequence[Array],
    histories: Histories,
    past: Mapping[str, Array],
) -> pd.DataFrame:
    """Return the forecasts from all cutoffs as a long table.

    Args:
        names: (series,) the names of the series.
        stamps: (rows,) for each series.
        measured: (rows,) for each series, NaN where nothing was measured.
        histories: the series.
        past: name of a model -> (seeds, series, cutoffs, horizon).

    Returns:
        unique_id, ds, cutoff, step (from 0), model, seed, y and y_hat; only rows whose
        timestamp is known.
    """
    horizon = histories.horizon
    count = next(iter(past.values())).shape[2]
    first = np.array(first_cutoffs(histories))
    # (series, cutoffs, horizon) numbers of rows
    rows = first[:, None, None] + np.arange(count)[:, None] + np.arange(horizon)
    series, place, step = np.nonzero(rows < histories.lengths[:, None, None])
    ends = np.concatenate([[0], np.cumsum(histories.lengths)[:-1]])
    row = ends[series] + rows[series, place, step]
    every_stamp = np.concatenate(stamps)
    frame = pd.DataFrame(
        {
            "unique_id": np.array(names, object)[series],
            "ds": every_stamp[row],
            "cutoff": every_stamp[row - step - 1],
            "step": step,
            "y": np.concatenate(measured)[row],
        }
    )
    frames = []
    for model, forecasts in past.items():
        for seed, own in enumerate(forecasts):
            values = own[series, place, step]
            frames.append(frame.assign(model=model, seed=seed, y_hat=values))
    return pd.concat(frames, ignore_index=True)


def board(
    rows: pd.DataFrame,
    scales: Mapping[str, float],
    lowest: Mapping[str, float],
    objective: Objective,
) -> tuple[pd.DataFrame, Board]:
    """Score all models and their mean, compare them, and choose who forecasts.

    Args:
        rows: the forecasts from all cutoffs, as `table` returns them.
        scales: name of a series -> the size of its usual changes.
        lowest: name of a series -> the smallest value that is forecast.
        objective: by which error models are judged.

    Returns:
        The mean forecasts over seeds, also of the combination; and the board.
    """
    forecasts, combined = _with_mean(rows)
    floor = forecasts["unique_id"].map(lowest)
    forecasts["y_hat"] = np.maximum(forecasts["y_hat"], floor)
    judged = comparison.scores(forecasts, scales)
    by_model = judged[MEASURE[objective]].to_dict()
    network, opponent, naive, rival = _sides(by_model)
    days = SEASON if forecasts["unique_id"].nunique() >= FEWEST_SERIES else 0
    errors = Errors(
        comparison.errors_by_series(forecasts, scales, objective),
        days,
        leaderboard.seed_parts(rows, scales, objective),
        objective,
    )
    models = {}
    for name, error in by_model.items():
        own = forecasts[forecasts["model"] == name]
        wql, coverage = _quantile_scores(own, scales)
        models[name] = ModelScores(
            **leaderboard.judged_by(judged.loc[name], 1.0),
            **errors.against(name, opponent),
            earlier=error,
            wql=wql,
            coverage=coverage,
            recurrent=name != MEAN and CARDS[name].kind == "recurrent",
        )
    others = [side for side in (network, rival) if side is not None]
    found = Board(
        unit=UNIT,
        middle=shown(forecasts["cutoff"].min().to_datetime64()),
        days=days,
        block_days=1.0,
        deviations=dict(scales),
        models=leaderboard.by_error(models, objective),
        members=combined,
        network=network,
        opponent=opponent,
        naive=naive,
        rival=rival,
        comparison=None if network is None else errors.compared(network, opponent),
        with_naive={side: errors.compared(side, naive) for side in others},
        champion=opponent,
        objective=objective,
        short=True,
        naives=[name for name in rows["model"].unique() if CARDS[name].kind == "naive"],
    )
    champion = leaderboard.champion(found)
    return forecasts, found.model_copy(update={"champion": champion})


def _with_mean(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the mean forecasts over seeds with those of the combination, and whom it
    combines.
    """
    by_value = ["unique_id", "ds", "cutoff", "step", "model"]
    values = rows.groupby(by_value, sort=False, as_index=False)
    forecasts = values[["y", "y_hat"]].mean()
    combined = members([*forecasts["model"].unique()])
    if not combined:
        return forecasts, combined
    of_members = {
        name: forecasts.loc[forecasts["model"] == name, "y_hat"].to_numpy()
        for name in combined
    }
    like = forecasts[forecasts["model"] == combined[0]]
    added = like.assign(model=MEAN, y_hat=mean(of_members))
    return pd.concat([forecasts, added], ignore_index=True), combined


def _sides(errors: Mapping[str, float]) -> tuple[str | None, str, str, str | None]:
    """Return network, opponent, naive and rival, as in `Board`."""

    def best(kinds: set[str]) -> str | None:
        names = [name for name in errors if name != MEAN and CARDS[name].kind in kinds]
        return min(names, key=errors.__getitem__, default=None)

    naive = best({"naive"}) or "last_value"
    rival = best({"statistical", "network"})
    if rival is not None and MEAN in errors and errors[rival] > MARGIN * errors[MEAN]:
        rival = MEAN
    opponent = naive if rival is None or errors[naive] < errors[rival] else rival
    return best({"recurrent"}), opponent, naive, rival


def _quantile_scores(
    rows: pd.DataFrame, scales: Mapping[str, float]
) -> tuple[float | None, float | None]:
    """Return a model's weighted quantile loss and the coverage of its 90 % intervals.

    The intervals of every second series are made from the errors of the others, and the
    other way round. Both are None if there are fewer than `FEWEST_SERIES`.
    """
    names = rows["unique_id"].unique()
    if len(names) < FEWEST_SERIES:
        return None, None
    horizon = int(rows["step"].max()) + 1
    ends = np.empty((len(rows), 2 * len(LEVELS) + 2))
    for half in (0, 1):
        own = rows["unique_id"].isin(names[half::2]).to_numpy()
        others = scores(rows[~own], scales, horizon)
        of_step = offsets.offsets(others, (*LEVELS, intervals.USUAL))
        ends[own] = of_step[rows["step"][own]]
    sizes = rows["unique_id"].map(scales).to_numpy()[:, None]
    values = rows["y_hat"].to_numpy()[:, None] + ends * sizes
    truth = rows["y"].to_numpy()
    known = np.isfinite(truth)
    inside = (values[:, 0] <= truth) & (truth <= values[:, -1])
    deciles = np.insert(values[:, 1:-1], len(LEVELS), rows["y_hat"], axis=1)
    wql = intervals.weighted_quantile_loss(truth[known], deciles[known], DECILES)
    return wql, float(inside[known].mean())


def scores(rows: pd.DataFrame, scales: Mapping[str, float], horizon: int) -> Array:
    """Return (cutoffs, horizon) the errors of a model, truth minus forecast, in sizes of
    usual changes; NaN where nothing was measured.
    """
    errors = (rows["y"] - rows["y_hat"]) / rows["unique_id"].map(scales)
    wide = rows.assign(error=errors).pivot_table(
        index=["unique_id", "cutoff"], columns="step", values="error", dropna=False
    )
    return np.asarray(wide.reindex(columns=range(horizon)).to_numpy())
