"""The page of a series of one's own: the answer, every model, the forecast. One file without requests or scripts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def page(data: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The HTML.

    Args:
        data: as `unroll answer --json` prints it.
        pictures: caption -> SVG.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    style = Markup((FOLDER / "answer.css").read_text(encoding="utf-8"))  # noqa: S704 - our own
    drawn = {caption: Markup(svg[svg.index("<svg") :]) for caption, svg in pictures.items()}  # noqa: S704 - our own
    return environment.get_template("answer.html.j2").render(**data, pictures=drawn, style=style)
