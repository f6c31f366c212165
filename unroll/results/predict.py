"""The command `predict`: what follows the last row of a series, by the model that the evidence speaks for."""

import math
import sys
import warnings
from collections.abc import Iterator
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
from pipeline.data.sniff import layout
from pipeline.errors import UnrollError, UsageError, printable
from pipeline.evaluation import answers, schema
from pipeline.forecast import plot
from pipeline.forecast.forecaster import Forecaster, OutsideRangeWarning, require_level
from pipeline.forecast.rows import Window
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import progress
from unroll import tables
from unroll.tables import Column

MANY = 0.1
"""New rows, as a share of the evaluation's, after which it is worth repeating."""

CYCLES = 7
"""How many times as far back as ahead a picture shows."""

MOST_LINES = 60
"""Of a table of several series."""


@dataclass(frozen=True)
class Predicted:
    """A forecast: who made it and why that model, the last file of its rows, and `Forecaster.forecast`'s table.

    `windows` are those of each series, and `held` (rows of the table,) is the share of values that intervals of the
    level held.
    """

    forecaster: Forecaster
    why: str
    file: Path
    windows: dict[str, Window]
    level: float
    table: pd.DataFrame
    held: Array

    @property
    def steps(self) -> int:
        """Values ahead, of each series."""
        return len(self.table) // len(self.windows)

    @property
    def origin(self) -> str:
        """The stamp of the last row."""
        return self.forecaster.spec.question.when(max(window.stamps[-1] for window in self.windows.values()))


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
    wanted = params.load(workspace.params)
    with progress.files() as shown:
        forecaster, why = best(workspace, wanted, name)
        parts = forecaster.by_series
        require_level(level)
        if series is not None:
            one_of(series, [word for word in parts if word], "--series")
        steps = forecaster.spec.question.outputs
        if horizon is not None and not 1 <= horizon <= steps:
            raise UsageError(f"--horizon must be 1 to {steps}, which the model was trained for. Received: {horizon}")
        form = forecaster.spec.question.csv
        for path in filter(None, (data, plan)):
            if path.is_file() and not RowFile(path, form, "").parquet:
                layout.encoding(path, form.encoding)
        paths = [data] if data else own_files(workspace, wanted, forecaster.spec.question.dataset)
        with warnings.catch_warnings(record=True) as unusual:
            warnings.simplefilter("always", OutsideRangeWarning)
            windows = forecaster.read(paths, shown, [plan] if plan else [])
    hints = [f"warning: {warning.message}" for warning in unusual]
    about = forecaster.spec.question.dataset
    new = max(window.new for window in windows.values())
    if data is None and new >= MANY and about in wanted.forecasts:
        again = f"`unroll renew {about} && unroll repro refit@{about}` judges the models on them, too"
        hints.append(f"hint: {100 * new:.0f} % more rows have come since the evaluation; {again}")
    for hint in hints:
        print(printable(f"unroll: {hint}"), file=sys.stderr)
    if series is not None and series not in windows:
        raise UnrollError(f"{series} has no forecast, as said above")
    windows = {word: window for word, window in windows.items() if series in {None, word}}
    tables = [forecaster.after({word: window}, level)[:horizon] for word, window in windows.items()]
    held = [parts[word].coverage(window, level)[:horizon] for word, window in windows.items()]
    return Predicted(forecaster, why, paths[-1], windows, level, pd.concat(tables), np.concatenate(held))


def best(workspace: Workspace, wanted: Params, name: str) -> tuple[Forecaster, str]:
    """What forecasts an experiment or a data set, and why that: the refitted champion where there is one.

    Raises:
        UsageError: there is no such name.
        UnrollError: it is not built.
    """
    one_of(name, [*wanted.datasets, *wanted.experiments], "the name of a data set or experiment")
    if name in wanted.forecasts:
        folder = workspace.forecaster(name)
        if not (folder / "forecaster.json").is_file():
            raise UnrollError(f"{name} is not fitted; `unroll repro refit@{name}` does it")
        forecaster = Forecaster.load(folder)
        return forecaster, forecaster.spec.why
    if name not in wanted.datasets:
        return Forecaster.of(workspace, name), "as asked"
    folder = workspace.evaluation(name)
    if not (folder / "evaluation.json").is_file():
        raise UnrollError(f"{name} is not built; `unroll repro evaluate@{name}` builds it")
    evaluation = schema.load(folder)
    there = {key: entry for key, entry in evaluation.experiments.items() if key in wanted.experiments_of(name)}
    champion = answers.champion(evaluation.model_copy(update={"experiments": there}))
    if champion is None:
        raise UnrollError(f"{name} has no experiment that predicts anything; add one to params.yaml")
    experiment, why = champion
    return Forecaster.of(workspace, experiment), why


