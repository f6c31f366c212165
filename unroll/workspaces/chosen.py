"""A workspace with a part of the graph as it is: what the demo trains for two minutes to get results."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import plain_yaml
from pipeline.config.params import complete
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.workspace import Workspace
from unroll.workspaces.checkout import git
from unroll.workspaces.scaled import CONFIG, few_seeds, lay_out, without

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
"""Data set -> its experiments that are trained, in the order in which they begin.

Each has an opponent that is as good as the strongest or nearly so, so that no answer is one that all experiments take
back. Left out are other tuned networks and what costs more than it shows in two minutes (docs/attempts.md)."""

SEEDS = 3
"""The fewest that tell a difference from chance."""

EPOCHS = {"waves_perceptron": 10, "waves_hidden10": 10, "waves_node": 10, "waves_rnn6": 30}
"""Of 100 and 400: by hand as many as `unroll lab` takes, since document 003 says "a few" (docs/attempts.md). Published
figures are of the whole training, so the demo judges none by these, and answers nothing."""


def make_workspace(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root`, and what is `CHOSEN` of its params.yaml."""
    sections = choose(plain_yaml.read(root / "params.yaml"))
    for files in sections["files"].values():
        (folder / files["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / files["path"], folder / files["path"])
    made = lay_out(root, folder, sections)
    claims = [one for one in plain_yaml.read(root / "claims.yaml") if _fair(one)]
    write_text(folder / "claims.yaml", json.dumps(claims, indent=1))  # which is YAML, too
    write_text(
        made.scratch / "short.txt", " ".join(sorted({sections["experiments"][name]["dataset"] for name in EPOCHS}))
    )
    return made


def choose(whole: Mapping[str, Any]) -> dict[str, Any]:
    """What is `CHOSEN` of the sections of params.yaml, with few seeds; what they no longer have is left out."""
    whole = complete(whole)
    kept = without(whole, [name for name in whole["datasets"] if name not in CHOSEN])
    names = [f"{dataset}_{one}" for dataset, each in CHOSEN.items() for one in each.split()]
    experiments = {name: few_seeds(kept["experiments"][name], SEEDS) for name in names if name in kept["experiments"]}
    for name in EPOCHS.keys() & experiments.keys():
        experiments[name]["training"] = {**experiments[name]["training"], "epochs": EPOCHS[name]}
    datasets = {name: few_seeds(kept["datasets"][name], SEEDS) for name in CHOSEN if name in kept["datasets"]}
    return {**kept, "templates": {}, "datasets": datasets, "experiments": experiments}


def _fair(claim: Mapping[str, Any]) -> bool:
    return claim["metric"] == "parameters" or not EPOCHS.keys() & {claim["experiment"], claim.get("against")}


def commit(root: Path, folder: Path, message: str) -> None:
    """Make the workspace in `folder` a git repository of its own, if it is none, and commit what has changed.

    DVC compares commits, and runs experiments from one.

    Raises:
        UnrollError: git is not there, or refuses.
    """
    write_text(folder / ".dvc" / "config", re.sub(" +no_scm.*\n", "", CONFIG))
    write_text(folder / ".dvc" / ".gitignore", "/config.local\n/tmp\n/cache\n")
    shutil.copyfile(root / ".gitignore", folder / ".gitignore")
    author = ("-c", "user.name=unroll", "-c", "user.email=unroll@localhost", "-c", "commit.gpgsign=false")
    try:
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--allow-empty", "-m", message)):
            git(folder, *author, *words)
    except UnrollError as error:
        raise UnrollError(f"git cannot keep the demo, which DVC's commands need ({error})") from None
