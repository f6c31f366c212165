"""The commands `demo` and `official`, which build in a project of their own."""

import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation import schema
from pipeline.files import atomic_folder
from pipeline.processes import duration
from pipeline.provenance.machine import documents
from pipeline.workspace import Workspace
from unroll import workspaces
from unroll.repro import make_page, prepare, repro, run_dvc, summary
from unroll.results import compare


def demo(workspace: Workspace, jobs: int) -> int:
    """Train some experiments in `.demo`, compare them with the whole build's, and
    return the exit status.

    The printed answers are the whole build's. Experiments that are up to date are not
    trained again.

    Raises:
        UsageError, UnrollError: like `unroll.repro.repro`; or git is missing, or the
            workspace is itself the demo.
    """
    if workspace.root.name == workspaces.DEMO:
        raise UsageError(
            f"{workspace.root} is the demo itself; run `unroll demo` one folder above it"
        )
    # A folder without the four documents builds the demo that came with the package.
    whole = Workspace(documents(workspace.root, "claims.yaml"))
    folder = workspace.root / workspaces.DEMO
    small = workspaces.chosen(whole.root, folder)
    config = params.load(small.params)
    workspaces.commit(whole.root, folder, "what is asked")
    # The demo does not belong in the user's records: MLflow writes to its own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["UNROLL_JOBS"] = str(jobs)
    count = len(config.runs)
    print(
        f"{count} experiments, a seed each, {jobs} at a time, offline, all in "
        f"{workspaces.DEMO}/.\n"
        "Does recurrence help? Is the best recurrent network better than the best "
        "without?",
        flush=True,
    )
    started = time.monotonic()
    status = repro(small, jobs=jobs, quiet=True)
    seconds = time.monotonic() - started
    workspaces.commit(whole.root, folder, "what was built")
    print()
    compare.show_answers(whole, config.datasets)
    everywhere = params.load(whole.params)
    built = sum(len(everywhere.experiments_of(name)) for name in config.datasets)
    print(
        f"\nThese are the answers of the whole build: {built} experiments on these "
        "data, up to 40 seeds each, in results/.\n"
        f"{count} of them were trained here, with their first seed: "
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
    text = f"{equal} have its test errors to the last digit"
    if different:
        text += (
            f"; {', '.join(different)} not: `git diff HEAD params.yaml` shows edits, "
            "`unroll doctor` compares packages"
        )
    return f"{text}."


def official(workspace: Workspace, jobs: int) -> int:
    """Build the data sets of official.yaml in `.official`, copy their evaluations into
    `results/`, write the page there, and return the exit status. It is 1 if the file
    cannot be had; the stage `source` has then said why.

    What is up to date in `.official` is not built again. An evaluation that could not
    be built leaves the one in `results/` as it is.

    Raises:
        UsageError, UnrollError: like `unroll.repro.repro`; or official.yaml names no
            data sets, or git is missing.
        StoppedError: the user stopped the build.
    """
    sections = params.official(workspace.params)
    if not sections:
        raise UsageError(
            f"{workspace.root} has no data sets in {params.OFFICIAL}; "
            "run `unroll official` in the clone"
        )
    mirror = os.environ.get("UNROLL_MIRROR", "")
    if mirror and Path(mirror).is_dir():
        # Stages run in `.official`, where a relative path would lead elsewhere.
        os.environ["UNROLL_MIRROR"] = str(Path(mirror).absolute())
    os.environ["UNROLL_JOBS"] = str(jobs)
    folder = workspace.root / workspaces.OFFICIAL_PROJECT
    project = workspaces.with_documents(workspace.root, folder, sections)
    workspaces.commit(workspace.root, folder, "what is asked")
    prepare(project)
    # First the file alone: without it nothing else can be built.
    sources = [f"source@{name}" for name in sections["sources"]]
    if run_dvc(project, ["repro", "--quiet", *sources]):
        return 1
    status = repro(project, jobs=jobs, quiet=True)
    workspaces.commit(workspace.root, folder, "what was built")
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
