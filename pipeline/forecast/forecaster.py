"""A trained experiment that forecasts: from a workspace, or from a folder of plain files that needs nothing else."""

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data import dataset as datasets
from pipeline.data import row_files
from pipeline.data.dataset import Scale
from pipeline.data.examples import Array, Windows
from pipeline.data.preparations import series
from pipeline.data.problem import Problem, problem
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import conformal
from pipeline.files import read_checked, read_npz, write_json, write_npz
from pipeline.forecast import models
from pipeline.forecast.rows import Question, Window, latest
from pipeline.provenance import fingerprint
from pipeline.training import run_folder
from pipeline.validation import Strict
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress


class OutsideRangeWarning(UserWarning):
    """A value that is far from all that was trained on, where a model's answer is a guess."""


class Spec(Strict):
    """What forecaster.json holds.

    Attributes:
        name: of the experiment.
        experiment: its section of params.yaml.
        problem: what its model was built for (`Problem`).
        question: how rows become inputs.
        scale: of the target.
        seeds: the replicates whose mean is the forecast; one where no seed matters.
        point: "best" or "final" weights.
    """

    name: str
    experiment: Experiment
    problem: dict[str, Any]
    question: Question
    scale: Scale
    seeds: list[int]
    point: str


@dataclass(frozen=True)
class Forecaster:
    """A model with all that it takes to forecast from raw rows.

    Attributes:
        spec: plain data.
        arrays: `half_widths` and `coverage` (levels, steps) of `conformal.LEVELS`, the first in model units, the second
            on test.
        weights: the folder of the weights.
        predict: of each seed.
    """

    spec: Spec
    arrays: dict[str, Array]
    weights: Path
    predict: tuple[models.Predict, ...]

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> "Forecaster":
        """The forecaster of a trained experiment.

        Args:
            workspace: with its prepared data and run.
            name: of the experiment.

        Raises:
            UsageError: there is no such experiment, or its data set is no series with stamps.
            UnrollError: something is not built, or of an earlier build than something else.
        """
        wanted = params.load(workspace.params)
        experiment = wanted.experiment(name)
        if wanted.dataset(experiment.dataset).preparation.name != "series":
            raise UsageError(f"{experiment.dataset} is no series with a time in each row, so there is no next value")
        again = f"run `unroll repro evaluate@{experiment.dataset}`"
        prepared = workspace.prepared(experiment.dataset)
        data = datasets.load(prepared, calendar=experiment.calendar, share=experiment.share)
        run = run_folder.load_for(workspace.run(experiment.dataset, name), experiment.dataset, experiment.seeds)
        if run.summary.fingerprint.get("data") not in {None, fingerprint.data(prepared)}:
            raise UnrollError(f"{name} was trained on an earlier build of {experiment.dataset}; {again}")
        windows = data.splits["test"]
        if data.fitted is None or not isinstance(windows, Windows):
            raise UnrollError(f"{experiment.dataset} was prepared by an earlier Unroll; {again}")
        errors = {split: conformal.errors(data, run, split) for split in ("validation", "test")}
        wide = np.stack([conformal.half_widths(errors["validation"], level) for level in conformal.LEVELS])
        spec = Spec(
            name=name,
            experiment=experiment,
            problem=asdict(problem(data)) | {"input_shape": list(windows.input_shape)},
            question=Question(
                dataset=experiment.dataset,
                fitted=data.fitted,
                lookback=windows.lookback,
                step=windows.step,
                horizon=windows.horizon,
                outputs=windows.outputs,
            ),
            scale=data.scale,
            seeds=run.summary.seeds if run.varies else run.summary.seeds[:1],
            point=run.points[-1],
        )
        arrays = {
            "half_widths": wide,
            "coverage": np.stack([conformal.coverage(errors["test"], each) for each in wide]),
        }
        return cls._ready(spec, arrays, workspace.run(experiment.dataset, name) / "weights")

    @classmethod
    def load(cls, folder: Path) -> "Forecaster":
        """What `save` wrote, wherever it lies now. Raises UnrollError if a file is missing or damaged."""
        spec = read_checked(folder / "forecaster.json", Spec)
        return cls._ready(spec, read_npz(folder / "forecaster.npz"), folder / "weights")

    @classmethod
    def _ready(cls, spec: Spec, arrays: dict[str, Array], weights: Path) -> "Forecaster":
        asked = Problem(**spec.problem | {"input_shape": tuple(spec.problem["input_shape"])})
        each = (
            models.load(spec.name, spec.experiment, asked, weights / f"seed_{seed}_{spec.point}") for seed in spec.seeds
        )
        return cls(spec, arrays, weights, tuple(each))

    def save(self, folder: Path) -> None:
        """Write forecaster.json, forecaster.npz and weights/ into a folder."""
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        write_json(folder / "forecaster.json", self.spec.model_dump())
        write_npz(folder / "forecaster.npz", self.arrays)
        for seed in self.spec.seeds:
            for file in self.weights.glob(f"seed_{seed}_{self.spec.point}.*"):
                shutil.copyfile(file, folder / "weights" / file.name)

    def coverage(self, level: float = conformal.USUAL) -> Array:
        """(steps,) the share of test targets that intervals of this level held."""
        found: Array = self.arrays["coverage"][_place(level)]
        return found

    def half_widths(self, level: float = conformal.USUAL) -> Array:
        """(steps,) how far intervals of this level reach to each side, in the target's unit."""
        found: Array = self.arrays["half_widths"][_place(level)] * self.spec.scale.std
        return found

    def read(self, paths: Sequence[Path], progress: "Progress" = row_files.unseen) -> Window:
        """The last window of files of the form that the model was trained on. Raises as `forecast`."""
        form = self.spec.question.form
        for path in paths:
            if not path.is_file():
                raise UnrollError(f"{path} {'is a folder; name a file' if path.is_dir() else 'is not there'}")
        return self._latest([row_files.Given(path, form, self.spec.question.where) for path in paths], progress)

    def window(self, rows: "pd.DataFrame") -> Window:
        """The last window of rows in memory. Raises as `forecast`."""
        form = self.spec.question.form
        file = row_files.Rows(Path("the table"), form, self.spec.question.where, rows)
        return self._latest([file], row_files.unseen)

    def _latest(self, files: Sequence[row_files.File], progress: "Progress") -> Window:
        window = latest(self.spec.question, files, progress)
        for text in window.unusual:
            warnings.warn(text, OutsideRangeWarning, stacklevel=3)
        return window

    def forecast(self, rows: "pd.DataFrame", level: float = conformal.USUAL) -> "pd.DataFrame":
        """Forecast what follows the last of some rows.

        Args:
            rows: in raw units, with the columns of the file that the model was trained on, others are ignored. At
                least `spec.question.reach` of them in a row, in any order.
            level: of the interval: 0.5 to 0.99, a whole number of percent.

        Returns:
            A row for each step ahead: stamp, forecast, low and high, in the target's unit; of a data set with a time
            zone stamps are aware of it. `low` and `high` are infinite where validation has too few examples.

        Raises:
            UnrollError: the rows cannot be used; one line says which and why.

        Warns:
            OutsideRangeWarning: a value is far outside of what was trained on.
        """
        return self.after(self.window(rows), level)

    def after(self, window: Window, level: float = conformal.USUAL) -> "pd.DataFrame":
        """What follows a window, as `forecast`."""
        import pandas as pd

        inputs = window.inputs if self.spec.experiment.calendar else window.inputs[:, : -series.CALENDAR]
        steps = self.spec.problem["outputs"]
        said = [np.broadcast_to(predict(inputs[None]).reshape(-1), (steps,)) for predict in self.predict]
        scale, wide = self.spec.scale, self.half_widths(level)
        middle = np.mean(said, axis=0, dtype=np.float64) * scale.std + scale.mean
        return pd.DataFrame({"stamp": window.ahead, "forecast": middle, "low": middle - wide, "high": middle + wide})


def _place(level: float) -> int:
    if round(level, 9) not in conformal.LEVELS:
        raise UsageError(f"the level must be 0.5 to 0.99, a whole number of percent. Received: {level}")
    return conformal.LEVELS.index(round(level, 9))
