"""Unroll and other frameworks in turn on the same work, and whether they came to the same losses."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from bench import REPOSITORY, results
from bench.peers import workloads
from bench.peers.workloads import FRAMEWORKS, WORKLOADS, Task
from pipeline import numerics
from pipeline.errors import UnrollError

ROUNDS, QUICK_ROUNDS = 5, 2

QUICK = ("jena_lstm", "imdb_simple_rnn", "sine_dense")
"""The workloads of a quick run."""

TOLERANCE = 1e-4
"""How far a loss may lie from Unroll's, as a share of it. Other orders of the same sums were seen to move it by
less than 1e-6; gates in another order, or epsilon outside of the root, by more than 1e-3."""

CHECKED = 3
"""Without dropout the losses of so many steps are compared. Over more of them rounding may grow: on stand-ins of IMDB
weights that are moved by 1e-7 make another loss of the tenth step, by 2 %, in every framework."""

SEEDS, DEVIATIONS = 10, 6.0
"""With dropout the masks differ. The reference is then the mean of Unroll's losses over this many seeds, and the
tolerance so many of their standard deviations; of a framework that does the same, 1 loss in 5,000 lies outside
(Student's t with 9 degrees of freedom)."""

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "PYTHONWARNINGS": "ignore",
}
"""One thread for every library; each worker stays on one core besides."""

OWN = numerics.FROM_START | {
    "ONEDNN_MAX_CPU_ISA": numerics.SETTINGS["ONEDNN_MAX_CPU_ISA"],
    "XLA_FLAGS": " ".join(numerics.XLA_FLAGS),
}
"""What Unroll sets for its processes, as far as it can change how fast other frameworks are."""

SETTINGS = OWN | {"XLA_FLAGS": f"{ENVIRONMENT['XLA_FLAGS']} {OWN['XLA_FLAGS']}"}
"""The same for a framework's process here."""


class Worker:
    """A framework's process.

    Args:
        framework: its name.
        folder: where its libraries may write, to a file.
        own_settings: whether it runs as it comes; else with what Unroll sets before its processes start.
    """

    def __init__(self, framework: str, folder: Path, *, own_settings: bool = False) -> None:
        self.framework, self.own_settings = framework, own_settings
        self.log = folder / f"{framework}{own_settings}.log"
        backend = "jax" if framework == "jax" else "tensorflow"
        outside = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        with self.log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench.peers.worker"],
                cwd=REPOSITORY,
                env=outside | ENVIRONMENT | {"KERAS_BACKEND": backend} | ({} if own_settings else SETTINGS),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                encoding="utf-8",
            )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer. Raises UnrollError if the framework could not, or its process ended."""
        assert self.process.stdin  # noqa: S101 - a pipe, as is the next
        assert self.process.stdout  # noqa: S101
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        said = self.log.read_text(encoding="utf-8", errors="replace").strip() or "without a word"
        answer: dict[str, Any] = json.loads(line) if line else {"error": f"its process ended: {said.splitlines()[-1]}"}
        if "error" in answer:
            raise UnrollError(f"bench: {self.framework} failed: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def measure(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Every workload by Unroll and by other frameworks, round by round.

    Args:
        quick: fewer workloads and rounds.
        say: told in words what is done next.

    Returns:
        rows: one for each workload (`work`), phase, framework (`side`) and whether with `own_settings`, with
        milliseconds per batch (`ms`), their `ratio` to Unroll's, and seconds until the first round was done
        (`warm_up`); works: what each workload is.

    Raises:
        UnrollError: a framework failed, or came to other losses; names it.
    """
    names, rounds = (QUICK, QUICK_ROUNDS) if quick else (tuple(WORKLOADS), ROUNDS)
    sides = [(name, own) for name in FRAMEWORKS for own in (False, True) if name != "unroll" or not own]
    rows, works = [], {}
    with tempfile.TemporaryDirectory(prefix="unroll-peers-") as folder, ExitStack() as stack:
        root = Path(folder)
        workloads.prepare(root, names)
        workers = [stack.enter_context(closing(Worker(name, root, own_settings=own))) for name, own in sides]
        for name in names:
            task = workloads.load(root, name)
            some = [worker for worker in workers if worker.framework in task.workload.frameworks]
            found, works[name] = compare(task, root, some, rounds, say)
            rows += found
    return {"rows": rows, "works": works}


