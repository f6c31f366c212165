"""Workspaces: for the demo and for official.yaml, and clones; and the commands git and
DVC.
"""

import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import OFFICIAL, TEMPLATES, Params
from pipeline.config.registry import EXTENSIONS, make_folders
from pipeline.errors import UnrollError
from pipeline.files import remove, write_text
from pipeline.provenance.git import git, output_of
from pipeline.provenance.machine import CODE, NUMERICS, PACKAGES, PACKED
from pipeline.workspace import Workspace

COPIED = (
    "dvc.yaml",
    ".dvcignore",
    ".dvc/plots/curves.json",
    ".dvc/plots/scores.json",
    NUMERICS,
)
"""The files that are copied from a repository: the graph, and the lock file whose hash is
in every fingerprint."""

CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
"""Settings of DVC without git, for a folder that git ignores."""

WITH_GIT = CONFIG.replace("    no_scm = true\n", "")
"""Settings of DVC in a git repository."""

DVC_IGNORED = "/config.local\n/tmp\n/cache\n"
"""The text of .dvc/.gitignore."""

NO_PARAGRAPHS = "<!-- The paragraphs of the repository are about other runs. -->\n"
"""The text of docs/results.md. DVC warns of an empty file."""

DEMO = ".demo"
"""The demo's folder."""

OFFICIAL_PROJECT = ".official"
"""The folder in which the data sets of official.yaml are built."""

CHOSEN = {
    "shapes_seq2vec": "zero last_value linear tuned_kernel_ridge tuned_mlp rnn rnn2",
    "shapes_vec2seq": "zero linear tuned_kernel_ridge gru",
    "shapes_seq2seq": "zero last_value linear gru",
    "shapes_delayed": "zero last_value copy linear rnn rnn2",
    "waves": "last_value linear tuned_ridge rnn6 gru",
    "jena_sample": "last_value daily_cycle ridge boosting gru",
    "sine_windows": "zero last_value two_values dense lstm dense4",
    "sine_interpolation": "zero dense",
    "sine_extrapolation": "zero dense rnn rnn2 dense_rnn2 lstm2 gru2",
}
"""Data set -> its experiments that the demo trains. They take seconds each, with the
options of the whole build."""


OWN_CACHE = "[cache]\n    dir = cache\n"
"""Settings of DVC in a workspace that builds everything itself. A shared cache of the
user would replace a build."""

OF_DVC = {"config", "plots", ".gitignore"}
"""The files in .dvc that are written by hand. All others are caches and notes."""

STORES = (".unroll", "records", "runs", "data/raw", "data/prepared")
"""The folders of a workspace from which a build could take what it should make."""

COMPILED = {".pyc", ".pyo", ".so", ".pyd"}
"""The suffixes of compiled code. Python runs it in place of the source beside it."""


