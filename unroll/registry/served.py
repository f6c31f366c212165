"""Forecasters and experiments as MLflow serves them.

Each logged model names this module as its loader.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from pipeline import numerics

numerics.settle()  # before TensorFlow is imported

from pipeline.data.examples import Array  # noqa: E402
from pipeline.errors import UnrollError, one_line  # noqa: E402
from pipeline.tracking import models  # noqa: E402
from pipeline.tracking.models import ExperimentModel  # noqa: E402
from series import intervals  # noqa: E402
from series.forecaster import Forecaster  # noqa: E402


class RefusedError(MlflowException):
    """A request that cannot be answered: status 400 with one line.

    MLflow's server would put all rows of the request before the line.
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text), error_code=INVALID_PARAMETER_VALUE)

    def serialize_as_json(self) -> str:
        """Return the body of the answer."""
        return json.dumps({"error_code": self.error_code, "message": str(self)})


class ServedExperiment:
    """An experiment that `mlflow.pyfunc` can call."""

    def __init__(self, model: ExperimentModel) -> None:
        self.model = model

    def predict(self, data: Array, params: dict[str, Any] | None = None) -> Array:
        """Predict examples, as `ExperimentModel.predict` does.

        Raises:
            RefusedError: an input is no finite number, or no word number.
        """
        _ = params  # MLflow passes it
        if not np.isfinite(data).all():
            raise RefusedError("the inputs must be finite numbers")
        words = self.model.spec.problem.vocabulary
        if words and not ((data >= 0) & (data < words)).all():
            raise RefusedError(f"the inputs must be word numbers below {words}")
        return self.model.predict(data)


class ServedForecaster:
    """A forecaster that `mlflow.pyfunc` can call."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster
        # Loads the models now: the folder may be temporary, and no request should wait.
        _ = forecaster.predict

    def predict(
        self, data: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecast the timesteps after the last of some rows.

        Args:
            data: rows in raw units, with the columns of the file that the models were
                fitted to, and timestamps as text.
            params: `level` of the prediction interval; by default `intervals.USUAL`.

        Returns:
            The table of `Forecaster.after` for this level, with timestamps by ISO 8601.
            An end that is not known is None. There is a column `warning` if values are
            far outside the trained range.

        Raises:
            RefusedError: the rows or the level cannot be used.
        """
        level = (params or {}).get("level")
        level = intervals.USUAL if level is None else float(level)
        if not isinstance(data, pd.DataFrame):
            raise RefusedError("the rows must be dataframe_split or dataframe_records")
        try:
            windows = self.forecaster.windows(data)
            forecasts = self.forecaster.after(windows, (level,))
        except UnrollError as error:
            # The columns of a request without a header are its first row.
            raise RefusedError(str(error).partition(". It has: ")[0]) from None
        ends = forecasts.columns[-2:]
        known = np.isfinite(forecasts[ends])
        forecasts[ends] = forecasts[ends].astype(object).where(known, None)
        forecasts["ds"] = [stamp.isoformat() for stamp in forecasts["ds"]]
        unusual = [text for window in windows.values() for text in window.unusual]
        if unusual:
            forecasts["warning"] = "; ".join(unusual)
        return forecasts


def load(folder: Path) -> ServedExperiment | ServedForecaster:
    """Return the model of a folder: an experiment, or what `Forecaster.save` wrote.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    if (folder / models.SPEC).is_file():
        return ServedExperiment(ExperimentModel(folder))
    return ServedForecaster(Forecaster.load(folder))


def _load_pyfunc(path: str) -> ServedExperiment | ServedForecaster:
    """Return the model of a folder; MLflow calls this."""
    return load(Path(path))
