"""A workspace with the whole graph made small: every experiment, on little generated data, for a few epochs."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config import plain_yaml
from pipeline.config.params import complete
from pipeline.files import write_text
from pipeline.provenance.machine import PACKAGES
from pipeline.workspace import Workspace

COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots/curves.json", ".dvc/plots/scores.json", ".ci/locks/numerics.lock")
"""The graph, and what the code is run with."""

CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
"""DVC without git, for a folder that git ignores."""

NOTE = "scaled.txt"
"""The scratch file that says what was scaled down."""

SHORTER = {"epochs": (10, 3), "steps_per_epoch": (25, 10)}
"""Option of a training -> what it is divided by, and what it is never below, unless it was."""

ROWS = {
    "imdb": (1000, 25_000),
    "jena": (12_000, 420_551),
    "jena_2009_2010": (12_000, 106_727),
    "jena_hourly": (4000, 70_038),
    "weather": (6000, 52_696),
}
"""What can be stood in for -> the rows of the stand-in and of the official file (reviews in each half, for imdb).

Enough for every window that params.yaml asks for, with windows to spare on both sides of the clock's gap.
"""

OFFICIAL = {"imdb.npz": "imdb", "weather.csv": "weather"}
"""A file that a download brings -> its stand-in."""

TWINS = (
    "weather_192",
    "weather_336",
    "weather_720",
    "jena",
    "jena_exact",
    "jena_720",
    "jena_hourly_exact",
    "jena_2009_2010_exact",
)
"""Data sets that ask another one's question once more: of other rows, by another lookback, horizon or protocol.

On stand-ins that says nothing new."""

GENERATED = {
    "sine": {"points": 300, "test_points": 100},
    "waves": {"train": 700, "validation": 200, "test": 200},
    "sines": {"train": 200, "validation": 50, "test": 100},
}
"""Generators -> how much they generate. What they generate is the real thing: only downloads get a stand-in."""


def make_workspace(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and its params.yaml scaled down.

    `TWINS` are left out, and a network that is trained in several ways is trained in the first of them alone.
    """
    small = without(scale(plain_yaml.read(root / "params.yaml")), TWINS)
    made = lay_out(root, folder, each_network_once(small))
    shutil.copyfile(root / "claims.yaml", folder / "claims.yaml")
    # The page says so, and gives no verdict on a published figure (pipeline/report/results.py).
    write_text(made.scratch / NOTE, "Fewer rows, fewer epochs and one seed.\n")
    return made


def lay_out(root: Path, folder: Path, sections: Mapping[str, Any]) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and this params.yaml."""
    copy_graph(root, folder)
    for name in PACKAGES:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(root / name, target_is_directory=True)
    plain_yaml.write(sections, folder / "params.yaml")
    (Workspace(folder).scratch / NOTE).unlink(missing_ok=True)
    return Workspace(folder)


def copy_graph(root: Path, folder: Path) -> None:
    """Make `folder` a DVC workspace with the graph of `root`, but without code and params.yaml."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    write_text(folder / ".dvc" / "config", CONFIG)


def scale(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of params.yaml, made small.

    Downloads become stand-ins in the official format, and a split that is given in rows keeps its share of them.
    Windows, models and optimizers stay as they are. Every experiment stays, with its first seed and fewer epochs,
    but for those on a download that has no stand-in. Relative paths of a user's own files are meant from a folder one
    further down.
    """
    whole = complete(whole)
    gone = {name for name, one in whole["sources"].items() if one["kind"] == "download" and _stands_in(one) is None}
    kept = without(whole, [name for name, section in whole["datasets"].items() if section["source"] in gone])
    sources = {name: _source(section) for name, section in kept["sources"].items()}
    files = {name: _one_further_down(section) for name, section in kept["files"].items()}
    datasets = {name: _dataset(one, sources.get(one["source"], {})) for name, one in kept["datasets"].items()}
    experiments = {name: _trained_briefly(section) for name, section in kept["experiments"].items()}
    return {"sources": sources, "files": files, "datasets": datasets, "experiments": experiments}


def without(whole: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    """The sections of params.yaml without some data sets, their experiments, and what only they are made from."""
    datasets = {name: section for name, section in whole["datasets"].items() if name not in left_out}
    used = {section["source"] for section in datasets.values()}
    return {
        **whole,
        "sources": {name: section for name, section in whole["sources"].items() if name in used},
        "files": {name: section for name, section in whole.get("files", {}).items() if name in used},
        "datasets": datasets,
        "experiments": {name: one for name, one in whole["experiments"].items() if one["dataset"] in datasets},
    }


def few_seeds(section: Mapping[str, Any], most: int) -> dict[str, Any]:
    """An experiment, or a data set that says how its experiments are trained, with its first seeds."""
    few = dict(section)
    if "seeds" in few:
        few["seeds"] = few["seeds"][:most] if isinstance(few["seeds"], list) else min(few["seeds"], most)
    return few


def each_network_once(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The sections without experiments that train by gradient descent what an earlier one of their data set trains.

    With another loss or more steps the same network compiles once more, which is what a small build consists of.
    Options that were chosen by trials on real rows, and shares of them, say nothing on small ones, and go too.
    """
    kept: dict[str, Any] = {}
    for name, one in whole["experiments"].items():
        twins = [
            other for other in kept.values() if (other["dataset"], other["model"]) == (one["dataset"], one["model"])
        ]
        again = twins and one["training"]["method"] == "gradient_descent"
        if not (again or one.get("trials") or one.get("share", 1) < 1):
            kept[name] = one
    return {**whole, "experiments": kept}


def _stands_in(section: Mapping[str, Any]) -> str | None:
    if section["kind"] == "download":
        return next((OFFICIAL[file] for file in section.get("files", ()) if file in OFFICIAL), None)
    return section["kind"] if section["kind"] in ROWS else None


def _source(section: Mapping[str, Any]) -> dict[str, Any]:
    official = _stands_in(section)
    if official:
        return {"kind": "stand_in", "of": official, "rows": ROWS[official][0]}
    return dict(section) | GENERATED.get(section["kind"], {})


def _one_further_down(files: Mapping[str, Any]) -> dict[str, Any]:
    path = files["path"]
    return {**files, "path": path if PurePosixPath(path).is_absolute() else f"../{path}"}


def _dataset(section: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    preparation = dict(section["preparation"])
    if source.get("kind") == "stand_in":
        rows, official = ROWS[source["of"]]
        for split in ("train", "validation"):
            if isinstance(preparation.get(split), int):
                preparation[split] = preparation[split] * rows // official
    return _trained_briefly(section) | {"preparation": preparation}


def _trained_briefly(section: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment, or a data set that says how its experiments are trained, with one seed and fewer epochs."""
    scaled = few_seeds(section, 1)
    if "training" in scaled:
        scaled["training"] = training = dict(scaled["training"])
        for option in SHORTER.keys() & training.keys():
            divisor, fewest = SHORTER[option]
            training[option] = min(training[option], max(fewest, training[option] // divisor))
    return scaled
