"""A forecaster as MLflow serves it. A registered model names this module as its loader,
and brings it along.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import scoring_server

from pipeline import numerics

numerics.settle()  # before TensorFlow is imported

from pipeline.errors import UnrollError, one_line  # noqa: E402
from series import intervals  # noqa: E402
from series.forecaster import Forecaster  # noqa: E402

if TYPE_CHECKING:
    import pandas as pd


class RefusedError(MlflowException):
    """A request that cannot be answered: 400 with one line.

    MLflow's server puts all rows of the request before `message`, which a client need
    not get back.
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text), error_code=INVALID_PARAMETER_VALUE)

    def serialize_as_json(self) -> str:
        """The body of the answer."""
        return json.dumps({"error_code": self.error_code, "message": str(self)})


class Served:
    """The model, as `mlflow.pyfunc` calls it."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster

    def predict(
        self, data: "pd.DataFrame", params: dict[str, Any] | None = None
    ) -> "pd.DataFrame":
        """Forecast what comes after the last of some rows.

        Args:
            data: in raw units, with the columns of the file that the models were fitted
                to; stamps as text.
            params: `level` of the prediction interval; `intervals.USUAL` if not given.

        Returns:
            As `Forecaster.after` for this level, with timestamps by ISO 8601; an end
            that is not known is None. The column `warning` only where values are far
            outside of what was trained on.

        Raises:
            RefusedError: the rows or the level cannot be used.
        """
        self._require_numbers(data)
        level = float((params or {}).get("level", intervals.USUAL))
        try:
            windows = self.forecaster.windows(data)
            forecasts = self.forecaster.after(windows, (level,))
        except UnrollError as error:
            raise RefusedError(str(error)) from None
        ends = forecasts.columns[-2:]
        known = np.isfinite(forecasts[ends])
        forecasts[ends] = forecasts[ends].astype(object).where(known, None)
        forecasts["ds"] = [stamp.isoformat() for stamp in forecasts["ds"]]
        unusual = [text for window in windows.values() for text in window.unusual]
        if unusual:
            forecasts["warning"] = "; ".join(unusual)
        return forecasts

    def _require_numbers(self, data: "pd.DataFrame") -> None:
        """Raise RefusedError if a row lacks a number, and the models were fitted to
        rows that lack none.
        """
        question = self.forecaster.spec.question
        if question.csv.missing is not None:
            return
        numbers = data[[name for name in question.numbers if name in data]]
        # the last rows may lack a target: the forecast starts before them
        if question.csv.target in data:
            numbers = numbers[data[question.csv.target].notna()]
        empty = ~np.isfinite(numbers.to_numpy(np.float64))
        if empty.any():
            row, column = np.argwhere(empty)[0]
            name = numbers.columns[column]
            raise RefusedError(
                f"row {numbers.index[row]} (from 0): {name!r} is no finite number; each row needs one"
            )


def _strict(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """How MLflow reads JSON, but for what it takes for a number (`true`) or answers
    with a bare 500 (deep brackets).
    """

    def decoded(body: Any) -> Any:
        try:
            if not _flagged(data := decode(body)):
                return data
            what = "holds true or false; send numbers as numbers and words as text"
        except RecursionError:
            what = "is nested too deeply; send rows"
        raise RefusedError(f"the request {what}")

    return decoded


def _flagged(data: Any) -> bool:
    inner = (
        data.values()
        if isinstance(data, dict)
        else data
        if isinstance(data, list)
        else ()
    )
    return isinstance(data, bool) or any(map(_flagged, inner))


def _load_pyfunc(path: str) -> Served:
    """What MLflow calls with the folder that `Forecaster.save` wrote."""
    return load(Path(path))


def load(folder: Path) -> Served:
    """What answers requests, of the folder that `Forecaster.save` wrote."""
    # There is no hook before it casts; the model's requirements name the version that
    # has this function.
    scoring_server._decode_json_input = _strict(scoring_server._decode_json_input)  # noqa: SLF001
    return Served(Forecaster.load(folder))
