"""The page of an answer: one file, without scripts and requests."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import printable
from series import table

if TYPE_CHECKING:
    import pandas as pd

    from series.answer import Answer

FOLDER = Path(__file__).parent


def page(
    answer: "Answer",
    forecast: "pd.DataFrame",
    level: float,
    pictures: Mapping[str, str],
) -> str:
    """Return the HTML of an answer's page.

    Args:
        answer: what was found out.
        forecast: what comes next, as `Answer.forecast` returns it.
        level: whose intervals are shown.
        pictures: caption -> SVG.
    """
    import jinja2
    from markupsafe import Markup

    inline = {}
    for caption, svg in pictures.items():
        inline[caption] = Markup(svg[svg.index("<svg") :])  # noqa: S704 - drawn by series.plot
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (FOLDER / "answer.css").read_text(encoding="utf-8")
    text = environment.get_template("answer.html.j2").render(
        answer=answer,
        models=table.models(answer.models, answer.board.unit),
        champions=answer.models["forecasts"].tolist(),
        forecast=table.forecast(
            forecast, level, answer.forecaster.spec.fitted.windows.unit
        ),
        pictures=inline,
        style=Markup(style),  # noqa: S704 - our own
    )
    return printable(f"{text}\n", kept="\n")
