"""Makes workspaces: the demo (`chosen`), `scaled`, the `miniature` of the tests, and `own` for a user's series."""

import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config import plain_yaml
from pipeline.config.params import complete
from pipeline.files import write_text
from pipeline.provenance.machine import CODE, NUMERICS, PACKAGES, PACKED, repository
from pipeline.workspace import Workspace

COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots/curves.json", ".dvc/plots/scores.json", NUMERICS)
"""Copied from the repository: the graph, and the lock file whose hash is in every fingerprint."""

CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
"""DVC without git, for a folder that git ignores."""

WITH_GIT = CONFIG.replace("    no_scm = true\n", "")
DVC_IGNORED = "/config.local\n/tmp\n/cache\n"
PROJECT = Path(__file__).with_name("project")

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

Each data set has an opponent about as good as the strongest, so that the demo's answers are those of all experiments.
Other tuned networks and all that does not fit into two minutes are left out (docs/attempts.md)."""

SEEDS = 3
"""The fewest that the evaluation compares by (`pipeline.evaluation.scores.MIN_SEEDS`)."""

EPOCHS = {"waves_perceptron": 10, "waves_hidden10": 10, "waves_node": 10, "waves_rnn6": 30}
"""Experiment -> its epochs in the demo, instead of 100 or 400; of those by hand as many as `unroll lab` has
(docs/attempts.md). Such a short training says nothing about a published figure, so the demo gives no verdict on it."""

SCALED_NOTE = "scaled.txt"
"""The scratch file that tells the report that the workspace is scaled down."""

SHORTER = {"epochs": (10, 3), "steps_per_epoch": (25, 10)}
"""Option of a training -> its divisor, and the least value that it is reduced to."""

ROWS = {
    "imdb": (1000, 25_000),
    "jena": (12_000, 420_551),
    "jena_2009_2010": (12_000, 106_727),
    "jena_hourly": (4000, 70_038),
    "weather": (6000, 52_696),
}
"""Official data -> the rows of its stand-in and of the official file (for imdb, reviews in each half).

Enough for the windows of every data set in params.yaml, on both sides of the gap in Jena's timestamps.
"""

OFFICIAL = {"imdb.npz": "imdb", "weather.csv": "weather"}
"""A downloaded file -> its key in `ROWS`."""

TWINS = (
    *("weather_192", "weather_336", "weather_720"),
    *("jena", "jena_exact", "jena_720", "jena_hourly_exact", "jena_2009_2010_exact"),
    *("jena_chapter", "jena_hourly_chapter"),
)
"""Variants of other data sets, by rows, lookback, horizon or protocol, which make no difference on stand-ins."""

GENERATED = {
    "sine": {"points": 300, "test_points": 100},
    "waves": {"train": 700, "validation": 200, "test": 200},
    "sines": {"train": 200, "validation": 50, "test": 100},
}
"""Generator -> how many examples it generates in a scaled workspace, where downloads have a stand-in instead."""

MINIATURE_CLAIMS = """
- {document: "003", words: close to 0.02, experiment: waves_linear, metric: final.test.mse, value: "0.02", width: 2}
"""

OWN = ("params.yaml", "dvc.yaml", ".dvcignore", ".gitignore")
"""Files of a workspace for own series, whose templates lie in project/."""

WITH_CODE = "deps: [.ci/locks/numerics.lock, params.yaml, pipeline, stages]"
"""Of the stage `resolve` in the documents' dvc.yaml, whose repository holds the code that builds it."""


def own(root: Path, files: Collection[str] = OWN, **about: Any) -> Workspace:
    """Make a folder a workspace for a user's own series, with an ordinary dvc.yaml; files that exist stay.

    `files` have templates, which ask what they are `about`: `requirement`, where the folder is a git repository.
    """
    import jinja2

    brackets = {"variable_start_string": "[[", "variable_end_string": "]]"}  # YAML of GitHub and of DVC has braces
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(PROJECT), keep_trailing_newline=True, **brackets)  # type: ignore[arg-type] # noqa: S701
    texts = {".dvc/config": WITH_GIT if about else CONFIG, ".dvc/.gitignore": DVC_IGNORED}
    for name in files:
        texts[name] = templates.get_template(f"{name.strip('.').replace('/', '_')}.j2").render(about)
    for name, text in texts.items():
        if not (root / name).exists():
            write_text(root / name, text)
    return Workspace(root)


