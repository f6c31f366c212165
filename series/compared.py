"""What was found about a series, before it is written as an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from series.forecaster import BaseForecaster
from series.leaderboard import Board


@dataclass(frozen=True)
class Compared:
    """The models of a series at cutoffs of its past, and the one that forecasts.

    Attributes:
        forecaster: the best model, fitted to all rows.
        forecasts: unique_id, ds, cutoff, model, y and y_hat, from all cutoffs.
        board: the scores of all models.
        titles: name of a model -> its title.
        models_left_out: name of a model -> why it was not fitted.
        series_left_out: name of a series -> why it is not forecast.
        seconds: name of a model -> CPU seconds that its backtest took.
        mostly_zero: the number of series whose median is 0.
        late: what was found about series that are too short or late for windows.
        late_reasons: name of such a series -> why.
    """

    forecaster: BaseForecaster
    forecasts: pd.DataFrame
    board: Board
    titles: dict[str, str]
    models_left_out: dict[str, str]
    series_left_out: Mapping[str, str]
    seconds: Mapping[str, float] = field(default_factory=dict)
    mostly_zero: int = 0
    late: "Compared | None" = None
    late_reasons: Mapping[str, str] = field(default_factory=dict)