def chosen(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the `CHOSEN` experiments of `root`."""
    sections = choose(
        plain_yaml.read(root / "params.yaml"), params.load(root / "params.yaml")
    )
    for files in sections["files"].values():
        (folder / files["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / files["path"], folder / files["path"])
    return with_documents(root, folder, sections)


def choose(sections: Mapping[str, Any], config: Params) -> dict[str, Any]:
    """Return the sections of params.yaml with the `CHOSEN` experiments, one seed each.

    `config` is the parsed form of `sections`.
    """
    fewer = without(sections, sections["datasets"].keys() - CHOSEN.keys())
    for dataset, entries in fewer["experiments"].items():
        known = config.experiments_of(dataset)
        fewer["experiments"][dataset] = {
            name: {**entries[name], "seeds": known[name].seeds[:1]}
            for name in CHOSEN[dataset].split()
            if name in entries
        }
    return fewer


def without(sections: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    """Return the sections of params.yaml without these data sets.

    Their experiments, and the sources that no other data set uses, are removed, too.
    """

    def kept(section: str, names: Collection[str]) -> dict[str, Any]:
        found = sections.get(section, {})
        return {name: found[name] for name in found if name in names}

    datasets = kept("datasets", sections["datasets"].keys() - {*left_out})
    used = {dataset["source"] for dataset in datasets.values()}
    return {
        **sections,
        "sources": kept("sources", used),
        "files": kept("files", used),
        "datasets": datasets,
        "experiments": kept("experiments", datasets),
    }


def with_documents(root: Path, folder: Path, sections: Mapping[str, Any]) -> Workspace:
    """Make `folder` a DVC workspace with the dvc.yaml, the templates and the claims of
    `root`, and with these params.
    """
    copy_graph(root, folder)
    copy_code(folder)
    shutil.copyfile(root / TEMPLATES, folder / TEMPLATES)
    shutil.copyfile(root / "claims.yaml", folder / "claims.yaml")
    plain_yaml.write(sections, folder / "params.yaml")
    return Workspace(folder)


def copy_graph(root: Path, folder: Path) -> None:
    """Copy the graph of a repository, with settings of DVC without git."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    own = root / EXTENSIONS
    if own.exists():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(own, folder / EXTENSIONS, ignore=ignored, dirs_exist_ok=True)
    make_folders(folder)
    write_text(folder / TEMPLATES, "{}\n")
    write_text(folder / OFFICIAL, "{}\n")
    write_text(folder / ".dvc" / "config", CONFIG)
    write_text(Workspace(folder).paragraphs, NO_PARAGRAPHS)


def copy_code(folder: Path) -> None:
    """Replace the packages of the code in a folder by copies of this code.

    Links would not do: a commit of `dvc exp run` replaces a link by a folder that holds
    only the stages' dependencies, and `dvc exp apply` puts this folder in its place.
    """
    ignored = shutil.ignore_patterns("__pycache__", PACKED[-1])
    for name in PACKAGES:
        remove(folder / name)
        shutil.copytree(CODE / name, folder / name, ignore=ignored)


def last_commit(root: Path) -> str:
    """Return the hash of the last commit of the workspace at `root`.

    Raises:
        UnrollError: `root` is not the top of a repository, or git cannot read its last
            commit.
    """
    try:
        commit = git(root, "rev-parse", "HEAD").strip()
        inside = git(root, "rev-parse", "--show-prefix").strip()
    except UnrollError as error:
        raise UnrollError(
            f"git cannot read the last commit of {root} ({error})"
        ) from None
    if inside:
        raise UnrollError(
            f"{root} is not the top of its git repository, so it has no commit of its "
            "own; run this at the top, or run `git init` in the folder and commit it"
        )
    return commit


def clone(root: Path, folder: Path) -> None:
    """Clone the last commit of the repository at `root` into a new folder.

    The clone has a DVC cache of its own, and none of the commit's runs, stores, caches
    and compiled code. It shares the objects of the repository at `root`, into which git
    writes nothing.

    Raises:
        UnrollError: git refuses.
    """
    git(root, "clone", "--quiet", "--shared", ".", str(folder.resolve()))
    of_dvc = folder / ".dvc"
    if of_dvc.is_symlink():
        remove(of_dvc)
    for path in of_dvc.glob("*"):
        if path.name not in OF_DVC:
            remove(path)
    for name in STORES:
        remove_within(folder, name)
    for name in paths(git(folder, "ls-files", "-z")):
        if PurePosixPath(name).suffix in COMPILED:
            remove_within(folder, name)
    write_text(folder / ".dvc" / "config.local", OWN_CACHE)


def paths(output: str) -> list[str]:
    """Return the paths in an output of git's option `-z`."""
    return [path for path in output.split("\0") if path]


def remove_within(folder: Path, name: str) -> None:
    """Remove a path in a folder. Nothing outside of the folder is removed.

    If a part of the path is a link, the link is removed, since it may lead out.
    """
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        return
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            break
    remove(path)


def committed_params(workspace: Workspace) -> Params:
    """Return what params.yaml and official.yaml were in the last commit.

    Raises:
        UnrollError: git cannot read them, for example outside git.
    """
    names = [workspace.params.name, TEMPLATES, OFFICIAL]
    listed = git(workspace.root, "ls-tree", "--name-only", "HEAD", *names)
    with TemporaryDirectory() as folder:
        for name in listed.split():
            text = git(workspace.root, "show", f"HEAD:./{name}")
            write_text(Path(folder, name), text)
        return params.parse_all(Path(folder, workspace.params.name))


def dvc(root: Path, *arguments: str) -> str:
    """Return the output of DVC in the workspace at `root`.

    Raises:
        UnrollError: DVC fails; the message is DVC's own.
    """
    return output_of([sys.executable, "-P", "-m", "dvc", "--cd", str(root), *arguments])


def commit(root: Path, folder: Path, message: str) -> None:
    """Commit what has changed in the workspace `folder`, as a git repository of its own.

    DVC compares commits, and runs experiments from a commit.

    Raises:
        UnrollError: git is missing, or fails.
    """
    write_text(folder / ".dvc" / "config", WITH_GIT)
    write_text(folder / ".dvc" / ".gitignore", DVC_IGNORED)
    shutil.copyfile(root / ".gitignore", folder / ".gitignore")
    settings = "user.name=unroll", "user.email=unroll@localhost", "commit.gpgsign=false"
    author = [word for setting in settings for word in ("-c", setting)]
    try:
        git(folder, "init", "--quiet")
        git(folder, "add", "--all")
        words = ["commit", "--quiet", "--allow-empty", "-m", message]
        git(folder, *author, *words)
    except UnrollError as error:
        raise UnrollError(
            f"git cannot commit {folder.name}, which DVC's commands need ({error})"
        ) from None
