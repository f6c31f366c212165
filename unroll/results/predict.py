"""The command `predict`: what follows the last row of a series, by the model that the evidence speaks for."""

import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile
from pipeline.data.series import files_of
from pipeline.errors import UnrollError, UsageError, printable
from pipeline.evaluation import answers, schema
from pipeline.report.formatting import alike
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from series import plot
from series.forecaster import Forecaster, OutsideRangeWarning, require_level
from series.reading import layout
from series.rows import Window
from series.spec import MIDNIGHT
from stages import progress
from unroll import tables
from unroll.hints import built_by

MANY = 0.1
"""New rows, as a fraction of the evaluation's, after which it is worth repeating."""

CYCLES = 7
"""How many times as far back as ahead a picture shows."""

MOST_LINES = 60
"""Of a table of several series."""


@dataclass(frozen=True)
class Predicted:
    """A forecast, as `Forecaster.after` gives it for the windows of some series.

    Attributes:
        forecaster, why: who made it, and why that model.
        file: the last one of its rows.
        coverage: (rows of the table,) the fraction of past values that intervals of the level held, at `origins`.
    """

    forecaster: Forecaster
    why: str
    file: Path
    windows: dict[str, Window]
    level: float
    table: pd.DataFrame
    coverage: Array
    origins: int

    @property
    def steps(self) -> int:
        """Values ahead, of each series."""
        return len(self.table) // len(self.windows)

    @property
    def origin(self) -> str:
        """The stamp of the last row with a target."""
        return self.forecaster.spec.question.when(max(window.stamps[-1] for window in self.windows.values()))

    @property
    def to_the_end(self) -> bool:
        """Whether the target of some series was measured in the last row."""
        return any(window.later == 0 for window in self.windows.values())


def predict(
    workspace: Workspace,
    name: str,
    data: Path | None,
    level: float,
    plan: Path | None = None,
    horizon: int | None = None,
    series: str | None = None,
) -> Predicted:
    """Forecast what follows a series, by an experiment or by the best one of a data set.

    Without `data` its rows are those of the data set, of a file of one's own as they are now. `plan` is a file with
    what is known beforehand, `horizon` counts steps, of those that the model was trained for; `series` is one of
    several.

    Raises:
        UsageError: a name, the level or the horizon is wrong, or it is no series.
        UnrollError: something is not built, or the rows cannot be used.
    """
    config = params.load(workspace.params)
    with progress.files() as shown:
        forecaster, why = best(workspace, config, name)
        question, outputs = forecaster.spec.question, forecaster.spec.fitted.windows.horizon
        require_level(level)
        if series is not None:
            one_of(series, [key for key in forecaster.spec.fitted.series if key], "--series")
        if horizon is not None and not 1 <= horizon <= outputs:
            raise UsageError(f"--horizon must be 1 to {outputs}, which the model was trained for. Received: {horizon}")
        for path in filter(None, (data, plan)):
            if path.is_file() and not RowFile(path, question.csv, "").typed:
                layout.encoding(path, question.csv.encoding)
        paths = [data] if data else own_files(workspace, config, question.dataset)
        with warnings.catch_warnings(record=True) as unusual:
            warnings.simplefilter("always", OutsideRangeWarning)
            windows = forecaster.read(paths, shown, [plan] if plan else [])
    hints = [f"warning: {warning.message}" for warning in unusual]
    new = max(window.new for window in windows.values())
    if data is None and new >= MANY and question.dataset in config.forecasts:
        again = f"`unroll renew {question.dataset} && unroll answer {question.dataset}`"
        hints.append(
            f"hint: {100 * new:.0f} % more rows have come since the evaluation; {again} judges the models on them, too"
        )
    for hint in hints:
        print(printable(f"unroll: {hint}"), file=sys.stderr)
    if series is not None and series not in windows:
        raise UnrollError(f"{series} has no forecast, as said above")
    windows = {key: window for key, window in windows.items() if series in {None, key}}
    table = pd.concat([forecaster.after({key: window}, level)[:horizon] for key, window in windows.items()])
    inside = [pd.DataFrame(forecaster.inside(window, level)) for window in windows.values()]
    coverage = pd.concat([held.mean()[:horizon] for held in inside]).to_numpy(float)
    return Predicted(forecaster, why, paths[-1], windows, level, table, coverage, max(map(len, inside)))


def best(workspace: Workspace, config: Params, name: str) -> tuple[Forecaster, str]:
    """What forecasts an experiment or a data set, and why that: the refitted champion where there is one.

    Raises:
        UsageError: there is no such name.
        UnrollError: it is not built.
    """
    one_of(name, [*config.datasets, *config.runs], "the name of a data set or experiment")
    if name in config.forecasts:
        folder = workspace.forecaster(name)
        if not (folder / "forecaster.json").is_file():
            raise UnrollError(f"{name} is not fitted here; `unroll answer {name}` does it")
        forecaster = Forecaster.load(folder)
        return forecaster, forecaster.spec.why
    if name not in config.datasets:
        return Forecaster.of(workspace, name), "as asked"
    folder = workspace.evaluation(name)
    if not (folder / "evaluation.json").is_file():
        raise UnrollError(f"{name} is not built; {built_by(f'evaluate@{name}')}")
    evaluation = schema.load(folder)
    present = {key: entry for key, entry in evaluation.experiments.items() if key in config.experiments_of(name)}
    champion = answers.champion(evaluation.model_copy(update={"experiments": present}))
    if champion is None:
        raise UnrollError(f"{name} has no experiment that predicts anything; add one to params.yaml")
    experiment, why = champion
    return Forecaster.of(workspace, f"{name}/{experiment}"), why


