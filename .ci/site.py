"""What MkDocs calls (.ci/mkdocs.yml): notebooks are run, and shown with what they print
and draw.
"""

import base64
import inspect
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from traitlets.config import Config

from unroll.project import Project

ROOT = Path(__file__).resolve().parents[1]

REPOSITORY = os.environ.get("GITHUB_REPOSITORY", "")
"""OWNER/NAME, where GitHub builds the site (.github/workflows/pages.yml): the project
names no address of its own."""

COLAB = "https://colab.research.google.com/github/{}/blob/notebooks/{}"
"""Opens a file of the branch that pages.yml fills with the notebooks of the site."""

QUESTION = re.compile(
    r"^## (.+)\n\n<!-- (\w+): .*\n((?:.*\n)*?)(?=^## |\Z)", re.MULTILINE
)
"""A section of docs/results.md: its heading, the data set's name, what it says."""

BOOST = {
    "index.md": 4,
    "your-own-series.md": 4,
    "notebooks": 3,
    "solutions": 0.25,
    "results.md": 0.5,
    "decisions": 0.25,
    "CHANGELOG.md": 0.25,
}
"""How much a page, or a folder's pages, count in a search: getting started before
decision notes."""


def on_config(config: Any) -> None:
    """A page for each question, among the answers."""
    answers = next(tab["Answers"] for tab in config.nav if "Answers" in tab)
    answers += [{heading: f"questions/{name}.md"} for heading, name, _ in _questions()]


def on_files(files: Files, config: Any) -> Files:
    """A page for each question, and one for each notebook; the notebook itself is there
    to be downloaded.
    """
    for heading, name, text in _questions():
        linked = re.sub(r"\]\((?=\w+[/.])", "](../", text).replace("\n**", "\n\n**")
        pictures = f'<a href="../../results.html#{name}">Its pictures, tables and published figures</a>'
        files.append(
            File.generated(
                config,
                f"questions/{name}.md",
                content=f"# {heading}\n\n{linked}\n{pictures}\n",
            )
        )
    for path in sorted((ROOT / "docs/notebooks").rglob("*.ipynb")):
        page = path.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        files.append(File.generated(config, page, content=path.stem))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page as it is, or as a notebook that was run; links to files that are no page
    become plain text.
    """
    path = Path(page.file.src_uri)
    page.meta["search"] = {
        "boost": next((BOOST[part] for part in path.parts[::-1] if part in BOOST), 1)
    }
    notebook = path.with_suffix(".ipynb")
    if (ROOT / "docs" / notebook).exists():
        links = f"[Download]({notebook.name})"
        if REPOSITORY:
            links += f" · [Open in Colab]({COLAB.format(REPOSITORY, notebook.relative_to('notebooks').as_posix())})"
        title, _, rest = _run(ROOT / "docs" / notebook).partition("\n")
        markdown = f"{title}\n\n{links}\n{_to_pages(rest)}"
    else:
        markdown = _to_pages(markdown)
    if path.name == "python.md":
        markdown += _reference()
    outside = "../" * len(path.parents)
    return re.sub(rf"\[([^\]]+)\]\({re.escape(outside)}[^)]*\)", r"\1", markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Add the page of results, with a way back; tell notebooks to be downloaded where
    Colab finds the repository.
    """
    for notebook in (
        Path(config["site_dir"], "notebooks").rglob("*.ipynb") if REPOSITORY else ()
    ):
        text = notebook.read_text(encoding="utf-8").replace("OWNER/NAME", REPOSITORY)
        notebook.write_text(text, encoding="utf-8")
    results = (ROOT / "results" / "index.html").read_text(encoding="utf-8")
    linked = re.sub(
        r"(<body[^>]*>)",
        r'\1<p><a href="index.html">Unroll: docs</a></p>',
        results,
        count=1,
    )
    (Path(config["site_dir"]) / "results.html").write_text(linked, encoding="utf-8")


def _questions() -> list[tuple[str, str, str]]:
    """Heading, data set and text of each section of docs/results.md."""
    return QUESTION.findall((ROOT / "docs" / "results.md").read_text(encoding="utf-8"))


def _to_pages(markdown: str) -> str:
    """Links to notebooks lead to the pages that show them."""
    return markdown.replace(".ipynb)", ".md)")


def _run(source: Path) -> str:
    notebook = nbformat.read(source, as_version=4)
    folder = {"metadata": {"path": str(source.parent)}}
    # a kernel that only this user reaches
    with tempfile.TemporaryDirectory() as sockets:
        config = Config(
            {"AsyncKernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}
        )
        NotebookClient(
            notebook, timeout=300, startup_timeout=300, resources=folder, config=config
        ).execute()
    # what TensorFlow logs at its start is of no use to a reader
    for cell in notebook.cells:
        cell["outputs"] = [
            output
            for output in cell.get("outputs", [])
            if output.get("name") != "stderr"
        ]
    markdown, resources = MarkdownExporter().from_notebook_node(notebook)
    for name, picture in resources["outputs"].items():
        markdown = markdown.replace(
            f"({name})", f"(data:image/png;base64,{base64.b64encode(picture).decode()})"
        )
    return str(markdown)


def _reference() -> str:
    """A section for each method of `Project`: its signature, what it gives, its
    example.
    """
    text = ""
    for name, method in vars(Project).items():
        if callable(method) and not name.startswith("_"):
            words, _, example = str(inspect.getdoc(method)).partition(">>> ")
            signature = f"{name}{inspect.signature(method)}".replace(
                "(self, ", "("
            ).replace("(self)", "()")
            text += f"\n## {name}\n\n{words}\n```pycon\n>>> {example}\n```\n\nSignature: `{signature}`\n"
    return text
