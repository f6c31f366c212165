"""A trained experiment that forecasts: from a workspace, or from a folder of plain files that needs nothing else."""

import hashlib
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.data import row_files, series, several
from pipeline.data.examples import Array
from pipeline.data.problem import problem
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import conformal
from pipeline.files import read_checked, read_npz, write_json, write_npz
from pipeline.forecast import combination, intervals, models, origins
from pipeline.forecast.question import Question
from pipeline.forecast.rows import Window, histories, latest
from pipeline.forecast.spec import Member, Part, Spec
from pipeline.provenance import fingerprint
from pipeline.training import run_folder
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress


KEPT = 64
"""Windows whose forecasts are kept, the last ones."""


class OutsideRangeWarning(UserWarning):
    """A value that is far from all that was trained on, where a model's answer is a guess."""


@dataclass(frozen=True)
class Forecaster:
    """Models with all that it takes to forecast from raw rows.

    Attributes:
        spec: plain data.
        arrays: `half_widths` and `coverage` (levels, steps) of `conformal.LEVELS`, the first in model units, the second
            on test. Or of the backtest `truth` (origins, steps) and `said` (members, origins, steps), in model units,
            which weights and intervals are made of anew; and of several series `series` (origins,), each one's place.
            Perhaps `asked` (windows, 32), digests of windows, and `told` (windows, members, steps), what they bring.
        weights: name of a member -> the folder of its weights.
        predict: of each member each seed.
        told: a window's digest -> what each member says of it.
    """

    spec: Spec
    arrays: dict[str, Array]
    weights: dict[str, Path]
    predict: tuple[tuple[models.Predict, ...], ...]
    told: dict[bytes, Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> "Forecaster":
        """The forecaster of a trained experiment.

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
        if run.summary.fingerprint.get("data") not in {None, fingerprint.folder(prepared)}:
            raise UnrollError(f"{name} was trained on an earlier build of {experiment.dataset}; {again}")
        question, *others = Question.of(data).values()
        if others:
            raise UsageError(f"{experiment.dataset} has several series; `unroll predict {experiment.dataset}` has all")
        errors = {split: conformal.errors(data, run, split) for split in ("validation", "test")}
        wide = np.stack([conformal.half_widths(errors["validation"], level) for level in conformal.LEVELS])
        seeds = run.summary.seeds if run.varies else run.summary.seeds[:1]
        asked = asdict(problem(data))
        member = Member(name=name, experiment=experiment, problem=asked, seeds=seeds, point=run.points[-1])
        spec = Spec(name=name, members=[member], each={several.ONE: Part(question=question, scale=data.scale)})
        held = np.stack([conformal.coverage(errors["test"], each) for each in wide])
        arrays = {"half_widths": wide, "coverage": held}
        return cls.ready(spec, arrays, {name: workspace.run(experiment.dataset, name) / "weights"})

    @classmethod
    def load(cls, folder: Path) -> "Forecaster":
        """What `save` wrote, wherever it lies now. Raises UnrollError if a file is missing, damaged or too old."""
        spec = read_checked(folder / "forecaster.json", Spec)
        weights = {member.name: folder / "weights" / member.name for member in spec.members}
        arrays = read_npz(folder / "forecaster.npz")
        if not {"truth", "half_widths"} & {*arrays}:
            again = f"fit it anew: `unroll repro refit@{spec.question.dataset}`"
            raise UnrollError(f"{folder / 'forecaster.npz'} is of an older version of Unroll; {again}")
        return cls.ready(spec, arrays, weights)

    @classmethod
    def ready(cls, spec: Spec, arrays: dict[str, Array], weights: dict[str, Path]) -> "Forecaster":
        """One of these parts. Raises UnrollError if weights are missing or damaged."""
        each = []
        for one in spec.members:
            paths = (weights[one.name] / f"seed_{seed}_{one.point}" for seed in one.seeds)
            each.append(tuple(models.load(one.name, one.experiment, one.problem, path) for path in paths))
        known = {"asked", "told"} <= {*arrays}
        told = dict(zip(map(bytes, arrays["asked"]), arrays["told"], strict=True)) if known else {}
        return cls(spec, arrays, weights, tuple(each), told)

    def save(self, folder: Path) -> None:
        """Write forecaster.json, forecaster.npz and weights/ into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "forecaster.json", self.spec.model_dump())
        write_npz(folder / "forecaster.npz", self.arrays)
        for one in self.spec.members:
            (folder / "weights" / one.name).mkdir(parents=True)
            for seed in one.seeds:
                for file in self.weights[one.name].glob(f"seed_{seed}_{one.point}.*"):
                    shutil.copyfile(file, folder / "weights" / one.name / file.name)

    def ahead(self, window: Window, level: float = conformal.USUAL) -> tuple[Array, Array]:
        """(steps,) what follows a window, and how far intervals of this level reach to each side; in the target's unit.

        The errors since the models were fitted count, too.
        """
        place, scale = level_place(level), self.spec.scale
        if "truth" in self.arrays:
            errors, known, said = self._rolled(window)
            wide = intervals.adaptive(errors, level, known, since=len(errors))[0][-1]
        else:
            said, wide = self._said(window.inputs)[0], self.arrays["half_widths"][place]
        return said * scale.std + scale.mean, wide * scale.std

    def coverage(self, window: Window, level: float = conformal.USUAL) -> Array:
        """(steps,) the share of targets that such intervals held, on test or from rolling origins; or NaN."""
        place = level_place(level)
        if "truth" not in self.arrays:
            return np.asarray(self.arrays["coverage"][place])
        errors, known, _ = self._rolled(window)
        held = intervals.adaptive(errors, level, known)[1]
        return np.asarray(np.nanmean(held, axis=0) if len(held) else np.full(held.shape[1], np.nan))

    def _rolled(self, window: Window) -> tuple[Array, Array, Array]:
        """(origins, steps) absolute errors up to a window, after how many origins each is known, and (steps,) what
        follows the window; all in model units.
        """
        truth, said, question = self.arrays["truth"], self.arrays["said"], self.spec.question
        known = origins.later(question.outputs, question.step, self.spec.apart)
        # The models were fitted to what came between: of those origins nothing is known.
        between = np.full((known[-1] - 1, question.outputs), np.nan)
        inputs, came = window.since or ((), np.empty((0, question.outputs)))
        each = [self._said(one) for one in (*inputs, window.inputs)]
        truth = np.concatenate([truth, between, came, np.full((1, question.outputs), np.nan)])
        unasked = np.zeros((len(said), *between.shape))
        found = combination.combined(np.concatenate([said, unasked, np.stack(each, axis=1)], axis=1), truth, known)
        return np.abs(found - truth)[:-1], known, found[-1]

    def _said(self, window: Array) -> Array:
        """What the members say of a window with the calendar: (members, steps), in model units.

        One by one and kept, so that a served model computes what is new alone, and says the same to the last bit.
        """
        if (key := _digest(window)) not in self.told:
            question, each_says = self.spec.question, []
            calendar = series.calendar_columns(question.preparation)
            for one, predict in zip(self.spec.members, self.predict, strict=True):
                seen = window[None, -one.timesteps :]
                seen = seen if one.experiment.calendar else seen[:, :, :-calendar]
                said = [np.broadcast_to(each(seen).reshape(-1), question.outputs) for each in predict]
                each_says.append(np.mean(said, axis=0, dtype=np.float64))
            if len(self.told) >= KEPT:
                self.told.pop(next(iter(self.told)))
            self.told[key] = np.stack(each_says)
        return self.told[key]

    def answers(self, windows: Iterable[Window]) -> dict[str, Array]:
        """`asked` and `told` of `arrays`: with them a forecast from these windows runs no model, nor imports any."""
        told = {_digest(one.inputs): self._said(one.inputs) for one in windows}
        return {"asked": np.array([[*key] for key in told], np.uint8), "told": np.stack([*told.values()])}

    @cached_property
    def parts(self) -> dict[str, "Forecaster"]:
        """A forecaster for each of several series, by name; one of one series alone is `several.ONE`."""
        if len(self.spec.each) == 1:
            return {several.ONE: self}
        found = {}
        for place, (word, one) in enumerate(self.spec.each.items()):
            spec = self.spec.model_copy(update={"each": {several.ONE: one}})
            mine = self.arrays["series"] == place
            arrays = {"truth": self.arrays["truth"][mine], "said": self.arrays["said"][:, mine]}
            found[word] = replace(self, spec=spec, arrays=arrays, told=dict(self.told))
        return found

    def read(
        self, paths: Sequence[Path], progress: "Progress" = row_files.unseen, plan: Sequence[Path] = ()
    ) -> dict[str, Window]:
        """The last window of each series in files of the form that the model was trained on. Raises as `forecast`.

        `plan` are files with what is known beforehand of the rows that come.
        """
        form, where = self.spec.question.form, self.spec.question.where
        for path in [*paths, *plan]:
            if not path.is_file():
                raise UnrollError(f"{path} {'is a folder; name a file' if path.is_dir() else 'is not there'}")
        given, known = ([row_files.File(path, form, where) for path in each] for each in (paths, plan))
        return self._latest(given, progress, known)

    def windows(self, rows: "pd.DataFrame") -> dict[str, Window]:
        """The last window of each series in rows in memory. Raises as `forecast`."""
        file = row_files.Rows(Path("the table"), self.spec.question.form, self.spec.question.where, rows)
        return self._latest([file], row_files.unseen)

    def _latest(
        self, files: Sequence[row_files.File], progress: "Progress", plan: Sequence[row_files.File] = ()
    ) -> dict[str, Window]:
        until = np.datetime64(self.spec.until) if self.spec.until else None
        questions = {word: one.spec.question for word, one in self.parts.items()}
        windows, failed = dict[str, Window](), UnrollError("")
        for word, found in histories(questions, files, progress, plan).items():
            try:
                window = latest(found, self.spec.timesteps, until, self.spec.apart)
            except UnrollError as error:
                if word == several.ONE:
                    raise
                failed = error
                warnings.warn(f"{word}: left out: {error}", OutsideRangeWarning, stacklevel=3)
                continue
            if word != several.ONE:
                window = replace(window, unusual=[f"{word}: {text}" for text in window.unusual])
            for text in window.unusual:
                warnings.warn(text, OutsideRangeWarning, stacklevel=3)
            windows[word] = window
        if not windows:
            raise failed
        return windows

    def forecast(self, rows: "pd.DataFrame", level: float = conformal.USUAL) -> "pd.DataFrame":
        """Forecast what follows the last of some rows, of each series that they hold.

        Args:
            rows: in raw units, with the columns of the file that the model was trained on, others are ignored. At
                least `spec.question.reach` of them in a row, in any order; best `spec.reach`.
            level: of the interval: 0.5 to 0.99, a whole number of percent.

        Returns:
            A row for each step ahead: stamp, forecast, low and high, in the target's unit, and before them of several
            series the name; of a data set with a time zone stamps are aware of it. `low` and `high` are infinite where
            validation has too few examples.

        Raises:
            UnrollError: the rows cannot be used; one line says which and why.

        Warns:
            OutsideRangeWarning: a value is far outside of what was trained on.
        """
        return self.after(self.windows(rows), level)

    def after(self, windows: Mapping[str, Window], level: float = conformal.USUAL) -> "pd.DataFrame":
        """What follows the windows of some series, as `forecast`."""
        import pandas as pd

        column, tables = self.spec.question.preparation.get("series_id"), []
        for word, window in windows.items():
            middle, wide = self.parts[word].ahead(window, level)
            values = {"stamp": window.ahead, "forecast": middle, "low": middle - wide, "high": middle + wide}
            tables.append(pd.DataFrame(({column: word} if column else {}) | values))
        return pd.concat(tables, ignore_index=True)


def level_place(level: float) -> int:
    """The place of a level among `conformal.LEVELS`. Raises UsageError if it is none of them."""
    if round(level, 9) not in conformal.LEVELS:
        raise UsageError(f"the level must be 0.5 to 0.99, a whole number of percent. Received: {level}")
    return conformal.LEVELS.index(round(level, 9))


def _digest(window: Array) -> bytes:
    return hashlib.sha256(window.tobytes()).digest()
