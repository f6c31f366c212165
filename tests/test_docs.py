"""Links and paths in pages and comments lead to files that exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from unroll.commands.main import app

ROOT = Path(__file__).resolve().parents[1]
INDEX = ROOT / "docs" / "decisions" / "README.md"
VERDICTS = INDEX.with_name("verdicts.md")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").rglob("*.ipynb"))
ROOMS = ("pipeline", "stages", "unroll", "bench")
SOURCES = [
    *(path for room in ROOMS for path in (ROOT / room).rglob("*.[pj]*[y2]")),
    *sorted(path for path in (ROOT / "tools").iterdir() if path.is_file()),
    *sorted((ROOT / ".github").rglob("*.[my]*")),
    *(
        ROOT / name
        for name in (
            "Makefile",
            "dvc.yaml",
            "params.yaml",
            "claims.yaml",
            "pyproject.toml",
        )
    ),
]

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    rf"(?<![\w/.-])(?:docs/[\w/-]+\.\w+|(?:{'|'.join(ROOMS)}|tests)/[\w/-]+\.py)\b"
)


def links(page):
    """The files of this repository that a page links to."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    return [
        (page.parent / target.partition("#")[0]).resolve()
        for target in targets
        if not re.match(r"\w+:|#", target)
    ]


def named(file):
    """The files of this repository that a text names."""
    return [ROOT / path for path in PATH.findall(file.read_text(encoding="utf-8"))]


def test_every_link_of_a_page_and_every_path_that_a_page_or_a_source_names_leads_to_a_file():
    targets = [
        (file, target) for file in (*PAGES, *NOTEBOOKS) for target in links(file)
    ]
    targets += [(file, target) for file in (*PAGES, *SOURCES) for target in named(file)]
    assert [(file, target) for file, target in targets if not target.exists()] == []


def test_every_decision_is_linked_from_another_page():
    linked = {link for page in PAGES for link in links(page) if link != page}
    assert {*INDEX.parent.glob("*.md")} - linked <= {INDEX}


def test_the_site_leads_to_every_page_of_the_docs():
    pages = re.findall(
        r": ([\w/-]+\.md)$",
        (ROOT / "mkdocs.yml").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    docs = ROOT / "docs"
    # made by tools/site.py
    lessons = {
        notebook.with_suffix(".md") for notebook in docs.glob("notebooks/*.ipynb")
    }
    assert {docs / page for page in pages} == {
        *docs.glob("*.md"),
        *lessons,
        INDEX,
        VERDICTS,
    }


SHOWN = re.compile(r"(?:^|`)unroll ([a-z]+)([^`#\n]*)", re.MULTILINE)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.stem != "CHANGELOG"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_command_that_a_page_shows_exists_with_its_options(page):
    commands = get_command(app).commands
    for name, rest in SHOWN.findall(page.read_text(encoding="utf-8")):
        assert name in commands, f"unroll {name}"
        # a group, whose options are those of its own commands
        if hasattr(commands[name], "commands"):
            continue
        known = {
            option
            for parameter in commands[name].params
            for option in parameter.opts + parameter.secondary_opts
        }
        assert {*re.findall(r"(?<!\S)--[a-z][\w-]*", rest)} <= known | {"--help"}, (
            f"unroll {name}{rest}"
        )


def test_the_pages_drawing_is_that_of_the_docs():
    drawing = (ROOT / "docs/unrolled.svg").read_bytes()
    assert (ROOT / "pipeline/report/unrolled.svg").read_bytes() == drawing
