"""Unroll and other frameworks in turn on the same work, and whether they came to the
same losses.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any
from unittest.mock import patch

from bench import results
from bench.peers import frameworks, workloads
from bench.peers.workloads import FRAMEWORKS, WORKLOADS, Task
from pipeline import numerics
from pipeline.errors import UnrollError
from pipeline.processes import ONE_THREAD

ROUNDS = 5
QUICK_ROUNDS = 2

QUICK = ("jena_lstm", "imdb_simple_rnn", "sine_dense")
"""The workloads of a quick run."""

TOLERANCE = 1e-4
"""How far a loss may lie from Unroll's, as a share of it. Other orders of the same sums
were seen to move it by less than 1e-6; gates in another order, or epsilon outside of
the root, by more than 1e-3."""

CHECKED = 3
"""Without dropout the losses of so many steps are compared. Over more of them rounding
may grow: on stand-ins of IMDB weights that are moved by 1e-7 make another loss of the
tenth step, by 2 %, in every framework."""

SEEDS = 10
DEVIATIONS = 6.0
"""With dropout the masks differ. The reference is then the mean of Unroll's losses over
this many seeds, and the tolerance so many of their standard deviations; of a framework
that does the same, 1 loss in 5,000 lies outside (Student's t with 9 degrees of
freedom)."""

ENVIRONMENT = {
    **ONE_THREAD,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    numerics.KEEP: "XLA_FLAGS",
    "PYTHONWARNINGS": "ignore",
}
"""One thread for every library; each process stays on one core besides."""

OWN = numerics.FROM_START | {
    "ONEDNN_MAX_CPU_ISA": numerics.SETTINGS["ONEDNN_MAX_CPU_ISA"],
    "XLA_FLAGS": " ".join(numerics.XLA_FLAGS),
}
"""What Unroll sets for its processes, as far as it can change how fast other frameworks
are."""

SETTINGS = OWN | {"XLA_FLAGS": f"{ENVIRONMENT['XLA_FLAGS']} {OWN['XLA_FLAGS']}"}
"""The same for a framework's process here."""


