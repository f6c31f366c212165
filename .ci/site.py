"""What MkDocs calls (.ci/mkdocs.yml): notebooks are run, and shown with what they print and draw."""

import base64
import inspect
import re
from pathlib import Path
from typing import Any

import jupytext
from mkdocs.structure.files import File
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from traitlets.config import Config

from unroll.project import Project

ROOT = Path(__file__).resolve().parents[1]

SOCKETS = Config({"AsyncKernelManager": {"transport": "ipc"}})
"""A kernel that only this user reaches."""


QUESTION = re.compile(r"^## (.+)\n\n<!-- (\w+): .*\n((?:.*\n)*?)(?=^## |\Z)", re.MULTILINE)
"""A section of docs/results.md: its heading, the data set's name, what it says."""

BOOST = {"index.md": 4, "your-own-series.md": 4, "notebooks": 2, "results.md": 0.5, "decisions": 0.25, "CHANGELOG.md": 0.25}
"""How much a page, or a folder's pages, count in a search: getting started before decision notes."""


def on_config(config: Any) -> None:
    """A page for each question, after the start."""
    questions = QUESTION.findall((ROOT / "docs" / "results.md").read_text(encoding="utf-8"))
    pages = [{heading: f"questions/{name}.md"} for heading, name, _ in questions]
    config.nav.insert(1, {"Answers": [{"All": "results.md"}, *pages]})


def on_files(files: Any, config: Any) -> None:
    """The pages of the questions, from the sections of docs/results.md."""
    for heading, name, text in QUESTION.findall((ROOT / "docs" / "results.md").read_text(encoding="utf-8")):
        linked = re.sub(r"\]\((?=\w+[/.])", "](../", text)
        files.append(File.generated(config, f"questions/{name}.md", content=f"# {heading}\n\n{linked}"))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page as it is, or as a notebook that was run; links to files that are no page become plain text."""
    path = Path(page.file.src_uri)
    page.meta["search"] = {"boost": BOOST.get(path.parts[0], 1)}
    if path.parent.name == "notebooks":
        markdown = _run(ROOT / "docs" / path)
    if path.name == "python.md":
        markdown += _reference()
    outside = "../" * len(path.parents)
    return re.sub(rf"\[([^\]]+)\]\({re.escape(outside)}[^)]*\)", r"\1", markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Add the page of results, with a way back."""
    results = (ROOT / "results" / "index.html").read_text(encoding="utf-8")
    linked = re.sub(r"(<body[^>]*>)", r'\1<p><a href="index.html">Unroll: docs</a></p>', results, count=1)
    (Path(config["site_dir"]) / "results.html").write_text(linked, encoding="utf-8")


def _run(source: Path) -> str:
    notebook = jupytext.read(source)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(ROOT)}}, config=SOCKETS).execute()
    markdown, resources = MarkdownExporter().from_notebook_node(notebook)
    for name, picture in resources["outputs"].items():
        markdown = markdown.replace(f"({name})", f"(data:image/png;base64,{base64.b64encode(picture).decode()})")
    return str(markdown)


def _reference() -> str:
    """A section for each method of `Project`: its signature, what it gives, its example."""
    text = ""
    for name, method in vars(Project).items():
        if callable(method) and not name.startswith("_"):
            words, _, example = str(inspect.getdoc(method)).partition(">>> ")
            signature = f"{name}{inspect.signature(method)}".replace("(self, ", "(").replace("(self)", "()")
            text += f"\n## {name}\n\n{words}\n```pycon\n>>> {example}\n```\n\nSignature: `{signature}`\n"
    return text