def own_files(workspace: Workspace, config: Params, name: str) -> list[Path]:
    """The files of a data set: the user's own where they lie, since they may have got new rows.

    Raises:
        UnrollError: the user's own are not there, nor a copy of them.
    """
    section = config.dataset(name)
    pattern, folder = section.preparation.options["csv"]["file"], workspace.raw(section.source)
    if section.source in config.files:
        own = workspace.root / config.files[section.source].path
        if own.is_file():
            return [own]
        folder = own if own.is_dir() else folder
    files = files_of(folder, pattern)
    if section.source in config.files and not files[0].is_file():
        path = config.files[section.source].path
        raise UnrollError(f"params.yaml: files.{section.source}.path: {path} is not there; put the file there")
    return files


def as_data(predicted: Predicted) -> dict[str, Any]:
    """The forecast as plain data; an end that is not known is None."""
    spec = predicted.forecaster.spec
    coverage = [None if math.isnan(fraction) else float(fraction) for fraction in predicted.coverage]
    return {
        "dataset": spec.dataset,
        "experiment": spec.name,
        "why": predicted.why,
        "seeds": spec.seeds,
        "quantity": spec.fitted.windows.quantity,
        "unit": spec.fitted.windows.unit,
        "origin": predicted.origin,
        "level": predicted.level,
        "forecasts": [
            row | {"coverage": coverage[index], "step": index % predicted.steps + 1}
            for index, row in enumerate(_rows(predicted))
        ],
    }


def _rows(predicted: Predicted) -> list[dict[str, Any]]:
    stamps = [*map(str, predicted.table["stamp"])]
    if all(stamp.endswith(MIDNIGHT) for stamp in stamps):
        stamps = [stamp.removesuffix(MIDNIGHT) for stamp in stamps]
    rows = predicted.table.assign(stamp=stamps).to_dict("records")
    return [{key: None if value in {math.inf, -math.inf} else value for key, value in row.items()} for row in rows]


def csv(predicted: Predicted) -> str:
    """The forecast as comma-separated values, numbers in full."""
    return str(pd.DataFrame(_rows(predicted)).to_csv(index=False, lineterminator="\n"))


def texts(predicted: Predicted) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the forecast, with the decimals that its intervals leave some meaning."""
    table, percent = predicted.table, f"{100 * predicted.level:.0f} %"
    ends, fitted = ["forecast", "low", "high"], predicted.forecaster.spec.fitted
    headings = [table.columns[0]] * (len(fitted.series) > 1)
    headings += ["Stamp", ", ".join(filter(None, ("Forecast", fitted.windows.unit)))]
    headings += [f"Low {percent}", f"High {percent}"]
    rows = [[cell for key, cell in row.items() if key not in ends] for row in _rows(predicted)]
    for start in range(0, len(table), predicted.steps):  # each series has its own digits
        own = table[ends].iloc[start : start + predicted.steps]
        texts = alike(own.to_numpy().ravel().tolist(), float((own["high"] - own["low"]).median()))
        for index in range(len(own)):
            rows[start + index] += texts[3 * index : 3 * index + 3]
    return headings, rows


def show(predicted: Predicted) -> None:
    """Print the forecast as a table; of many values of several series the next one of each."""
    spec, coverage, percent = predicted.forecaster.spec, 100 * predicted.coverage, f"{100 * predicted.level:.0f} %"
    coverage = coverage[np.isfinite(coverage)]  # not of series that ended before there were enough errors
    several, (headings, every) = len(spec.fitted.series) > 1, texts(predicted)
    rows = every[:: predicted.steps if several and len(every) > MOST_LINES else 1]
    seeds = f", the mean of {spec.seeds} seeds" if spec.seeds > 1 else ""
    print(printable(f"{spec.name}{seeds}: {predicted.why}"))
    whose = ", the last row of" if predicted.to_the_end else f", where {spec.fitted.csv.target!r} was measured last in"
    print(printable(f"After {predicted.origin}{whose} {predicted.file.name}:") + "\n")
    if np.isinf(predicted.table["high"]).any():
        caption = f"\nThere are too few errors for intervals of {percent}; pass a smaller --level."
    elif not len(coverage):
        caption = f"\nNo interval of {percent} could be tested on the {spec.judged}: they are too few."
    else:
        caption = (
            f"\nIntervals of {percent} held {coverage.mean():.1f} % of what came at {predicted.origins} {spec.judged}"
        )
        ends = f" ({coverage.min():.1f} to {coverage.max():.1f} % by {'series and ' * several}step ahead)"
        caption += f"{ends * (len(coverage) > 1)}."
    if len(rows) < len(every):
        caption += f" `--series {next(iter(predicted.windows))}` prints one series whole, `--csv` all."
    tables.show(headings, rows, numeric=headings[-3:], caption=caption)


def draw(predicted: Predicted, path: Path) -> None:
    """Draw what was measured last, and the forecast with its interval. Raises UsageError for another kind of file."""
    if len(predicted.windows) > 1:
        raise UsageError(f"a plot shows one series; pass --series, such as {next(iter(predicted.windows))}")
    ((name, window),) = predicted.windows.items()
    question, scale = window.question, window.question.scale
    shown = max(2, CYCLES * int(question.ahead[-1]))
    label = (scale.quantity, scale.unit) if scale.quantity != "value" else (question.csv.target,)
    plot.write(
        path,
        question.on_clock(window.stamps[-shown:]),
        window.target[-shown:],
        predicted.table,
        label=", ".join(filter(None, label)),
        title=f"{name or predicted.forecaster.spec.name}, intervals of {100 * predicted.level:.0f} %",
    )
