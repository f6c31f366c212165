"""`python -m bench.series NAME...`: measure public files, and print what was found.

With `--cut FOLDER` it writes the rows before the first origin held out as
FOLDER/NAME.csv, and measures nothing. With `--score TABLE` it measures forecasts from a
Parquet file (unique_id, ds, cutoff, y_hat, lo-90 ... hi-90). With `--rivals` it
measures the rivals alone.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from bench.series import compare, public
from bench.series.compare import Row
from unroll.exits import run

Names = Annotated[
    list[str] | None, typer.Argument(help="From bench/series/public.csv; none: all.")
]
Cut = Annotated[
    Path | None, typer.Option(help="Write the training rows of each file here.")
]
Score = Annotated[
    Path | None, typer.Option(help="A Parquet file of forecasts of one file.")
]
Rivals = Annotated[bool, typer.Option("--rivals", help="Measure the rivals alone.")]


def main(
    names: Names = None, cut: Cut = None, score: Score = None, rivals: Rivals = False
) -> None:
    """Measure public files, and print what was found."""
    say = partial(print, flush=True)
    rows = {}
    for name in names or public.FILES:
        file = public.FILES[name]
        if cut:
            write(file, cut)
        elif rivals:
            show(name, compare.rivals_of(compare.loaded(file), say))
        elif score:
            rows[name] = compare.score(file, pd.read_parquet(score), say)
        else:
            rows[name] = compare.measure(file, say)
        if name in rows:
            show(name, {"unroll": rows[name], **rows[name]["rivals"]})
            print(
                {key: value for key, value in rows[name].items() if key != "rivals"},
                flush=True,
            )
    if len(rows) > 1:
        print(compare.summary(rows))


def write(file: public.PublicFile, folder: Path) -> None:
    """Write the rows before the first origin held out."""
    folder.mkdir(parents=True, exist_ok=True)
    compare.loaded(file).training().to_csv(folder / f"{file.name}.csv", index=False)


def show(name: str, found: dict[str, Row]) -> None:
    """Print a line for each forecaster."""
    for forecaster, scored in found.items():
        measures = f"mae {scored['mae']:<10.4g} wql {scored['wql']:.4f}"
        print(
            f"{name:12} {forecaster:16} {measures} 90 % {scored['coverage']:.1%}",
            flush=True,
        )


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    command = typer.main.get_command(app)
    sys.exit(run(lambda: command.main(standalone_mode=False)))
