"""The commands `demo` and `official`, which build in a project of their own."""

import os
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.named_modules import EXTENSIONS, make_folders
from pipeline.config.params import OFFICIAL, TEMPLATES
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import schema
from pipeline.files import atomic_folder, remove, write_text
from pipeline.locks import alone
from pipeline.processes import duration
from pipeline.provenance.git import git
from pipeline.provenance.machine import unlocked
from pipeline.provenance.places import CODE, NUMERICS, PACKAGES, PACKED, project_folder
from pipeline.workspace import Workspace
from unroll.builds.repro import make_page, prepare, repro, run_dvc, summary
from unroll.project import DEMO
from unroll.results import compare

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


def demo(workspace: Workspace, jobs: int) -> int:
    """Train some experiments in `.demo`, compare them with the whole build's, and
    return the exit status.

    The printed answers are the whole build's. Experiments that are up to date are not
    trained again.

    Raises:
        UsageError, UnrollError: like `unroll.builds.repro.repro`; or git is missing, or the
            workspace is itself the demo.
    """
    if workspace.root.name == DEMO:
        raise UsageError(
            f"{workspace.root} is the demo itself; run `unroll demo` one folder above it"
        )
    # A folder without the four documents builds the demo that came with the package.
    whole = Workspace(project_folder(workspace.root, "claims.yaml"))
    folder = workspace.root / DEMO
    with _alone(folder, "unroll demo"):
        return _demo(whole, folder, jobs)


def _alone(folder: Path, command: str) -> AbstractContextManager[None]:
    """Keep a second call of a command from copying code below a running build."""
    busy = f"another `{command}` works in {folder}; wait until it has ended"
    return alone(Workspace(folder).scratch / "command.lock", busy)


def _demo(whole: Workspace, folder: Path, jobs: int) -> int:
    """Build the demo of a project in a folder; see `demo`."""
    small = chosen(whole.root, folder)
    config = params.load(small.params)
    commit(whole.root, folder, "what is asked")
    # The demo does not belong in the user's records: MLflow writes to its own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["UNROLL_JOBS"] = str(jobs)
    count = len(config.runs)
    print(
        f"{count} experiments, a seed each, {jobs} at a time, offline, all in "
        f"{DEMO}/.\n"
        "Does recurrence help? Is the best recurrent network better than the best "
        "without?",
        flush=True,
    )
    started = time.monotonic()
    status = repro(small, jobs=jobs, quiet=True)
    seconds = time.monotonic() - started
    commit(whole.root, folder, "what was built")
    print()
    compare.show_answers(whole, config.datasets)
    everywhere = params.load(whole.params)
    built = sum(len(everywhere.experiments_of(name)) for name in config.datasets)
    print(
        f"\nThese are the answers of the whole build: {built} experiments on these "
        "data, up to 40 seeds each, in results/.\n"
        f"{count} of them were trained here, with their first seed. "
        f"{_reproduced(whole, small, config.datasets)}"
    )
    for line in summary(small, status):
        print(line)
    unroll = os.path.relpath(Path(sys.executable).parent / "unroll")
    print(
        f"\nThe demo took {duration(seconds)}.\n"
        f"  The page       {whole.report}\n"
        f"  Demo's page    {small.report}\n"
        f"  DVC            cd {os.path.relpath(small.root)}; dvc metrics show; dvc exp run "
        "-S experiments.waves.rnn6.model.units=8\n"
        f"  MLflow         {unroll} --root {os.path.relpath(small.root)} ui\n"
        f"  One data set   {unroll} compare waves\n"
        f"  Your series    {unroll} answer FILE.csv",
        flush=True,
    )
    return status


def _reproduced(whole: Workspace, small: Workspace, datasets: Iterable[str]) -> str:
    """Return a sentence: how many test errors equal the whole build's, and which do
    not.
    """
    equal = 0
    different = []
    for dataset in datasets:
        folders = [workspace.evaluation(dataset) for workspace in (whole, small)]
        if not all((folder / "evaluation.json").is_file() for folder in folders):
            continue
        committed, trained = map(schema.load, folders)
        metric = trained.dataset.metric
        for name in sorted(trained.experiments.keys() & committed.experiments.keys()):
            errors = committed.experiments[name].score(metric)
            here = trained.experiments[name].score(metric)
            if errors is None or here is None:
                continue
            if errors.values[: len(here.values)] == here.values:
                equal += 1
            else:
                different.append(f"{dataset}/{name}")
    text = f"{equal} of their test errors equal the committed ones to the last digit"
    if different:
        others = ", ".join(f"{name} {has}" for name, has in unlocked().items())
        text += (
            f"; {', '.join(different)} not: either params.yaml was edited, or "
            f"{f'packages differ ({others})' if others else 'the processor differs'}"
        )
    return f"{text}."


