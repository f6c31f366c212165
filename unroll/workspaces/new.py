"""The command `new`: a git repository with the four documents, without code."""

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

PROJECT = Path(__file__).with_name("project")
"""The folder of the templates."""

FILES = (
    "README.md",
    "requirements.txt",
    ".github/workflows/results.yml",
    "unroll_extensions/README.md",
)
"""The files of a project that are made from templates."""


def new(folder: Path) -> list[str]:
    """Make a new folder a git repository with the four documents, and return the names in it.

    Nothing is committed. The repository has the experiments, claims, sample data and
    results of the four documents.

    Raises:
        UsageError: the folder exists and is not empty.
        UnrollError: git is missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    packed = repository(CODE)
    _copy_documents(packed, folder)
    _write_templates(folder)
    write_text(
        folder / "constraints.txt",
        pins((packed / REQUIREMENTS).read_text(encoding="utf-8")),
    )
    return sorted(path.name for path in folder.iterdir() if path.name != ".git")


def _copy_documents(packed: Path, folder: Path) -> None:
    """Copy the four documents, with a dvc.yaml for a folder without the code."""
    for name in DOCUMENTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (packed / name).is_dir():
            shutil.copytree(packed / name, folder / name)
        else:
            shutil.copyfile(packed / name, folder / name)
    graph = (folder / "dvc.yaml").read_text(encoding="utf-8")
    write_text(folder / "dvc.yaml", without_code(graph))


def _write_templates(folder: Path) -> None:
    """Write the files that are made from templates."""
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - nothing here is HTML
        loader=jinja2.FileSystemLoader(PROJECT),
        keep_trailing_newline=True,
        trim_blocks=True,
        # braces would clash with those of GitHub's and DVC's YAML
        variable_start_string="[[",
        variable_end_string="]]",
    )
    about = {
        "name": folder.resolve().name,
        "requirement": _requirement(folder),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    for name in FILES:
        template = environment.get_template(f"{name.strip('.').replace('/', '_')}.j2")
        write_text(folder / name, template.render(about))


def without_code(graph: str) -> str:
    """Return the text of dvc.yaml for a folder without the code.

    Each stage depends on version.txt instead of the code.
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