def miniature(folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with copies of the documents' graph and the code, and miniature.yaml as params.

    This has an experiment of each kind on generated data, for `unroll verify --quick` and the tests.
    """
    _copy_graph(repository(CODE), folder)
    for name in PACKAGES:
        shutil.copytree(CODE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", PACKED[-1]))
    shutil.copyfile(Path(__file__).with_name("miniature.yaml"), folder / "params.yaml")
    write_text(folder / "claims.yaml", MINIATURE_CLAIMS)
    return Workspace(folder)


def chosen(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and the `CHOSEN` experiments."""
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
    write_text(workspace.claims, json.dumps(claims, indent=1))  # JSON is YAML
    shortened = {sections["experiments"][name]["dataset"] for name in EPOCHS}
    write_text(workspace.scratch / "short.txt", " ".join(sorted(shortened)))
    return workspace


def choose(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of params.yaml with the `CHOSEN` experiments, as far as they exist, and the first seeds."""
    sections = complete(sections)
    fewer = without(sections, [name for name in sections["datasets"] if name not in CHOSEN])
    datasets, experiments = fewer["datasets"], fewer["experiments"]
    names = [f"{dataset}_{name}" for dataset, chosen_names in CHOSEN.items() for name in chosen_names.split()]
    experiments = {name: _first_seeds(experiments[name], SEEDS) for name in names if name in experiments}
    for name in EPOCHS.keys() & experiments.keys():
        experiments[name]["training"] = {**experiments[name]["training"], "epochs": EPOCHS[name]}
    datasets = {name: _first_seeds(datasets[name], SEEDS) for name in CHOSEN if name in datasets}
    return {**fewer, "templates": {}, "datasets": datasets, "experiments": experiments}


def scaled(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and its params.yaml scaled down.

    `TWINS` are left out, and so are experiments that train a network in a second way (`each_network_once`).
    """
    small = without(scale(plain_yaml.read(root / "params.yaml"), os.path.relpath(root, folder)), TWINS)
    workspace = with_params(root, folder, each_network_once(small))
    shutil.copyfile(root / "claims.yaml", workspace.claims)
    # The page shows this text, and gives no verdict on published figures (pipeline/report/results.py).
    write_text(workspace.scratch / SCALED_NOTE, "Fewer rows, fewer epochs and one seed.\n")
    return workspace


def scale(sections: Mapping[str, Any], folder: str = "..") -> dict[str, Any]:
    """The sections of params.yaml with fewer rows, one seed and fewer epochs; windows, models and optimizers stay.

    Downloads become stand-ins in the official format, or are left out with their experiments if they have none. A split
    that is given in rows keeps its fraction of them. Relative paths of a user's own files begin with `folder`, where
    they lie as seen from the scaled workspace.
    """
    sections = complete(sections)
    stand_ins = {name: _stand_in(source) for name, source in sections["sources"].items()}
    lacking = {name for name, official in stand_ins.items() if not official}
    lacking = {name for name in lacking if sections["sources"][name]["kind"] == "download"}
    small = without(sections, [name for name, section in sections["datasets"].items() if section["source"] in lacking])
    sources, files = {}, {}
    for name, source in small["sources"].items():
        if official := stand_ins[name]:
            sources[name] = {"kind": "stand_in", "of": official, "rows": ROWS[official][0]}
        else:
            sources[name] = {**source, **GENERATED.get(source["kind"], {})}
    for name, file in small["files"].items():
        files[name] = {**file, "path": str(PurePosixPath(folder, file["path"]))}
    datasets = {}
    for name, section in small["datasets"].items():
        preparation = dict(section["preparation"])
        if official := stand_ins.get(section["source"]):
            rows, all_rows = ROWS[official]
            for split in ("train", "validation"):
                if isinstance(preparation.get(split), int):
                    preparation[split] = preparation[split] * rows // all_rows
        datasets[name] = _shortened(section) | {"preparation": preparation}
    experiments = {name: _shortened(section) for name, section in small["experiments"].items()}
    return {"sources": sources, "files": files, "datasets": datasets, "experiments": experiments}


def each_network_once(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections without experiments that train a network of an earlier one again, with another loss or more steps.

    TensorFlow would compile it again, which takes most of the time of a small build. Tuned experiments and those on a
    fraction of the rows are left out, too: they say nothing on stand-ins.
    """
    experiments: dict[str, Any] = {}
    for name, section in sections["experiments"].items():
        models = [(other["dataset"], other["model"]) for other in experiments.values()]
        repeated = (
            section["training"]["method"] == "gradient_descent" and (section["dataset"], section["model"]) in models
        )
        if not (repeated or section.get("trials") or section.get("share", 1) < 1):
            experiments[name] = section
    return {**sections, "experiments": experiments}


def without(sections: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    """The sections of params.yaml without these data sets, their experiments, and sources that only they use."""
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
    """Make `folder` a DVC workspace with the graph of `root`, the code, and these sections of params.yaml."""
    _copy_graph(root, folder)
    for name in PACKAGES:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(CODE / name, target_is_directory=True)
    plain_yaml.write(sections, folder / "params.yaml")
    (Workspace(folder).scratch / SCALED_NOTE).unlink(missing_ok=True)
    return Workspace(folder)


def _copy_graph(root: Path, folder: Path) -> None:
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    write_text(folder / ".dvc" / "config", CONFIG)
    (folder / "results" / "sceptic").mkdir(parents=True, exist_ok=True)  # what was searched there is of other runs


def _stand_in(source: Mapping[str, Any]) -> str | None:
    """The key in `ROWS` of the official data that a source brings, if there is a stand-in for it."""
    if source["kind"] == "download":
        return next((OFFICIAL[file] for file in source.get("files", ()) if file in OFFICIAL), None)
    return source["kind"] if source["kind"] in ROWS else None


def _first_seeds(section: Mapping[str, Any], count: int) -> dict[str, Any]:
    """An experiment's section, or the defaults in that of a data set, with at most `count` seeds."""
    if (seeds := section.get("seeds")) is None:
        return dict(section)
    return {**section, "seeds": seeds[:count] if isinstance(seeds, list) else min(seeds, count)}


def _shortened(section: Mapping[str, Any]) -> dict[str, Any]:
    """The same with one seed and fewer epochs."""
    short = _first_seeds(section, 1)
    if "training" in short:
        short["training"] = training = dict(short["training"])
        for option, (divisor, least) in SHORTER.items():
            if training.get(option):
                training[option] = min(training[option], max(least, training[option] // divisor))
    return short
