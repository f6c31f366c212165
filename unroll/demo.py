"""The command `demo`: results in two minutes, from data that are generated or lie here, in a workspace of its own."""

import os
import sys
import time
import webbrowser
from collections import Counter
from pathlib import Path

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.verdicts import ALPHA
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

FOLDER = ".demo"

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

FEWER = """Results of {seeds} seeds each and {few} of {all} experiments; document 003's networks for 10 or 30 epochs, so
none of its figures is judged. `{rest}` trains everything."""


def demo(workspace: Workspace, jobs: int) -> int:
    """Build the demo in `.demo`: each answer as soon as it is there, then all, and what to do next; the exit status.

    What is up to date is not built again.

    Raises:
        UsageError, UnrollError: as `unroll.runner.build.repro`; git is missing.
    """
    # A folder without the four documents builds the demo that came with the package.
    root, folder = documents(workspace.root, "claims.yaml"), workspace.root / FOLDER
    small = make.chosen(root, folder)
    config, every = (params.load(path) for path in (small.params, root / "params.yaml"))
    count, count_of_all = len(config.experiments), len(every.experiments)
    rest = "make repro" if root == workspace.root else "unroll new --documents FOLDER"
    checkout.commit(root, folder, "what is asked")
    # The demo does not belong in the user's records: MLflow writes to its own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    print(f"{count} experiments, {make.SEEDS} seeds each, {jobs} at a time, offline, all in {FOLDER}/.")
    print("Does recurrence help? Is the best recurrent network better than the best without?", flush=True)
    started = time.monotonic()
    status = repro(small, [], jobs, narration=Story(small, config), first=list(config.datasets))
    seconds = time.monotonic() - started
    checkout.commit(root, folder, "what was built")
    print()
    compare.show_answers(small, compare.evaluation_times(small))
    outcomes = Counter(str(verdict.outcome) for verdict in load(small, config).verdicts)
    counts = ", ".join(f"{outcome} {number}" for outcome, number in outcomes.most_common())
    print(f"\nPublished figures judged: {outcomes.total()} ({counts}).")
    print(FEWER.format(seeds=make.SEEDS, few=count, all=count_of_all, rest=rest))
    print(f"\nThe demo took {duration(seconds)}.")
    print("\n".join(_next(small, config, rest)), flush=True)
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.stdout.isatty() and screen:
        webbrowser.open(small.report.as_uri())
    return status


class Story(Narration):
    """What the demo prints of its stages."""

    def __init__(self, workspace: Workspace, config: Params) -> None:
        self._workspace, self._params = workspace, config
        networks = [experiment for experiment in config.experiments.values() if experiment.model.family == "recurrent"]
        self._answers = len({(network.dataset, bool(network.trials)) for network in networks})

    def running(self, stage: str) -> str:
        """See `Narration`: which model is trained, and for what."""
        verb, _, name = stage.partition("@")
        if verb != "train":
            return ""
        experiment = self._params.experiments[name]
        model = titles.experiment(experiment, self._params.datasets[experiment.dataset])
        return f"{model} for {QUESTIONS.get(experiment.dataset, experiment.dataset)}"

    def ended(self, stage: str) -> str:
        """See `Narration`: the answer of a data set, if this was its evaluation.

        Yes and no stand alone where no correction for the answers to come takes them back (Bonferroni).
        """
        verb, _, name = stage.partition("@")
        if verb != "evaluate":
            return ""
        dataset = next(built for built in load(self._workspace, self._params).built if built.name == name)
        question, lines = QUESTIONS.get(name, name), []
        for answer in dataset.answers:
            text = answer_text(dataset, answer)
            if answer.comparison is None or text.without is None or text.best is None:
                lines.append(f"  {answer.outcome:<13} {question}: {answer.reason}")
                continue
            low, high = answer.comparison.difference.interval(1 - ALPHA / self._answers)
            undecided = answer.outcome in {Outcome.YES, Outcome.NO} and low <= 0 <= high
            word = f"so far {answer.outcome}" if undecided else answer.outcome
            sides = f"{text.best}{', tuned' * text.tuned} against {text.without}"
            lines.append(f"  {word:<13} {question}: {capital(sides)}")
        return "\n".join(lines)


def _next(small: Workspace, config: Params, rest: str) -> list[str]:
    """What can be done with the demo, a line each."""
    command = os.path.relpath(Path(sys.executable).parent / "unroll")
    here = f"{command} --root {os.path.relpath(small.root)}"
    steps = {
        "The page": str(small.report),
        "MLflow": f"make ui ROOT={os.path.relpath(small.root)}" if rest.startswith("make") else f"{here} ui",
        "One data set": f"{here} compare {next(iter(config.datasets))}",
        "Every table": f"{here} compare",
        "Everything": rest,
    }
    return [f"  {name:<13} {step}" for name, step in steps.items()]