def own_files(workspace: Workspace, wanted: Params, name: str) -> list[Path]:
    """The files of a data set: the user's own where they lie, since they may have got new rows."""
    section = wanted.dataset(name)
    pattern, folder = section.preparation.options["csv"]["file"], workspace.raw(section.source)
    if section.source in wanted.files:
        own = workspace.root / wanted.files[section.source].path
        if own.is_file():
            return [own]
        folder = own if own.is_dir() else folder
    return files_of(folder, pattern)


def as_data(found: Predicted) -> dict[str, Any]:
    """The forecast as plain data; an end that is not known is None."""
    spec = found.forecaster.spec
    return {
        "dataset": spec.question.dataset,
        "experiment": spec.name,
        "why": found.why,
        "seeds": spec.seeds,
        "quantity": spec.scale.quantity,
        "unit": spec.scale.unit,
        "origin": found.origin,
        "level": found.level,
        "forecasts": [
            row | {"coverage": None if math.isnan(held) else float(held), "step": place % found.steps + 1}
            for place, (row, held) in enumerate(zip(_rows(found), found.held, strict=True))
        ],
    }


def _rows(found: Predicted) -> list[dict[str, Any]]:
    rows = found.table.assign(stamp=[*map(str, found.table["stamp"])]).to_dict("records")
    return [{key: None if value in {math.inf, -math.inf} else value for key, value in row.items()} for row in rows]


def csv(found: Predicted) -> Iterator[str]:
    """The forecast as lines of comma-separated values, numbers in full."""
    yield ",".join(found.table.columns)
    for row in _rows(found):
        yield ",".join("" if value is None else str(value) for value in row.values())


def show(found: Predicted) -> None:
    """Print the forecast as a table; of many values of several series the next one of each."""
    forecaster, table = found.forecaster, found.table
    spec, percent = forecaster.spec, f"{100 * found.level:.0f} %"
    unit = f", {spec.scale.unit}" if spec.scale.unit else ""
    several = len(spec.series) > 1
    apart = np.split((table["high"] - table["low"]).to_numpy(), len(found.windows))
    wide = float(min(map(np.median, apart)))
    digits = max(0, min(6, 2 - math.floor(math.log10(wide)))) if 0 < wide < math.inf else 3
    rows = _rows(found)[:: found.steps if several and len(table) > MOST_LINES else 1]
    midnight = " 00:00:00" if all(row["stamp"].endswith(" 00:00:00") for row in rows) else ""
    texts = [
        [
            one.removesuffix(midnight) if isinstance(one, str) else "-" if one is None else f"{one:.{digits}f}"
            for one in row.values()
        ]
        for row in rows
    ]
    held = found.held
    seeds = f", the mean of {spec.seeds} seeds" if spec.seeds > 1 else ""
    by = "series and step" if several else "step"
    steps = f" ({100 * held.min():.1f} to {100 * held.max():.1f} % by {by} ahead)" if len(held) > 1 else ""
    print(printable(f"{spec.name}{seeds}: {found.why}"))
    print(printable(f"After {found.origin}, the last row of {found.file.name}:") + "\n")
    headings = [table.columns[0]] * several + ["Stamp", f"Forecast{unit}", f"Low {percent}", f"High {percent}"]
    caption = f"\n{spec.judged}, intervals of {percent} held {100 * held.mean():.1f} % of what came{steps}."
    if math.isinf(wide):
        caption = f"\nThere are too few errors for intervals of {percent}; pass a smaller --level."
    if len(rows) < len(table):
        caption += f" `--series {next(iter(found.windows))}` prints one series whole, `--csv` all."
    tables.show([Column(heading, place > several) for place, heading in enumerate(headings)], texts, caption=caption)


def draw(found: Predicted, path: Path) -> None:
    """Draw what was measured last, and the forecast with its interval. Raises UsageError for another kind of file."""
    if len(found.windows) > 1:
        raise UsageError(f"a plot shows one series; pass --series, such as {next(iter(found.windows))}")
    ((word, window),) = found.windows.items()
    spec = found.forecaster.by_series[word].spec
    question, scale = spec.question, spec.scale
    shown = max(2, CYCLES * int(question.ahead[-1]))
    names = (scale.quantity, scale.unit) if scale.quantity != "value" else (question.csv.target,)
    plot.write(
        path,
        question.on_clock(window.stamps[-shown:]),
        window.target[-shown:],
        found.table,
        label=", ".join(filter(None, names)),
        title=f"{word or spec.name}, intervals of {100 * found.level:.0f} %",
    )
