"""Makes workspaces: the demo (`chosen`), the `miniature` of the tests, and `own` for a user's series."""

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.config import plain_yaml
from pipeline.config.params import complete
from pipeline.files import write_text
from pipeline.provenance.machine import CODE, NUMERICS, PACKAGES, PACKED
from pipeline.workspace import Workspace

COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots/curves.json", ".dvc/plots/scores.json", NUMERICS)
"""Copied from the repository: the graph, and the lock file whose hash is in every fingerprint."""

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

Each data set has an opponent about as good as the strongest, so that the demo's answers are those of all experiments.
Other tuned networks and all that does not fit into two minutes are left out (docs/attempts.md)."""

SEEDS = 3
"""The fewest that the evaluation compares by (`pipeline.evaluation.scores.MIN_SEEDS`)."""

EPOCHS = {"waves_perceptron": 10, "waves_hidden10": 10, "waves_node": 10, "waves_rnn6": 30}
"""Experiment -> its epochs in the demo, instead of 100 or 400; of those by hand as many as `unroll lab` has
(docs/attempts.md). Such a short training says nothing about a published figure, so the demo gives no verdict on it."""

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

WITH_CODE = "deps: [.ci/locks/numerics.lock, params.yaml, pipeline, stages]"
"""Of the stage `resolve` in the documents' dvc.yaml, whose repository holds the code that builds it."""

BUILT = (
    ".unroll/",
    ".venv/",
    ".verify/",
    ".demo/",
    "data/raw/",
    "data/prepared/",
    "forecasters/",
    "resolved/",
    "runs/",
)
RECORDS = ("records/", "mlflow.db*", "mlruns/", "mlartifacts/")
OWN_IGNORED = "".join(f"/{name}\n" for name in (*BUILT, *RECORDS))
"""Of git: a file of one's own, also in data/, is none of it."""


def own(root: Path) -> Workspace:
    """Make a folder a workspace for a user's own series, with an ordinary dvc.yaml; files that exist stay."""
    files = {
        "params.yaml": OWN_PARAMS,
        "dvc.yaml": Path(__file__).with_name("own.yaml").read_text(encoding="utf-8"),
        ".dvc/config": CONFIG,
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvcignore": "/.unroll\n/.venv\n/.verify\n/.demo\n/records\n.*.tmp\n",
        ".gitignore": OWN_IGNORED,
    }
    for name, text in files.items():
        if not (root / name).exists():
            write_text(root / name, text)
    return Workspace(root)


def miniature(root: Path, folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with copies of the graph and the code of `root`, and miniature.yaml as params.

    This has an experiment of each kind on generated data, for `unroll verify --quick` and the tests.
    """
    _copy_graph(root, folder)
    for name in PACKAGES:
        shutil.copytree(_code(root, name), folder / name, ignore=shutil.ignore_patterns("__pycache__", PACKED[-1]))
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
    shortened = {sections["experiments"][name]["dataset"] for name in EPOCHS.keys() & sections["experiments"].keys()}
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
    """Make `folder` a DVC workspace with the graph and the code of `root` and these sections of params.yaml."""
    _copy_graph(root, folder)
    for name in PACKAGES:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(_code(root, name), target_is_directory=True)
    plain_yaml.write(sections, folder / "params.yaml")
    return Workspace(folder)


def _code(root: Path, name: str) -> Path:
    """A package in a folder, or the installed one, where that holds none."""
    return root / name if (root / name).is_dir() else CODE / name


def _copy_graph(root: Path, folder: Path) -> None:
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    write_text(folder / ".dvc" / "config", CONFIG)
    (folder / "results" / "sceptic").mkdir(parents=True, exist_ok=True)  # what was searched there is of other runs


def _first_seeds(section: Mapping[str, Any], count: int) -> dict[str, Any]:
    """An experiment's section, or the defaults in that of a data set, with at most `count` seeds."""
    if (seeds := section.get("seeds")) is None:
        return dict(section)
    return {**section, "seeds": seeds[:count] if isinstance(seeds, list) else min(seeds, count)}
