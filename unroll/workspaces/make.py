"""Workspaces: a part of the experiments (the demo), all of them scaled down, a miniature, and one of one's own."""

import json
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

CHOSEN = {
    "shapes_vec2seq": "tuned_gru zero linear tuned_kernel_ridge gru",  # first, since it takes longest
    "shapes_seq2vec": "zero last_value linear tuned_kernel_ridge rnn",
    "jena_sample": "last_value daily_cycle ridge boosting gru",
    "shapes_delayed": "zero last_value copy linear rnn",
    "waves": "last_value linear perceptron hidden10 node rnn6",
    "sine_windows": "zero last_value recurrence dense lstm dense4",
    "shapes_seq2seq": "zero last_value linear gru",
    "sine_interpolation": "zero dense",
    "sine_extrapolation": "zero dense rnn rnn2 dense_rnn2 lstm2 gru2",
}
"""Data set -> its experiments that the demo trains, in the order in which they begin.

Each has an opponent that is as good as the strongest or nearly so, so that no answer is one that all experiments take
back. Left out are other tuned networks and what costs more than it shows in two minutes (docs/attempts.md)."""

SEEDS = 3
"""The fewest that tell a difference from chance."""

EPOCHS = {"waves_perceptron": 10, "waves_hidden10": 10, "waves_node": 10, "waves_rnn6": 30}
"""Of 100 and 400: by hand as many as `unroll lab` takes, since document 003 says "a few" (docs/attempts.md). Published
figures are of the whole training, so the demo judges none by these, and answers nothing."""

SCALED_NOTE = "scaled.txt"
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
    *("weather_192", "weather_336", "weather_720"),
    *("jena", "jena_exact", "jena_720", "jena_hourly_exact", "jena_2009_2010_exact"),
)
"""Data sets that ask another one's question once more: of other rows, by another lookback, horizon or protocol.

On stand-ins that says nothing new."""

GENERATED = {
    "sine": {"points": 300, "test_points": 100},
    "waves": {"train": 700, "validation": 200, "test": 200},
    "sines": {"train": 200, "validation": 50, "test": 100},
}
"""Generators -> how much they generate. What they generate is the real thing: only downloads get a stand-in."""

MINIATURE_CLAIMS = """
- {document: "003", words: close to 0.02, experiment: waves_linear, metric: final.test.mse, value: "0.02", width: 2}
"""

OWN_PARAMS = """\
# Series of your own. `unroll answer FILE` adds one; every value that was found or proposed can be edited
# here, and the same command builds what the edit changes. `unroll show NAME` prints all options.
files: {}
datasets: {}
experiments: {}
forecasts: {}
"""

OWN_IGNORED = "/.unroll/\n/data/\n/forecasters/\n/resolved/\n/runs/\n/records/\n/mlflow.db*\n/mlruns/\n/mlartifacts/\n"


def own(root: Path) -> Workspace:
    """Make a folder a workspace for series of one's own alone, with a graph that DVC's documentation explains.

    What is there stays.
    """
    files = {
        "params.yaml": OWN_PARAMS,
        "dvc.yaml": Path(__file__).with_name("own.yaml").read_text(encoding="utf-8"),
        ".dvc/config": CONFIG,
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvcignore": "/.unroll\n/records\n.*.tmp\n",
        ".gitignore": OWN_IGNORED,
    }
    for name, text in files.items():
        if not (root / name).exists():
            write_text(root / name, text)
    return Workspace(root)