def official(workspace: Workspace, jobs: int) -> int:
    """Build the data sets of official.yaml in `.official`, copy their evaluations into
    `results/`, write the page there, and return the exit status. It is 1 if the file
    cannot be had; the stage `source` has then said why.

    What is up to date in `.official` is not built again. An evaluation that could not
    be built leaves the one in `results/` as it is.

    Raises:
        UsageError, UnrollError: like `unroll.builds.repro.repro`; or official.yaml names no
            data sets, or git is missing.
        StoppedError: the user stopped the build.
    """
    sections = params.official(workspace.params)
    if not sections:
        raise UsageError(
            f"{workspace.root} has no data sets in {OFFICIAL}; "
            "run `unroll official` in the clone"
        )
    os.environ["UNROLL_JOBS"] = str(jobs)
    folder = workspace.root / OFFICIAL_PROJECT
    with _alone(folder, "unroll official"):
        return _official(workspace, folder, sections, jobs)


def _official(
    workspace: Workspace, folder: Path, sections: Mapping[str, Any], jobs: int
) -> int:
    """Build sections of official.yaml in a folder; see `official`."""
    project = with_documents(workspace.root, folder, sections)
    commit(workspace.root, folder, "what is asked")
    prepare(project)
    # First the file alone: without it nothing else can be built.
    sources = [f"source@{name}" for name in sections["sources"]]
    if run_dvc(project, ["repro", "--quiet", *sources]):
        return 1
    status = repro(project, jobs=jobs, quiet=True)
    commit(workspace.root, folder, "what was built")
    built = _copy_evaluations(project, workspace)
    if built:
        page = make_page(workspace)
        status = status or page
        compare.show_answers(workspace, built)
        print(f"\nThe page: {workspace.report}")
    for line in summary(project, status):
        print(line)
    return status


def _copy_evaluations(project: Workspace, workspace: Workspace) -> list[str]:
    """Copy the evaluations and metrics of `project` into the results of `workspace`.

    Return the data sets that are built.
    """
    built = []
    for name in params.load(project.params).experiments:
        if not (project.evaluation(name) / "evaluation.json").is_file():
            continue
        for made, kept in (
            (project.metrics(name), workspace.metrics(name)),
            (project.evaluation(name), workspace.evaluation(name)),
        ):
            with atomic_folder(kept, workspace.scratch) as temporary:
                shutil.copytree(made, temporary, dirs_exist_ok=True)
        built.append(name)
    return built


def chosen(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the `CHOSEN` experiments of `root`, one seed
    each.

    Raises UsageError if `root` has none of their data sets.
    """
    sections = plain_yaml.read(root / "params.yaml")
    config = params.load(root / "params.yaml")
    sections = without(sections, sections["datasets"].keys() - CHOSEN.keys())
    if not sections["datasets"]:
        raise UsageError(
            "params.yaml has none of the demo's data sets, so there is no demo; "
            "`unroll repro` builds what it has"
        )
    for dataset, entries in sections["experiments"].items():
        known = config.experiments_of(dataset)
        sections["experiments"][dataset] = {
            name: {**entries[name], "seeds": known[name].seeds[:1]}
            for name in CHOSEN[dataset].split()
            if name in entries
        }
    for files in sections["files"].values():
        (folder / files["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / files["path"], folder / files["path"])
    return with_documents(root, folder, sections)


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
        shutil.copytree(
            own,
            folder / EXTENSIONS,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    make_folders(folder)
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
        # without a new commit, `dvc exp list` still shows the experiments of the last one
        if git(folder, "status", "--porcelain"):
            git(folder, *author, "commit", "--quiet", "-m", message)
    except UnrollError as error:
        raise UnrollError(
            f"git cannot commit {folder.name}, which DVC's commands need ({error})"
        ) from None
