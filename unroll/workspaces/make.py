"""The workspace of the demo."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import OFFICIAL, TEMPLATES, Params
from pipeline.config.registry import EXTENSIONS, make_folders
from pipeline.files import remove, write_text
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

COMPILED = shutil.ignore_patterns("__pycache__")
"""What is not copied with a user's own modules."""

DEMO = ".demo"
"""The demo's folder."""

OFFICIAL_PROJECT = ".official"
"""The folder in which the data sets of official.yaml are built."""

CHOSEN = {
    "shapes_seq2vec": "zero last_value linear tuned_kernel_ridge tuned_mlp rnn rnn2",
    "shapes_vec2seq": "zero linear tuned_kernel_ridge tuned_mlp gru",
    "shapes_seq2seq": "zero last_value linear gru",
    "shapes_delayed": "zero last_value copy linear rnn rnn2",
    "waves": "last_value linear tuned_ridge tuned_boosting tuned_kernel_ridge rnn6 "
    "rnn20 gru",
    "jena_sample": "last_value daily_cycle ridge boosting gru",
    "sine_windows": "zero last_value two_values dense lstm dense4",
    "sine_interpolation": "zero dense",
    "sine_extrapolation": "zero dense rnn rnn2 dense_rnn2 lstm2 gru2",
}
"""Data set -> its experiments that the demo trains. They take seconds each, with the
options of the whole build."""


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
    others = [name for name in sections["datasets"] if name not in CHOSEN]
    fewer = without(sections, others)
    datasets = {}
    experiments: dict[str, dict[str, Any]] = {}
    for dataset, names in CHOSEN.items():
        if dataset not in fewer["datasets"]:
            continue
        datasets[dataset] = fewer["datasets"][dataset]
        entries = fewer["experiments"][dataset]
        known = config.experiments_of(dataset)
        own = {}
        for name in names.split():
            if name in entries:
                own[name] = {**entries[name], "seeds": known[name].seeds[:1]}
        experiments[dataset] = own
    return {**fewer, "datasets": datasets, "experiments": experiments}


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
    """Make `folder` a DVC workspace with these params, and with the templates and the
    claims of `root`.
    """
    workspace = with_params(root, folder, sections)
    shutil.copyfile(root / TEMPLATES, folder / TEMPLATES)
    shutil.copyfile(root / "claims.yaml", workspace.claims)
    return workspace


def with_params(root: Path, folder: Path, sections: Mapping[str, Any]) -> Workspace:
    """Make `folder` a DVC workspace with the dvc.yaml of `root` and these params."""
    copy_graph(root, folder)
    copy_code(folder)
    plain_yaml.write(sections, folder / "params.yaml")
    return Workspace(folder)


def copy_graph(root: Path, folder: Path) -> None:
    """Copy the graph of a repository, with settings of DVC without git."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    own = root / EXTENSIONS
    if own.exists():
        shutil.copytree(own, folder / EXTENSIONS, ignore=COMPILED, dirs_exist_ok=True)
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