def miniature(root: Path, folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with the miniature, and with copies of the graph and the code of `root`.

    It has an experiment of each kind, on generated data, for `unroll verify --quick` and the tests.
    """
    _copy_graph(root, folder)
    for name in PACKAGES:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(Path(__file__).with_name("miniature.yaml"), folder / "params.yaml")
    write_text(folder / "claims.yaml", MINIATURE_CLAIMS)
    return Workspace(folder)


def chosen(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root`, and what is `CHOSEN` of its params.yaml."""
    sections = choose(plain_yaml.read(root / "params.yaml"))
    for files in sections["files"].values():
        (folder / files["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / files["path"], folder / files["path"])
    workspace = with_params(root, folder, sections)
    claims = [
        claim
        for claim in plain_yaml.read(root / "claims.yaml")
        if claim["metric"] == "parameters" or not EPOCHS.keys() & {claim["experiment"], claim.get("against")}
    ]
    write_text(workspace.claims, json.dumps(claims, indent=1))  # which is YAML, too
    shortened = {sections["experiments"][name]["dataset"] for name in EPOCHS}
    write_text(workspace.scratch / "short.txt", " ".join(sorted(shortened)))
    return workspace


def choose(sections: Mapping[str, Any]) -> dict[str, Any]:
    """What is `CHOSEN` of the sections of params.yaml, with few seeds; what they no longer have is left out."""
    sections = complete(sections)
    fewer = without(sections, [name for name in sections["datasets"] if name not in CHOSEN])
    datasets, experiments = fewer["datasets"], fewer["experiments"]
    names = [f"{dataset}_{name}" for dataset, listed in CHOSEN.items() for name in listed.split()]
    experiments = {name: _first_seeds(experiments[name], SEEDS) for name in names if name in experiments}
    for name in EPOCHS.keys() & experiments.keys():
        experiments[name]["training"] = {**experiments[name]["training"], "epochs": EPOCHS[name]}
    datasets = {name: _first_seeds(datasets[name], SEEDS) for name in CHOSEN if name in datasets}
    return {**fewer, "templates": {}, "datasets": datasets, "experiments": experiments}


def scaled(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and its params.yaml scaled down.

    `TWINS` are left out, and a network that is trained in several ways is trained in the first of them alone.
    """
    small = without(scale(plain_yaml.read(root / "params.yaml")), TWINS)
    workspace = with_params(root, folder, each_network_once(small))
    shutil.copyfile(root / "claims.yaml", workspace.claims)
    # The page says so, and gives no verdict on a published figure (pipeline/report/results.py).
    write_text(workspace.scratch / SCALED_NOTE, "Fewer rows, fewer epochs and one seed.\n")
    return workspace


def scale(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of params.yaml, made small.

    Downloads become stand-ins in the official format, and a split that is given in rows keeps its fraction of them.
    Windows, models and optimizers stay as they are. Every experiment stays, with its first seed and fewer epochs,
    but for those on a download that has no stand-in. Relative paths of a user's own files are meant from a folder one
    further down.
    """
    sections = complete(sections)
    stand_ins = {name: _stand_in(source) for name, source in sections["sources"].items()}
    gone = {
        name for name, source in sections["sources"].items() if source["kind"] == "download" and not stand_ins[name]
    }
    kept = without(sections, [name for name, section in sections["datasets"].items() if section["source"] in gone])
    sources, files = {}, {}
    for name, source in kept["sources"].items():
        if official := stand_ins[name]:
            sources[name] = {"kind": "stand_in", "of": official, "rows": ROWS[official][0]}
        else:
            sources[name] = {**source, **GENERATED.get(source["kind"], {})}
    for name, file in kept["files"].items():
        absolute = PurePosixPath(file["path"]).is_absolute()
        files[name] = {**file, "path": file["path"] if absolute else f"../{file['path']}"}
    datasets = {}
    for name, section in kept["datasets"].items():
        preparation = dict(section["preparation"])
        if official := stand_ins.get(section["source"]):
            rows, all_rows = ROWS[official]
            for split in ("train", "validation"):
                if isinstance(preparation.get(split), int):
                    preparation[split] = preparation[split] * rows // all_rows
        datasets[name] = _trained_briefly(section) | {"preparation": preparation}
    experiments = {name: _trained_briefly(section) for name, section in kept["experiments"].items()}
    return {"sources": sources, "files": files, "datasets": datasets, "experiments": experiments}


def each_network_once(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections without experiments that train by gradient descent what an earlier one of their data set trains.

    With another loss or more steps the same network compiles once more, which is what a small build consists of.
    Options that were chosen by trials on real rows, and fractions of these, say nothing on small ones, and go too.
    """
    experiments: dict[str, Any] = {}
    for name, section in sections["experiments"].items():
        network = section["dataset"], section["model"]
        again = network in [(other["dataset"], other["model"]) for other in experiments.values()]
        twin = again and section["training"]["method"] == "gradient_descent"
        if not (twin or section.get("trials") or section.get("share", 1) < 1):
            experiments[name] = section
    return {**sections, "experiments": experiments}


def without(sections: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    """The sections of params.yaml without some data sets, their experiments, and what only they are made from."""
    datasets = {name: section for name, section in sections["datasets"].items() if name not in left_out}
    used = {section["source"] for section in datasets.values()}
    experiments = sections["experiments"].items()
    return {
        **sections,
        "sources": {name: section for name, section in sections["sources"].items() if name in used},
        "files": {name: section for name, section in sections.get("files", {}).items() if name in used},
        "datasets": datasets,
        "experiments": {name: section for name, section in experiments if section["dataset"] in datasets},
    }


def with_params(root: Path, folder: Path, sections: Mapping[str, Any]) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and these sections of params.yaml."""
    _copy_graph(root, folder)
    for name in PACKAGES:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(root / name, target_is_directory=True)
    plain_yaml.write(sections, folder / "params.yaml")
    (Workspace(folder).scratch / SCALED_NOTE).unlink(missing_ok=True)
    return Workspace(folder)


def _copy_graph(root: Path, folder: Path) -> None:
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    write_text(folder / ".dvc" / "config", CONFIG)


def _stand_in(source: Mapping[str, Any]) -> str | None:
    if source["kind"] == "download":
        return next((OFFICIAL[file] for file in source.get("files", ()) if file in OFFICIAL), None)
    return source["kind"] if source["kind"] in ROWS else None


def _first_seeds(section: Mapping[str, Any], most: int) -> dict[str, Any]:
    """An experiment, or a data set that says how its experiments are trained, with its first seeds."""
    few = dict(section)
    if "seeds" in few:
        few["seeds"] = few["seeds"][:most] if isinstance(few["seeds"], list) else min(few["seeds"], most)
    return few


def _trained_briefly(section: Mapping[str, Any]) -> dict[str, Any]:
    """The same with one seed and fewer epochs."""
    brief = _first_seeds(section, 1)
    if "training" in brief:
        brief["training"] = training = dict(brief["training"])
        for option, (divisor, fewest) in SHORTER.items():
            if training.get(option):
                training[option] = min(training[option], max(fewest, training[option] // divisor))
    return brief
