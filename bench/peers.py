"""Unroll and its peers in turn on the same work, and whether they came to the same losses."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from bench import limit, works
from bench.prepare import REPOSITORY
from bench.sides import SUMMED
from bench.works import Task, WORKS
from pipeline.errors import UnrollError

ROUNDS, QUICK_ROUNDS = 5, 2

QUICK = ("jena_lstm", "imdb_simple_rnn", "sine_dense", "waves_by_hand")
"""The works of a quick run."""

TOLERANCE = 1e-4
"""How far a side's loss may lie from its reference, of the loss. Other orders of the same sums were seen to move it by
less than 1e-6; gates in another order, or epsilon outside of the root, by more than 1e-3 (tests/bench)."""

SEEDS, DEVIATIONS = 10, 6.0
"""With dropout the masks differ. The reference is then the mean of Unroll's losses over this many seeds, and the
tolerance so many of their standard deviations; of a side that does the same, 1 loss in 5,000 lies outside (Student's t
with 9 degrees of freedom)."""

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

Losses = dict[str, float]
"""`before` and `after` training, of the held-out examples, and the mean of the steps of the `train`ing between."""


class Worker:
    """A side's process.

    Args:
        side: its name.
        log: where its libraries may write.
    """

    def __init__(self, side: str, log: Path) -> None:
        self.side, self.log = side, log
        backend = "jax" if side == "jax" else "tensorflow"
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench.worker"],
                cwd=REPOSITORY,
                env=os.environ | ENVIRONMENT | {"KERAS_BACKEND": backend},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                encoding="utf-8",
            )

    def load_libraries(self) -> None:
        """Import what the side needs, so that its warm-up is that of the work. What is missing shows at the work."""
        with contextlib.suppress(SideError):
            self.ask(do="import", side=self.side)

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer.

        Raises:
            SideError: the side could not, or its process ended.
        """
        assert self.process.stdin  # noqa: S101 - a pipe, as is the next
        assert self.process.stdout  # noqa: S101
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise SideError(f"its process ended: {said[-1] if said else 'without a word'}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SideError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class SideError(Exception):
    """A side could not do a work; the text says why."""


def measure(
    quick: bool, on_step: Callable[[str], None], names: Sequence[str] = (), sides: Sequence[str] = works.SIDES
) -> dict[str, Any]:
    """Every work by every side, round by round.

    Args:
        quick: fewer works and rounds.
        on_step: told in words what is done next.
        names: works; none: all, or those of a quick run.
        sides: of works.SIDES, unroll among them.

    Returns:
        rows: one for each work, phase and side; absent: work, side and reason; works: what each is, and its losses.

    Raises:
        UnrollError: Unroll failed, or a side came to other losses; names both.
    """
    names = names or (QUICK if quick else tuple(WORKS))
    found: dict[str, Any] = {"rows": [], "absent": [], "works": {}}
    with tempfile.TemporaryDirectory(prefix="unroll-peers-") as folder:
        root = Path(folder)
        on_step("making the data")
        works.prepare(root, REPOSITORY, list(names), mirror=bool(os.environ.get("UNROLL_MIRROR")))
        workers = {side: Worker(side, root / f"{side}.log") for side in sides}
        try:
            for side, worker in workers.items():
                on_step(f"{side}: start")
                worker.load_libraries()
            for name in names:
                compare(works.load(root, name), root, workers, QUICK_ROUNDS if quick else ROUNDS, on_step, found)
        finally:
            for worker in workers.values():
                worker.close()
    return found


def compare(
    task: Task,
    root: Path,
    workers: Mapping[str, Worker],
    rounds: int,
    on_step: Callable[[str], None],
    found: dict[str, Any],
) -> None:
    """Add one work's rows to what was found; arguments as in `measure`."""
    sides = [side for side in workers if side in task.work.sides]
    losses: dict[str, Losses] = {}
    warm: dict[str, float] = {}
    for side in sides:
        on_step(f"{task.name}: {side} builds and compiles")
        try:
            losses[side], warm[side] = start(workers[side], side, task, root)
        except SideError as error:
            if side == "unroll":
                raise UnrollError(f"bench: unroll failed at {task.name}: {error}") from None
            reason = " ".join(str(error).replace(f"{REPOSITORY}/", "").split())
            found["absent"].append({"work": task.name, "side": side, "reason": f"{reason:.200}"})
    references = {"unroll": reference(task, workers["unroll"], losses["unroll"])}
    checked = dict(losses)
    if task.data.vocabulary and "keras" in losses:
        on_step(f"{task.name}: Keras with summed gradients")
        references["keras"] = exact(losses["keras"])
        checked[SUMMED] = start(workers["unroll"], SUMMED, task, root)[0]
        start(workers["unroll"], "unroll", task, root)
    checks = {side: check(task, side, found_losses, references) for side, found_losses in checked.items()}
    times: dict[str, dict[str, list[float]]] = {side: {"train": [], "evaluate": []} for side in losses}
    for done in range(rounds):
        on_step(f"{task.name}: round {done + 1} of {rounds}")
        turn = done % len(times)
        for side in [*times][turn:] + [*times][:turn]:
            train, evaluate = once(workers[side], task)
            times[side]["train"].append(train)
            times[side]["evaluate"].append(evaluate)
    found["rows"] += [
        row(task, phase, side, times, warm[side], losses[side]) for phase in ("train", "evaluate") for side in times
    ]
    found["works"][task.name] = {
        "experiment": task.work.experiment,
        "stand_in": task.data.stand_in,
        "batch": task.batch,
        "steps": task.steps,
        "evaluated": task.work.evaluated * task.batch,
        "rounds": rounds,
        "checks": checks,
    }


def once(worker: Worker, task: Task) -> tuple[float, float]:
    """Milliseconds per batch of one round's training and of its evaluation.

    Raises:
        UnrollError: a side that could before cannot now.
    """
    try:
        train, evaluate = worker.ask(do="train", seed=0)["seconds"], worker.ask(do="evaluate")["seconds"]
    except SideError as error:
        raise UnrollError(f"bench: {worker.side} failed at {task.name}: {error}") from None
    return 1e3 * train / task.steps, 1e3 * evaluate / (task.work.evaluated * task.work.evaluations)


def start(worker: Worker, side: str, task: Task, root: Path) -> tuple[Losses, float]:
    """Build and compile a side: the losses of its first round, and the seconds until then."""
    begin = time.perf_counter()
    worker.ask(do="load", side=side, root=str(root), work=task.name)
    before = worker.ask(do="evaluate")["loss"]
    train = worker.ask(do="train", seed=0)["loss"]
    seconds = time.perf_counter() - begin
    return {"before": before, "train": train, "after": worker.ask(do="evaluate")["loss"]}, seconds


Reference = dict[str, tuple[float, float]]
"""As `Losses`, each with how far a side may lie from it."""


def exact(losses: Losses) -> Reference:
    """Losses that a side has to come to but for rounding."""
    return {when: (loss, TOLERANCE * abs(loss)) for when, loss in losses.items()}


def reference(task: Task, unroll: Worker, losses: Losses) -> Reference:
    """What Unroll's losses ask of the others: with dropout, of their spread over seeds."""
    found = exact(losses)
    if task.random:
        drawn: dict[str, list[float]] = {"train": [losses["train"]], "after": [losses["after"]]}
        for seed in range(1, SEEDS):
            drawn["train"].append(unroll.ask(do="train", seed=seed)["loss"])
            drawn["after"].append(unroll.ask(do="evaluate")["loss"])
        for when, values in drawn.items():
            found[when] = fmean(values), DEVIATIONS * stdev(values) * (1 + 1 / SEEDS) ** 0.5
    return found


def check(task: Task, side: str, losses: Losses, references: Mapping[str, Reference]) -> dict[str, Any]:
    """How far a side's losses lie from those that it has to come to.

    Raises:
        UnrollError: too far, or no number.
    """
    # Of words, Keras on TensorFlow comes to other numbers than the rest; `sides.SUMMED` ties the two together.
    of = "keras" if "keras" in references and side in {"documents", "keras", "keras_jit"} else "unroll"
    found: dict[str, Any] = {"reference": of}
    for when, loss in losses.items():
        expected, tolerance = references[of][when]
        if not abs(loss - expected) <= tolerance:
            raise UnrollError(
                f"bench: {side} does not agree on {task.name}: the loss {WHEN[when]} is {loss:.6g}, that of {of} "
                f"{expected:.6g}, and they may differ by {tolerance:.2g}; so their times are no comparison"
            )
        found[when] = {"difference": abs(loss - expected), "tolerance": tolerance}
    return found


WHEN = {"before": "before training", "train": "of the training steps", "after": "after training"}


def row(
    task: Task,
    phase: str,
    side: str,
    times: Mapping[str, Mapping[str, Sequence[float]]],
    warm: float,
    losses: Losses,
) -> dict[str, Any]:
    """One measurement, as results.json has it. `ratio` is this side's time over Unroll's, round by round."""
    mine, unroll = times[side][phase], times["unroll"][phase]
    return {
        "work": task.name,
        "phase": phase,
        "side": side,
        "threads": 1,
        "ms_per_step": spread(mine),
        "ratio": spread([one / other for one, other in zip(mine, unroll, strict=True)]),
        "warm_up_seconds": round(warm, 2),
        "loss": losses,
        "flops": limit.flops(task, phase) if side == "unroll" else None,
        "traffic": limit.traffic(task, phase) if side == "unroll" else None,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max, to four figures."""
    return {name: float(f"{of(values):.4g}") for name, of in (("min", min), ("median", median), ("max", max))}
