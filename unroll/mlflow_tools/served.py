"""Forecasters and experiments as MLflow serves them.

Each logged model names this module as its loader.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from pipeline import numeric_settings

numeric_settings.set_environment()  # before TensorFlow is imported

from pipeline.data.examples import Array, Arrays  # noqa: E402
from pipeline.errors import UnrollError, one_line  # noqa: E402
from pipeline.files import read_checked  # noqa: E402
from pipeline.tracking import models  # noqa: E402
from pipeline.tracking.models import ExperimentSpec  # noqa: E402
from pipeline.training.job import predict_split  # noqa: E402
from pipeline.training.recipe import recipe  # noqa: E402
from unroll.series import prediction_intervals, seal  # noqa: E402
from unroll.series.forecaster import ARRAYS, SPEC, Forecaster  # noqa: E402
from unroll.series.row_options import CsvFormat  # noqa: E402

LEAST = 10**11
"""The least number that is read as milliseconds since 1970: a time in 1973."""


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

    def __init__(self, folder: Path) -> None:
        """Read the files of a model.

        Raises:
            UnrollError: a file is missing or damaged.
            UsageError: this version of Unroll has no such model.
        """
        self.spec = read_checked(folder / models.SPEC, ExperimentSpec, models.CURE)
        trained = recipe(self.spec.name, self.spec.experiment)
        self._predict = trained.load(
            asdict(self.spec.problem), folder / models.WEIGHTS, models.CURE
        )

    def predict(
        self, inputs: Array, params: dict[str, Any] | None = None
    ) -> npt.NDArray[np.float64]:
        """Predict examples.

        Args:
            inputs: (n, ...) as they are prepared.
            params: nothing; MLflow passes it.

        Returns:
            (n,) or (n, values) in the unit of the data.

        Raises:
            RefusedError: an input is no finite number, or no word number.
        """
        del params
        if not np.isfinite(inputs).all():
            raise RefusedError("the inputs must be finite numbers")
        about = self.spec.problem
        words = about.vocabulary
        if words and not ((inputs >= 0) & (inputs < words)).all():
            raise RefusedError(f"the inputs must be word numbers below {words}")
        values = (about.outputs,) if about.outputs > 1 else ()
        # the targets only say how many values are predicted
        examples = Arrays(inputs, np.zeros((len(inputs), *values)))
        alone = about.each_step and self.spec.experiment.training.method == "none"
        outputs = predict_split(self._predict, examples, each_step=alone)
        outputs = outputs.reshape(examples.targets.shape).astype(np.float64)
        return np.asarray(outputs * self.spec.scale.std + self.spec.scale.mean)


class ServedForecaster:
    """A forecaster that `mlflow.pyfunc` can call."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster
        # Loads the models now: the folder may be temporary, and no request should wait.
        forecaster.load_models()

    def predict(
        self, data: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecast the timesteps after the last of some rows.

        Args:
            data: rows in raw units, with the columns of the file that the models were
                fitted to, and timestamps as text.
            params: `level` of the prediction interval; by default `prediction_intervals.USUAL`.

        Returns:
            The table of `Forecaster.after` for this level, with timestamps by ISO 8601.
            An end that is not known is None. There is a column `warning` if values are
            far outside the trained range.

        Raises:
            RefusedError: the rows or the level cannot be used.
        """
        level = (params or {}).get("level")
        level = prediction_intervals.USUAL if level is None else float(level)
        if not isinstance(data, pd.DataFrame):
            raise RefusedError("the rows must be dataframe_split or dataframe_records")
        data = _with_times(data, self.forecaster.fitted.csv)
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
        unusual += [window.ended for window in windows.values() if window.ended]
        if unusual:
            forecasts["warning"] = "; ".join(unusual)
        return forecasts


def _with_times(data: pd.DataFrame, form: CsvFormat) -> pd.DataFrame:
    """Return rows with the timestamps that pandas' `to_json` has written as
    milliseconds since 1970.
    """
    for name in form.stamp:
        if name in data and not form.stamp_format.startswith("unix"):
            times = data[name]
            if pd.api.types.is_integer_dtype(times) and times.min() >= LEAST:
                data = data.assign(**{name: pd.to_datetime(times, unit="ms")})
    return data


def load(folder: Path) -> ServedExperiment | ServedForecaster:
    """Return the model of a folder: an experiment, or what `Forecaster.save` wrote.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    if (folder / models.SPEC).is_file():
        return ServedExperiment(folder)
    seal.check(folder, SPEC, ARRAYS)
    return ServedForecaster(Forecaster.checked(folder))


def _load_pyfunc(path: str) -> ServedExperiment | ServedForecaster:
    """Return the model of a folder; MLflow calls this."""
    return load(Path(path))
