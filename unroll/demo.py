"""The command `demo`: results in a few minutes, from data that are generated or lie
here, in a workspace of its own.
"""

import os
import shutil
import sys
import time
import webbrowser
from pathlib import Path

from pipeline.config import params
from pipeline.evaluation import schema
from pipeline.provenance.machine import documents
from pipeline.workspace import Workspace
from stages.progress import duration
from unroll.repro import repro, summary
from unroll.results import compare
from unroll.workspaces import checkout, make

TRAINED = """\
These are the answers of the whole build: {all} experiments on these data, up to 40 seeds each, in results/.
{few} of them were trained here, with {seeds} seeds each: {equal} have its test errors to the last digit{rest}"""


def demo(workspace: Workspace, jobs: int) -> int:
    """Train a part of the experiments in `.demo`, and hold them against the whole
    build's; the exit status.

    The answers are the whole build's. What is up to date is not trained again.

    Raises:
        UsageError, UnrollError: as `unroll.repro.repro`; git is missing.
    """
    # A folder without the four documents builds the demo that came with the package.
    whole = Workspace(documents(workspace.root, "claims.yaml"))
    folder = workspace.root / make.DEMO
    small = make.chosen(whole.root, folder)
    config = params.load(small.params)
    checkout.commit(whole.root, folder, "what is asked")
    # The demo does not belong in the user's records: MLflow writes to its own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["UNROLL_JOBS"] = str(jobs)
    count = len(config.runs)
    print(
        f"{count} experiments, {make.SEEDS} seeds each, {jobs} at a time, offline, all in {make.DEMO}/."
    )
    print(
        "Does recurrence help? Is the best recurrent network better than the best without?",
        flush=True,
    )
    started = time.monotonic()
    status = repro(small, quiet=True)
    seconds = time.monotonic() - started
    checkout.commit(whole.root, folder, "what was built")
    print()
    compare.show_answers(whole, config.datasets)
    equal: list[str] = []
    different: list[str] = []
    for name in config.datasets:
        names, others = reproduced(whole, small, name)
        equal += names
        different += others
    rest = "."
    if different:
        rest = f"; {', '.join(different)} not: `unroll doctor` compares packages."
    everywhere = params.load(whole.params)
    built = sum(len(everywhere.experiments_of(name)) for name in config.datasets)
    print(
        "\n"
        + TRAINED.format(
            all=built, few=count, seeds=make.SEEDS, equal=len(equal), rest=rest
        )
    )
    for line in summary(small, status):
        print(line)
    print(f"\nThe demo took {duration(seconds)}.")
    everything = "make repro"
    if whole.root != workspace.root:
        everything = "unroll new --documents lecture; unroll --root lecture repro"
    print("\n".join(_next(whole, small, everything)), flush=True)
    screen = (
        sys.platform == "darwin"
        or os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
    )
    if sys.stdout.isatty() and screen:
        webbrowser.open(whole.report.as_uri())
    return status


def reproduced(
    whole: Workspace, small: Workspace, dataset: str
) -> tuple[list[str], list[str]]:
    """The experiments of a data set whose test errors are the whole build's of the same
    seeds, and those where not.
    """
    folders = [workspace.evaluation(dataset) for workspace in (whole, small)]
    if not all((folder / "evaluation.json").is_file() for folder in folders):
        return [], []
    committed, trained = map(schema.load, folders)
    equal: list[str] = []
    different: list[str] = []
    for name in sorted(trained.experiments.keys() & committed.experiments.keys()):
        metric = trained.dataset.metric
        errors = committed.experiments[name].score(metric)
        here = trained.experiments[name].score(metric)
        if errors is None or here is None:
            continue
        same = errors.values[: len(here.values)] == here.values
        (equal if same else different).append(f"{dataset}/{name}")
    return equal, different


def _next(whole: Workspace, small: Workspace, rest: str) -> list[str]:
    """What can be done with the demo, a line each."""
    by_name = not rest.startswith("make") and shutil.which("unroll")
    command = (
        "unroll" if by_name else os.path.relpath(Path(sys.executable).parent / "unroll")
    )
    here = f"{command} --root {os.path.relpath(small.root)}"
    steps = {
        "The page": str(whole.report),
        "MLflow": f"make ui ROOT={os.path.relpath(small.root)}"
        if rest.startswith("make")
        else f"{here} ui",
        "One data set": f"{command} compare waves",
        "Your series": f"{command} answer FILE.csv",
        "Everything": rest,
    }
    return [f"  {name:<13} {step}" for name, step in steps.items()]
