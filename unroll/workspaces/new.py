"""The command `new`: a git repository of one's own, for own series or with the four
documents; it holds no code.
"""

import json
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import UsageError
from pipeline.files import write_text
from pipeline.provenance.machine import CODE, DOCUMENTS, REQUIREMENTS, pins, repository
from unroll.workspaces.checkout import git
from unroll.workspaces.make import DVC_IGNORED, WITH_GIT

PROJECT = Path(__file__).with_name("project")
"""The folder of the templates."""

FILES = (
    "params.yaml",
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
    "README.md",
    "requirements.txt",
    ".github/workflows/results.yml",
)
"""The files of a project that have templates."""

EXTENSIONS = "unroll_extensions/README.md"
"""A file of a project with the four documents, in the folder of the user's own models.
"""


def new(folder: Path, *, documents: bool) -> list[str]:
    """Make a new folder a git repository that Unroll builds in, and return its files.

    Nothing is committed yet. With `documents` it has the experiments, published
    figures, sample data and results of the four documents.

    Raises:
        UsageError: the folder is there and not empty.
        UnrollError: git is not there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    packed = repository(CODE)
    if documents:
        _copy_documents(packed, folder)
    _write_templates(folder, documents=documents)
    write_text(
        folder / "constraints.txt",
        pins((packed / REQUIREMENTS).read_text(encoding="utf-8")),
    )
    return sorted(path.name for path in folder.iterdir() if path.name != ".git")


def _copy_documents(packed: Path, folder: Path) -> None:
    """Copy the four documents, with a graph that does without the code."""
    for name in DOCUMENTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (packed / name).is_dir():
            shutil.copytree(packed / name, folder / name)
        else:
            shutil.copyfile(packed / name, folder / name)
    graph = (folder / "dvc.yaml").read_text(encoding="utf-8")
    write_text(folder / "dvc.yaml", without_code(graph))


def _write_templates(folder: Path, *, documents: bool) -> None:
    """Write the files of a project that have templates in project/; files that exist
    stay.
    """
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - nothing here is HTML
        loader=jinja2.FileSystemLoader(PROJECT),
        keep_trailing_newline=True,
        trim_blocks=True,
        # YAML of GitHub and of DVC has braces.
        variable_start_string="[[",
        variable_end_string="]]",
    )
    about = {
        "name": folder.resolve().name,
        "documents": documents,
        "requirement": _requirement(folder),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    texts = {".dvc/config": WITH_GIT, ".dvc/.gitignore": DVC_IGNORED}
    names = [*FILES, EXTENSIONS] if documents else FILES
    for name in names:
        template = environment.get_template(f"{name.strip('.').replace('/', '_')}.j2")
        texts[name] = template.render(about)
    for name, text in texts.items():
        if not (folder / name).exists():
            write_text(folder / name, text)


def without_code(graph: str) -> str:
    """Return the text of dvc.yaml for a folder without the code.

    Each stage depends on version.txt in its place.
    """
    graph = re.sub(r"(?m)^ +- (pipeline|series|stages|unroll)(/.*)?\n", "", graph)
    return re.sub(
        r"(?m)^( +)deps:\n",
        r"\1deps:\n\1  - version.txt\n\1  - unroll_extensions\n",
        graph,
    )


def _requirement(folder: Path) -> str:
    """Return the requirement by which pip installs this Unroll.

    It is a version, the address of a wheel, or a wheel that is copied into the folder.
    """
    noted = metadata.distribution("unroll").read_text("direct_url.json") or "{}"
    url = json.loads(noted).get("url", "")
    wheel = Path(unquote(urlsplit(url).path))
    if not url.endswith(".whl") or (url.startswith("file:") and not wheel.is_file()):
        return f"unroll=={metadata.version('unroll')}"
    if not url.startswith("file:"):
        return f"unroll @ {url}"
    (folder / "wheels").mkdir()
    shutil.copy(wheel, folder / "wheels")
    return f"./wheels/{wheel.name}"
