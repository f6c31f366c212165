"""The command `official`: the data sets of official.yaml, in a project of their own."""

import os
import shutil
from pathlib import Path

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.files import atomic_folder
from pipeline.workspace import Workspace
from unroll import workspaces
from unroll.repro import make_page, prepare, repro, run_dvc, summary
from unroll.results import compare


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
