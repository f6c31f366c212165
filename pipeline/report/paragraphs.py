"""Why each answer is as it is: the paragraphs of docs/results.md, for the page. Nothing
slow is imported.
"""

import html
import re

from pipeline.workspace import Workspace

OF_A_DATASET = re.compile(
    r"<!-- end of (?P<dataset>\w+) -->\n(?P<text>.*?)(?=\n## |\Z)", re.DOTALL
)
"""What stands below the sentences that are made from results, up to the next heading.
"""

INLINE = {
    # in brackets nothing but a link, and the page links to nothing outside of it
    r" \(\[[^]]*\]\([^)]*\)\)": "",
    r"\[([^]]*)\]\([^)]*\)": r"\1",
    r"`([^`]*)`": r"<code>\1</code>",
    r"\*\*([^*]*)\*\*": r"<b>\1</b>",
}
"""Markdown in a line -> HTML."""


def read(workspace: Workspace) -> dict[str, str]:
    """Data set -> its paragraphs, as Markdown; none in a workspace without
    docs/results.md.
    """
    if not workspace.paragraphs.is_file():
        return {}
    parts = OF_A_DATASET.finditer(workspace.paragraphs.read_text(encoding="utf-8"))
    return {part["dataset"]: part["text"].strip() for part in parts}


def as_html(markdown: str) -> str:
    """Paragraphs, lists of points, code, bold words and the text of links; all else is
    escaped.
    """
    text = html.escape(markdown, quote=False)
    for pattern, replacement in INLINE.items():
        text = re.sub(pattern, replacement, text)
    return "".join(map(_block, text.split("\n\n")))


def _block(text: str) -> str:
    if not text.startswith("- "):
        return f"<p>{text}</p>"
    points = "".join(
        f"<li>{point}</li>" for point in text.removeprefix("- ").split("\n- ")
    )
    return f"<ul>{points}</ul>"
