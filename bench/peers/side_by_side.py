"""Unroll and other frameworks in turn on the same work, with a check of their losses."""

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from bench import Say
from bench.peers import frameworks, workloads
from bench.peers.workloads import FRAMEWORKS, WORKLOADS, Task
from pipeline import numeric_settings
from pipeline.errors import UnrollError
from pipeline.processes import ONE_THREAD
from pipeline.provenance import machine

ROUNDS = 5
"""The number of times that each framework is measured."""

QUICK_ROUNDS = 2
"""The number of times that each framework is measured in a quick run."""

QUICK = ("jena_lstm", "imdb_simple_rnn", "sine_dense")
"""The workloads of a quick run."""

TOLERANCE = 1e-4
"""The largest distance of a loss from Unroll's, as a share of Unroll's loss. Sums in
another order changed losses by less than 1e-6. Another order of gates, or epsilon
outside of the root, changed them by more than 1e-3."""

CHECKED = 3
"""The number of steps whose losses are compared, without dropout. Over more steps,
rounding errors grow. On stand-ins of IMDB, a change of 1e-7 in the weights changes the
loss of the tenth step by 2 %, in every framework."""

ENVIRONMENT = {
    **ONE_THREAD,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    machine.KEEP: "XLA_FLAGS",
    "PYTHONWARNINGS": "ignore",
}
"""The variables that give every library one thread. Each process also stays on one
core."""

OWN = numeric_settings.FROM_START | {
    "ONEDNN_MAX_CPU_ISA": numeric_settings.SETTINGS["ONEDNN_MAX_CPU_ISA"],
    "XLA_FLAGS": " ".join(numeric_settings.XLA_FLAGS),
}
"""The variables of Unroll's processes that change the speed of other frameworks."""

SETTINGS = {
    **OWN,
    **ENVIRONMENT,
    "XLA_FLAGS": f"{ENVIRONMENT['XLA_FLAGS']} {OWN['XLA_FLAGS']}",
}
"""The variables of each framework's process."""


class PeerProcess:
    """A framework's process, which logs to a file in `folder`."""

    def __init__(self, framework: str, folder: Path) -> None:
        self.framework = framework
        self.log = folder / f"{framework}.log"
        backend = "jax" if framework == "jax" else "tensorflow"
        self.pool = ProcessPoolExecutor(
            1, get_context("spawn"), frameworks.begin, (self.log,)
        )
        # The process starts here, with these variables.
        with patch.dict(os.environ, SETTINGS | {"KERAS_BACKEND": backend}):
            self.pool.submit(os.getpid).result()

    def ask(self, do: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of `frameworks` in the process.

        Raises:
            UnrollError: it fails, or the process has ended.
        """
        try:
            return self.pool.submit(do, self.framework, *arguments).result()
        except Exception as error:  # noqa: BLE001 - any error stops the bench
            printed = self.log.read_text(encoding="utf-8", errors="replace")
            last = printed.rstrip().rpartition("\n")[2]
            raise UnrollError(
                f"bench: {self.framework} failed: {type(error).__name__}: {error}; the "
                f"last line that it printed: {last!r}"
            ) from None

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown(wait=False, cancel_futures=True)


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """Measure every workload with Unroll and with other frameworks, round by round.

    Args:
        quick: whether fewer workloads and rounds are measured.
        say: called with a text about the next step.

    Returns:
        `rows`: one for each workload (`work`), phase and framework (`side`), with
        milliseconds per batch (`ms`), their `ratio` to Unroll's, and seconds until the
        first round was done (`warm_up`). `empty_call`: the milliseconds of a call of a
        compiled function that computes almost nothing, in Unroll's process.

    Raises:
        UnrollError: a framework failed, or has other losses; the message names it.
    """
    names = QUICK if quick else tuple(WORKLOADS)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="unroll-peers-") as folder,
        ExitStack() as stack,
    ):
        root = Path(folder)
        workloads.prepare(root, names)
        processes = [
            stack.enter_context(closing(PeerProcess(name, root))) for name in FRAMEWORKS
        ]
        for name in names:
            task = workloads.load(root, name)
            able = processes
            if task.random:  # PyTorch has no recurrent dropout
                able = [peer for peer in processes if peer.framework != "pytorch"]
            rows += compare(task, root, able, rounds, say)
        empty_call = 1e3 * processes[0].ask(frameworks.empty_call)
    return {"rows": rows, "empty_call": empty_call}


def compare(
    task: Task,
    root: Path,
    processes: Sequence[PeerProcess],
    rounds: int,
    say: Say,
) -> list[dict[str, Any]]:
    """Measure one workload (see `measure`). The first process is Unroll's."""
    unroll = processes[0]
    warm_ups = {}
    reference: dict[str, float] = {}
    for peer in processes:
        say(f"{task.name}: {peer.framework} builds and compiles")
        started = peer.ask(frameworks.start, root, task.name)
        warm_ups[peer] = started["warm_up"]
        losses = {
            "before": started["before"],
            "train": peer.ask(frameworks.learn, CHECKED),
        }
        reference = reference or losses
        check(task, peer.framework, losses, reference)
    workload = task.workload
    batches = {
        "train": workload.steps * workload.epochs,
        "evaluate": workload.evaluated * workload.evaluations,
    }
    times: dict[tuple[str, PeerProcess], list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"{task.name}: round {number + 1}")
        first = number % len(processes)
        for peer in [*processes[first:], *processes[:first]]:
            seconds = peer.ask(frameworks.turn)
            for phase, count in batches.items():
                times[phase, peer].append(1e3 * seconds[phase] / count)
    rows = []
    for phase in batches:
        for peer in processes:
            pairs = zip(times[phase, peer], times[phase, unroll], strict=True)
            rows.append(
                {
                    "work": task.name,
                    "phase": phase,
                    "side": peer.framework,
                    "ms": {"median": median(times[phase, peer])},
                    "ratio": {"median": median(own / ours for own, ours in pairs)},
                    "warm_up": warm_ups[peer],
                }
            )
    return rows


def learns_alike(task: Task, framework: str) -> bool:
    """Return whether a framework's losses after training steps must be Unroll's.

    With dropout, steps draw random numbers. Keras 3 on TensorFlow gives the optimizer
    one gradient for each occurrence of a word, and the optimizer adds up their squares.
    So RMSprop and Adam take other steps, with XLA or without.
    """
    by_word = task.data.vocabulary and framework in ("documents", "keras", "keras_jit")
    return not (task.random or by_word)


def check(
    task: Task,
    framework: str,
    losses: Mapping[str, float],
    reference: Mapping[str, float],
) -> None:
    """Raise UnrollError if a framework's losses are NaN or too far from Unroll's.

    Losses are by phase: `before` is on held-out examples, `train` is the mean over the
    first steps, which counts if the framework `learns_alike`.
    """
    counted = ["before", "train"] if learns_alike(task, framework) else ["before"]
    for when in counted:
        value = losses[when]
        expected = reference[when]
        if not abs(value - expected) <= TOLERANCE * abs(expected):
            raise UnrollError(
                f"bench: {framework} does not agree on {task.name}: the loss ({when}) "
                f"is {value:.6g}, Unroll's {expected:.6g}; so their times are no "
                "comparison"
            )