class PeerProcess:
    """A framework's process, which logs to a file in `folder`; with what Unroll sets
    for its own, or as it comes.
    """

    def __init__(
        self, framework: str, folder: Path, *, own_settings: bool = False
    ) -> None:
        self.framework = framework
        self.own_settings = own_settings
        self.log = folder / f"{framework}{own_settings}.log"
        backend = "jax" if framework == "jax" else "tensorflow"
        outside = {
            name: value for name, value in os.environ.items() if name not in SETTINGS
        }
        variables = (
            outside
            | ENVIRONMENT
            | {"KERAS_BACKEND": backend}
            | ({} if own_settings else SETTINGS)
        )
        self.pool = ProcessPoolExecutor(
            1, get_context("spawn"), frameworks.begin, (self.log,)
        )
        # which its process has from its start
        with patch.dict(os.environ, variables, clear=True):
            self.pool.submit(os.getpid).result()

    def ask(self, do: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of `frameworks` gives there. Raises UnrollError if it fails,
        or the process has ended.
        """
        try:
            return self.pool.submit(do, self.framework, *arguments).result()
        except BrokenProcessPool:
            printed = (
                self.log.read_text(encoding="utf-8", errors="replace").strip()
                or "without a word"
            )
            why = f"its process ended: {printed.splitlines()[-1]}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the framework is named, and the bench stops
            why = f"{type(error).__name__}: {error}"
        raise UnrollError(f"bench: {self.framework} failed: {why}")

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown(wait=False, cancel_futures=True)


def measure(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Every workload by Unroll and by other frameworks, round by round; `quick`: fewer
    of both.

    Returns:
        rows: one for each workload (`work`), phase, framework (`side`) and whether with
        `own_settings`, with milliseconds per batch (`ms`), their `ratio` to Unroll's,
        and seconds until the first round was done (`warm_up`).

    Raises:
        UnrollError: a framework failed, or came to other losses; names it.
    """
    names, rounds = (QUICK, QUICK_ROUNDS) if quick else (tuple(WORKLOADS), ROUNDS)
    rows = []
    sides = [
        (name, own)
        for name in FRAMEWORKS
        for own in (False, True)
        if name != "unroll" or not own
    ]
    with (
        tempfile.TemporaryDirectory(prefix="unroll-peers-") as folder,
        ExitStack() as stack,
    ):
        root = Path(folder)
        workloads.prepare(root, names)
        processes = [
            stack.enter_context(closing(PeerProcess(name, root, own_settings=own)))
            for name, own in sides
        ]
        for name in names:
            task = workloads.load(root, name)
            # PyTorch has no recurrent dropout.
            able = [
                peer
                for peer in processes
                if not (task.random and peer.framework.startswith("pytorch"))
            ]
            rows += compare(task, root, able, rounds, say)
    return {"rows": rows}


def compare(
    task: Task,
    root: Path,
    processes: Sequence[PeerProcess],
    rounds: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """One workload's rows; arguments as in `measure`, and Unroll is the first of the
    processes.
    """
    unroll = processes[0]
    started = dict[PeerProcess, dict[str, Any]]()
    reference: Reference = {}
    for peer in processes:
        say(f"{task.name}: {peer.framework} builds and compiles")
        started[peer] = peer.ask(frameworks.start, root, task.name)
        losses = {"before": started[peer]["before"], "train": learn(peer, task)}
        reference = reference or tolerated(task, unroll, losses)
        check(task, peer.framework, losses, reference)
    times = {
        peer: {"train": list[float](), "evaluate": list[float]()} for peer in processes
    }
    batches = {
        "train": task.workload.steps * task.workload.epochs,
        "evaluate": task.workload.evaluated * task.workload.evaluations,
    }
    for number in range(rounds):
        say(f"{task.name}: round {number + 1}")
        first = number % len(processes)
        for peer in [*processes[first:], *processes[:first]]:
            seconds = peer.ask(frameworks.turn)
            for phase, count in batches.items():
                times[peer][phase].append(1e3 * seconds[phase] / count)
    return [
        {
            "work": task.name,
            "phase": phase,
            "side": peer.framework,
            "own_settings": peer.own_settings,
        }
        | spreads(times[peer][phase], times[unroll][phase])
        | {"warm_up": round(started[peer]["warm_up"], 2)}
        for phase in batches
        for peer in processes
    ]


def spreads(times: Sequence[float], unrolls: Sequence[float]) -> dict[str, Any]:
    """min, median and max of a framework's times, and of their ratios to Unroll's,
    round by round.
    """
    ratios = [time / unroll for time, unroll in zip(times, unrolls, strict=True)]
    both = {
        key: {"min": min(values), "median": median(values), "max": max(values)}
        for key, values in (("ms", times), ("ratio", ratios))
    }
    return dict(results.rounded(both, 4))


def learn(framework: PeerProcess, task: Task, seed: int = 0) -> float:
    """The mean loss of the first steps: all where dropout makes one step a matter of
    luck, else `CHECKED`.
    """
    steps = task.workload.steps if task.random else CHECKED
    return float(framework.ask(frameworks.learn, seed, steps))


Reference = dict[str, tuple[float, float]]
"""Of the held-out examples `before` training, and of the first steps of the `train`ing:
Unroll's loss, and how far another framework may lie from it."""


def tolerated(
    task: Task, unroll: PeerProcess, losses: Mapping[str, float]
) -> Reference:
    """What Unroll's losses ask of the others: with dropout, of their spread over seeds."""
    reference = {when: (loss, TOLERANCE * abs(loss)) for when, loss in losses.items()}
    if task.random:
        drawn = [
            losses["train"],
            *(learn(unroll, task, seed) for seed in range(1, SEEDS)),
        ]
        reference["train"] = (
            fmean(drawn),
            DEVIATIONS * stdev(drawn) * (1 + 1 / SEEDS) ** 0.5,
        )
    return reference


def check(
    task: Task, framework: str, losses: Mapping[str, float], reference: Reference
) -> None:
    """Raises UnrollError if a framework's losses lie too far from Unroll's, or are no
    numbers.
    """
    for when, value in losses.items():
        expected, tolerance = reference[when]
        if not abs(value - expected) <= tolerance:
            raise UnrollError(
                f"bench: {framework} does not agree on {task.name}: the loss ({when}) is {value:.6g}, Unroll's "
                f"{expected:.6g}, and they may differ by {tolerance:.2g}; so their times are no comparison"
            )
