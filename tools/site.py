"""Hooks of MkDocs (mkdocs.yml), which run the notebooks and add pages."""

import base64
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

ROOT = Path(__file__).resolve().parents[1]

REPOSITORY = os.environ.get("GITHUB_REPOSITORY", "")
"""OWNER/NAME if GitHub builds the site (.github/workflows/pages.yml), else ""."""

COLAB = "https://colab.research.google.com/github/{}/blob/notebooks/{}"
"""The address of a notebook in Colab, from a repository's name and a path in the branch
`notebooks`, which pages.yml fills."""


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each notebook."""
    for path in sorted((ROOT / "docs/notebooks").rglob("*.ipynb")):
        page = path.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        files.append(File.generated(config, page, content=path.stem))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page; for a notebook, run it and return it with its outputs.

    Links to files that are not pages become plain text.
    """
    path = Path(page.file.src_uri)
    notebook = path.with_suffix(".ipynb")
    if (ROOT / "docs" / notebook).exists():
        links = f"[Download]({notebook.name})"
        if REPOSITORY:
            lesson = notebook.relative_to("notebooks").as_posix()
            links += f" · [Open in Colab]({COLAB.format(REPOSITORY, lesson)})"
        title, _, rest = _run(ROOT / "docs" / notebook).partition("\n")
        markdown = f"{title}\n\n{links}\n{_to_pages(rest)}"
    else:
        markdown = _to_pages(markdown)
    outside = "../" * len(path.parents)
    return re.sub(rf"\[([^\]]+)\]\({re.escape(outside)}[^)]*\)", r"\1", markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Add the page of results, and write the repository's name into the notebooks."""
    site = Path(config["site_dir"])
    if REPOSITORY:
        for notebook in (site / "notebooks").rglob("*.ipynb"):
            text = notebook.read_text(encoding="utf-8")
            text = text.replace("OWNER/NAME", REPOSITORY)
            notebook.write_text(text, encoding="utf-8")
    results = (ROOT / "results" / "index.html").read_text(encoding="utf-8")
    back = r'\1<p><a href="index.html">Unroll: docs</a></p>'
    (site / "results.html").write_text(
        re.sub(r"(<body[^>]*>)", back, results, count=1), encoding="utf-8"
    )


def _to_pages(markdown: str) -> str:
    """Replace links to notebooks by links to the pages that show them."""
    return markdown.replace(".ipynb)", ".md)")


def _run(source: Path) -> str:
    notebook = nbformat.read(source, as_version=4)
    folder = {"metadata": {"path": str(source.parent)}}
    # sockets in a private folder: other users cannot reach the kernel
    with tempfile.TemporaryDirectory() as sockets:
        kernel = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        NotebookClient(
            notebook,
            resources=folder,
            config=Config({"AsyncKernelManager": kernel}),
            timeout=300,
            startup_timeout=300,
        ).execute()
    # stderr is left out: it has what TensorFlow logs at its start
    for cell in notebook.cells:
        cell["outputs"] = [
            output
            for output in cell.get("outputs", [])
            if output.get("name") != "stderr"
        ]
    markdown, resources = MarkdownExporter().from_notebook_node(notebook)
    for name, picture in resources["outputs"].items():
        data = base64.b64encode(picture).decode()
        markdown = markdown.replace(f"({name})", f"(data:image/png;base64,{data})")
    return str(markdown)