def compare(
    task: Task, root: Path, workers: Sequence[Worker], rounds: int, say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One workload's rows, and what it is; arguments as in `measure`, and Unroll is the first of the workers."""
    unroll, started, checks = workers[0], dict[Worker, dict[str, Any]](), list[Check]()
    reference: Reference = {}
    for worker in workers:
        say(f"{task.name}: {worker.framework} builds and compiles")
        one = started[worker] = worker.ask(do="start", framework=worker.framework, root=str(root), workload=task.name)
        losses = {"before": one["before"], "train": learn(worker, task)}
        reference = reference or tolerated(task, unroll, losses)
        checks.append(check(task, worker.framework, losses, reference))
    times = {worker: {"train": list[float](), "evaluate": list[float]()} for worker in workers}
    batches = {
        "train": task.workload.steps * task.workload.epochs,
        "evaluate": task.workload.evaluated * task.workload.evaluations,
    }
    for number in range(rounds):
        say(f"{task.name}: round {number + 1}")
        turn = number % len(workers)
        for worker in [*workers[turn:], *workers[:turn]]:
            seconds = worker.ask(do="round")
            for phase, count in batches.items():
                times[worker][phase].append(1e3 * seconds[phase] / count)
    rows = [
        {"work": task.name, "phase": phase, "side": worker.framework, "own_settings": worker.own_settings}
        | spreads(times[worker][phase], times[unroll][phase])
        | {"warm_up": round(started[worker]["warm_up"], 2)}
        for phase in batches
        for worker in workers
    ]
    facts = {"experiment": task.workload.experiment, "stand_in": task.data.stand_in, "rounds": rounds}
    facts |= {"batch": task.batch, "steps": batches["train"], "evaluated": task.workload.evaluated * task.batch}
    return rows, facts | {when: worst(checks[1:], when) for when in reference}


def spreads(times: Sequence[float], unrolls: Sequence[float]) -> dict[str, Any]:
    """The spread of a worker's times, and of their ratios to Unroll's, round by round."""
    ratios = [one / other for one, other in zip(times, unrolls, strict=True)]
    found: dict[str, Any] = results.rounded({"ms": results.spread(times), "ratio": results.spread(ratios)}, 4)
    return found


def learn(worker: Worker, task: Task, seed: int = 0) -> float:
    """The mean loss of the first steps: all where dropout makes one step a matter of luck, else `CHECKED`."""
    steps = task.workload.steps if task.random else CHECKED
    return float(worker.ask(do="learn", seed=seed, steps=steps)["loss"])


Reference = dict[str, tuple[float, float]]
"""Of the held-out examples `before` training, and of the first steps of the `train`ing: Unroll's loss, and how far
another framework may lie from it."""

Check = Mapping[str, tuple[float, float]]
"""As `Reference`: the distance and what is allowed."""


def tolerated(task: Task, unroll: Worker, losses: Mapping[str, float]) -> Reference:
    """What Unroll's losses ask of the others: with dropout, of their spread over seeds."""
    found = {when: (loss, TOLERANCE * abs(loss)) for when, loss in losses.items()}
    if task.random:
        drawn = [losses["train"], *(learn(unroll, task, seed) for seed in range(1, SEEDS))]
        found["train"] = fmean(drawn), DEVIATIONS * stdev(drawn) * (1 + 1 / SEEDS) ** 0.5
    return found


def check(task: Task, framework: str, losses: Mapping[str, float], reference: Reference) -> Check:
    """How far a framework's losses lie from Unroll's. Raises UnrollError if that is too far, or no number."""
    found = {}
    for when, value in losses.items():
        expected, tolerance = reference[when]
        if not abs(value - expected) <= tolerance:
            raise UnrollError(
                f"bench: {framework} does not agree on {task.name}: the loss ({when}) is {value:.6g}, Unroll's "
                f"{expected:.6g}, and they may differ by {tolerance:.2g}; so their times are no comparison"
            )
        found[when] = abs(value - expected), tolerance
    return found


def worst(checks: Sequence[Check], when: str) -> dict[str, float]:
    """The check with the greatest distance of what is allowed."""
    difference, tolerance = max((one[when] for one in checks), key=lambda pair: pair[0] / pair[1])
    found: dict[str, float] = results.rounded({"difference": difference, "tolerance": tolerance}, 4)
    return found
