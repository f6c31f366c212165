"""The command `new`: a git repository of one's own, for own series or with the four documents; it holds no code."""

import shutil
from importlib import metadata
from pathlib import Path

import jinja2

from pipeline.errors import UsageError
from pipeline.files import write_text
from pipeline.provenance.machine import CODE, DOCUMENTS, repository
from unroll.workspaces.checkout import git
from unroll.workspaces.make import CONFIG, WITH_CODE, own

LOCK = ".ci/locks/requirements.lock"
ACTION = ".github/actions/report/action.yml"
TEMPLATES = {
    "README.md": "new_readme.md.j2",
    "requirements.txt": "new_requirements.txt.j2",
    ".github/workflows/results.yml": "new_workflow.yaml",
}
"""File of a new project -> the template that it is made from."""


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
        write_text(folder / "dvc.yaml", graph.replace(WITH_CODE, "always_changed: true"))
    else:
        write_text(folder / ".dvc" / "config", CONFIG.replace("    no_scm = true\n", ""))
    own(folder)  # files that exist stay
    about = {"name": folder.resolve().name, "version": metadata.version("unroll"), "documents": documents}
    environment = jinja2.Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - no HTML
    for name, template in TEMPLATES.items():
        text = Path(__file__).with_name(template).read_text(encoding="utf-8")
        plain = text if template.endswith(".yaml") else environment.from_string(text).render(about)
        write_text(folder / name, plain)
    pins = [line.removesuffix("\\").rstrip() for line in (packed / LOCK).read_text(encoding="utf-8").splitlines()]
    write_text(folder / "constraints.txt", "".join(f"{pin}\n" for pin in pins if pin and pin[0] not in " #"))
    return sorted(path.name for path in folder.iterdir() if path.name != ".git")
