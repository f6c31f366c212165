"""The command `demo`: results in two minutes, from data that are generated or lie here, in a workspace of its own."""

import os
import shutil
import sys
import time
import webbrowser
from pathlib import Path

from pipeline.config import params
from pipeline.evaluation import schema
from pipeline.provenance.machine import documents
from pipeline.report import titles
from pipeline.report.formatting import capital
from pipeline.report.results import load
from pipeline.report.sentences import answer_text
from pipeline.workspace import Workspace
from stages.progress import duration
from unroll.results import compare
from unroll.runner.build import repro
from unroll.runner.display import Narration
from unroll.workspaces import checkout, make

QUESTIONS = {
    "jena_sample": "the temperature at Jena six hours ahead",
    "shapes_delayed": "what was seen five steps before",
    "shapes_seq2vec": "the next ten values of a sum of sines",
    "shapes_vec2seq": "a sum of sines from its frequencies",
    "shapes_seq2seq": "each next value of a sum of sines",
    "waves": "the next value of noisy waves",
    "sine_windows": "the next value of a sine",
    "sine_interpolation": "sin x from x, inside of what was seen",
    "sine_extrapolation": "sin x from x, beyond what was seen",
}
"""Data set -> what it asks for."""

TRAINED = """\
These are the answers of the whole build: {all} experiments on these data, up to 40 seeds each, in results/.
{few} of them were trained here, with {seeds} seeds each: {equal} have its test errors to the last digit{rest}"""


def demo(workspace: Workspace, jobs: int) -> int:
    """Train a part of the experiments in `.demo`, and hold them against the whole build's; the exit status.

    The answers are the whole build's, each as soon as the part of its data set is there, then all, and what to do next.
    What is up to date is not trained again.

    Raises:
        UsageError, UnrollError: as `unroll.runner.build.repro`; git is missing.
    """
    # A folder without the four documents builds the demo that came with the package.
    whole, folder = Workspace(documents(workspace.root, "claims.yaml")), workspace.root / make.DEMO
    small = make.chosen(whole.root, folder)
    config = params.load(small.params)
    rest = (
        "make repro" if whole.root == workspace.root else "unroll new --documents lecture; unroll --root lecture repro"
    )
    checkout.commit(whole.root, folder, "what is asked")
    # The demo does not belong in the user's records: MLflow writes to its own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    count = len(config.runs)
    print(f"{count} experiments, {make.SEEDS} seeds each, {jobs} at a time, offline, all in {make.DEMO}/.")
    print("Does recurrence help? Is the best recurrent network better than the best without?", flush=True)
    started = time.monotonic()
    story = Story(whole, small)
    status = repro(small, [], jobs, narration=story, first=list(config.datasets))
    seconds = time.monotonic() - started
    checkout.commit(whole.root, folder, "what was built")
    print()
    compare.show_answers(whole, config.datasets)
    compared = [reproduced(whole, small, name) for name in config.datasets]
    equal, different = sum(len(names) for names, _ in compared), [name for _, names in compared for name in names]
    others = f"; {', '.join(different)} not: `unroll doctor` compares packages." if different else "."
    built = sum(len(results.experiments) for name, results in story.results.items() if name in config.datasets)
    print("\n" + TRAINED.format(all=built, few=count, seeds=make.SEEDS, equal=equal, rest=others))
    print(f"\nThe demo took {duration(seconds)}.")
    print("\n".join(_next(whole, small, rest)), flush=True)
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.stdout.isatty() and screen:
        webbrowser.open(whole.report.as_uri())
    return status


def reproduced(whole: Workspace, small: Workspace, dataset: str) -> tuple[list[str], list[str]]:
    """The experiments of a data set whose test errors are the whole build's of the same seeds, and those where not."""
    folders = [workspace.evaluation(dataset) for workspace in (whole, small)]
    if not all((folder / "evaluation.json").is_file() for folder in folders):
        return [], []
    committed, trained = map(schema.load, folders)
    equal: list[str] = []
    different: list[str] = []
    for name in trained.experiments.keys() & committed.experiments.keys():
        errors, here = (of.experiments[name].score(of.dataset.metric) for of in (committed, trained))
        if errors and here:
            (equal if errors.values[: len(here.values)] == here.values else different).append(name)
    return sorted(equal), sorted(different)


class Story(Narration):
    """What the demo prints of its stages."""

    def __init__(self, whole: Workspace, small: Workspace) -> None:
        self._whole, self._small, self._params = whole, small, params.load(small.params)
        self.results = {built.name: built for built in load(whole, params.load(whole.params)).built}

    def running(self, stage: str) -> str:
        """See `Narration`: which model is trained, and for what."""
        verb, _, name = stage.partition("@")
        if verb != "train":
            return ""
        experiment = self._params.experiments[name]
        model = titles.experiment(experiment, self._params.datasets[experiment.dataset])
        return f"{model} for {QUESTIONS.get(experiment.dataset, experiment.dataset)}"

    def ended(self, stage: str) -> str:
        """See `Narration`: the whole build's answers to a question, if this was the evaluation of its data set."""
        verb, _, name = stage.partition("@")
        if verb != "evaluate" or name not in self.results:
            return ""
        lines = []
        for answer in self.results[name].answers:
            text = answer_text(self.results[name], answer)
            sides = f"{text.best}{', tuned' * text.tuned} against {text.without}" if text.best else answer.reason
            lines.append(f"  {answer.outcome:<13} {QUESTIONS.get(name, name)}: {capital(sides)}")
        equal, different = reproduced(self._whole, self._small, name)
        count = len(equal) + len(different)
        lines.append(f"  {'':<13} {len(equal)} of {count} trained here have the committed test errors")
        return "\n".join(lines)


def _next(whole: Workspace, small: Workspace, rest: str) -> list[str]:
    """What can be done with the demo, a line each."""
    by_name = not rest.startswith("make") and shutil.which("unroll")
    command = "unroll" if by_name else os.path.relpath(Path(sys.executable).parent / "unroll")
    here = f"{command} --root {os.path.relpath(small.root)}"
    steps = {
        "The page": str(whole.report),
        "MLflow": f"make ui ROOT={os.path.relpath(small.root)}" if rest.startswith("make") else f"{here} ui",
        "One data set": f"{command} compare waves",
        "Your series": f"{command} answer FILE.csv",
        "Everything": rest,
    }
    return [f"  {name:<13} {step}" for name, step in steps.items()]
