"""The files of an answer for people: the forecast as a table, pictures, and a page.

The page has no scripts and makes no requests.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.errors import UnknownAheadError, printable
from pipeline.files import write_text
from unroll.series import text_tables
from unroll.series.leaderboard import mae_by_block
from unroll.series.prediction_intervals import USUAL
from unroll.series.rows import Window
from unroll.series.saved import SHOWN, Answer
from unroll.series.sentence import title

FOLDER = Path(__file__).parent

FORECAST, AHEAD, WEEKS, PAGE = SHOWN
"""The forecast as a table; the pictures of the last measured values with the forecast,
and of the errors of both sides of the comparison; the page."""


CURE = "Add the rows to come to the file, with an empty target, and"
"""How a page gets its forecast if a value that must be known beforehand is not. The
command that draws it follows."""

MOST_PICTURES = 60
"""Largest number of series whose forecasts are drawn on the page."""


def write(answer: Answer, folder: Path | None = None) -> None:
    """Write the files of an answer for people.

    A picture of the forecast is drawn for a single series, and for several they are on
    the page. A picture of the errors is drawn if a recurrent network was compared. If a
    value that must be known beforehand is not, there is the page alone, and it says so.

    Args:
        answer: the answer.
        folder: the folder to write into; by default the answer's own.
    """
    folder = folder or answer.folder
    pictures = dict[str, str]()
    several = dict[str, str]()
    why = dict[str, str]()
    forecast: pd.DataFrame | str
    try:
        windows, forecast = answer.coming
    except UnknownAheadError as error:
        forecast = error.what
    else:
        write_text(folder / FORECAST, text_tables.csv(forecast))
        if len(windows) == 1:
            pictures |= _forecast_picture(answer, windows, forecast, folder)
        else:
            several = menu(windows, forecast, USUAL)
        why = why_pictures(answer, windows)
    has_weeks = answer.board.block_days is not None
    if answer.board.comparison is not None and has_weeks:
        pictures |= _weeks_picture(answer, folder)
    write_text(folder / PAGE, page(answer, forecast, USUAL, pictures, several, why))


def _forecast_picture(
    answer: Answer, windows: Mapping[str, Window], rows: pd.DataFrame, folder: Path
) -> dict[str, str]:
    from unroll.series import plot  # Matplotlib takes a second

    percent = f"{100 * USUAL:.0f} %"
    [window] = windows.values()
    figure = plot.forecast(
        window, rows, level=USUAL, title=f"{answer.name}, intervals of {percent}"
    )
    picture = plot.svg(figure, "forecast")
    write_text(folder / AHEAD, picture)
    caption = f"The picture has what was measured, and the forecast with its {percent} interval."
    return {caption: picture}


def _weeks_picture(answer: Answer, folder: Path) -> dict[str, str]:
    from unroll.series import plot

    board = answer.board
    sides = {
        name: title(board, answer.findings.titles, name)
        for name in (board.network, board.opponent)
        if name is not None
    }
    errors = mae_by_block(answer.forecasts, board)
    picture = plot.svg(plot.by_week(errors, sides, unit=board.unit), "weeks")
    write_text(folder / WEEKS, picture)
    caption = f"The picture has the error of both, in the {errors.index.name} that compare them."
    return {caption: picture}


def why_pictures(answer: Answer, windows: Mapping[str, Window]) -> dict[str, str]:
    """Return caption -> SVG of the contributions to the forecast of the first series.

    It is of the best model that has them; there is none if no model has.
    """
    from unroll.series import plot

    names = answer.explained
    first = next(iter(windows), None)
    if not names or first is None:
        return {}
    shown = title(answer.board, answer.findings.titles, names[0])
    rows = answer.why_after({first: windows[first]}, names[0])
    figure = plot.why(rows, title=f"{first or answer.name}, by {shown}")
    caption = (
        f"What each group of inputs adds to the forecast by {shown} of "
        f"{first or answer.name}. The lines sum up to the forecast."
    )
    return {caption: plot.svg(figure, "why")}


def menu(
    windows: Mapping[str, Window], rows: pd.DataFrame, level: float
) -> dict[str, str]:
    """Return name of a series -> SVG of its forecast, of the first `MOST_PICTURES`.

    Args:
        windows: name of a series -> its last rows.
        rows: the forecast, as `Answer.forecast` returns it.
        level: the coverage of the intervals that are drawn.
    """
    from unroll.series import plot

    of_series = dict(iter(rows.groupby("unique_id", sort=False)))
    pictures = {}
    for number, name in enumerate([*windows][:MOST_PICTURES]):
        own = of_series[name]
        figure = plot.forecast(windows[name], own, level=level, title=name, height=2.6)
        pictures[name] = plot.svg(figure, f"series-{number}")
    return pictures


def page(
    answer: Answer,
    forecast: pd.DataFrame | str,
    level: float,
    pictures: Mapping[str, str],
    several: Mapping[str, str],
    why: Mapping[str, str],
) -> str:
    """Return the HTML of an answer's page.

    Args:
        answer: the answer.
        forecast: the forecast, as `Answer.forecast` returns it, or what is not known
            beforehand.
        level: the coverage of the intervals that are shown.
        pictures: caption -> SVG.
        several: name of a series -> SVG of its forecast; empty for a single series.
        why: caption -> SVG of the contributions; empty if no model has them.
    """
    import jinja2
    from markupsafe import Markup

    def inline(svgs: Mapping[str, str]) -> dict[str, Markup]:
        return {
            caption: Markup(svg[svg.index("<svg") :])  # noqa: S704 - drawn by series.plot
            for caption, svg in svgs.items()
        }

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (FOLDER / "answer_page.css").read_text(encoding="utf-8")
    unit = answer.forecaster.fitted.windows.unit
    rows = None
    number = 0
    lacking = ""
    if isinstance(forecast, str):
        lacking = forecast
    else:
        rows = text_tables.forecast(forecast, level, unit)
        number = len(set(forecast["unique_id"]))
    text = environment.get_template("answer_page.html.j2").render(
        answer=answer,
        explained=text_tables.explained(answer.board),
        models=text_tables.models(
            answer.models, answer.board.unit, answer.board.objective
        ),
        forecast=rows,
        lacking=lacking,
        cure=CURE,
        pictures=inline(pictures),
        several=inline(several),
        why=inline(why),
        scores=text_tables.scores(answer.scores(), unit) if several else None,
        number=number,
        style=Markup(style),  # noqa: S704 - our own
    )
    return printable(f"{text}\n", kept="\n")


def has_forecast(answer: Answer) -> bool:
    """Return whether the folder of an answer has a forecast.

    It has none if a value that must be known beforehand is not.
    """
    return (answer.folder / FORECAST).is_file()
