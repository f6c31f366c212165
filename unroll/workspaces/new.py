"""The command `new`: a git repository of one's own, for own series or with the four documents; it holds no code."""

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
from unroll.workspaces.make import OWN, own

ACTION = ".github/actions/report/action.yml"


def new(folder: Path, *, documents: bool) -> list[str]:
    """Make a new folder a git repository that Unroll builds in, of which nothing is committed yet; its files.

    `documents`: with the experiments, published figures, sample data and results of the four documents.

    Raises:
        UsageError: the folder is there and not empty.
        UnrollError: git is not there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    packed = repository(CODE)
    for name in DOCUMENTS if documents else (ACTION,):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (packed / name).is_dir() else shutil.copyfile)(packed / name, folder / name)
    if documents:
        graph = (folder / "dvc.yaml").read_text(encoding="utf-8")
        write_text(folder / "dvc.yaml", without_code(graph))
    python = ".".join(platform.python_version_tuple()[:2])
    about = {
        "name": folder.resolve().name,
        "documents": documents,
        "requirement": _requirement(folder),
        "python": python,
    }
    own(folder, (*OWN, "README.md", "requirements.txt", ".github/workflows/results.yml"), **about)
    write_text(folder / "constraints.txt", pins((packed / REQUIREMENTS).read_text(encoding="utf-8")))
    return sorted(path.name for path in folder.iterdir() if path.name != ".git")


def without_code(graph: str) -> str:
    """The text of dvc.yaml for a folder without the code: each stage depends on version.txt, which stands for it."""
    graph = re.sub(r"(?m)^ +- (pipeline|stages)(/.*)?\n", "", graph)
    return re.sub(r"(?m)^( +)deps:\n", r"\1deps:\n\1  - version.txt\n\1  - unroll_extensions\n", graph)


def _requirement(folder: Path) -> str:
    """What pip installs this Unroll by: the wheel that it is from, copied into the folder, or its address."""
    url = json.loads(metadata.distribution("unroll").read_text("direct_url.json") or "{}").get("url", "")
    wheel = Path(unquote(urlsplit(url).path))
    if not url.endswith(".whl") or (url.startswith("file:") and not wheel.is_file()):
        return f"unroll=={metadata.version('unroll')}"
    if not url.startswith("file:"):
        return f"unroll @ {url}"
    (folder / "wheels").mkdir()
    shutil.copy(wheel, folder / "wheels")
    return f"./wheels/{wheel.name}"
