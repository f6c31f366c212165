"""Unroll and other frameworks in turn on the same work, and whether they came to the same losses."""

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

from bench.peers import roofline, workloads
from bench.peers.frameworks import SUMMED
from bench.peers.workloads import FRAMEWORKS, WORKLOADS, Task
from bench.repository import REPOSITORY
from pipeline import numerics
from pipeline.errors import UnrollError

ROUNDS, MOST_ROUNDS, QUICK_ROUNDS = 3, 5, 2

NARROW = 0.1
"""After `ROUNDS` there is another round while a ratio's greatest and least lie further apart than this share of its
median, up to `MOST_ROUNDS`."""

QUICK = ("jena_lstm", "imdb_simple_rnn", "sine_dense", "waves_by_hand")
"""The workloads of a quick run."""

TOLERANCE = 1e-4
"""How far a loss may lie from its reference, as a share of it. Other orders of the same sums were seen to move it by
less than 1e-6; gates in another order, or epsilon outside of the root, by more than 1e-3 (tests/bench)."""

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

Losses = dict[str, float]
"""`before` training, of the held-out examples, and the mean of the first steps of the `train`ing."""


class Worker:
    """A framework's process.

    Args:
        framework: its name.
        folder: where its libraries may write, to a file.
        own_settings: whether it runs as it comes; else with what Unroll sets before its processes start.
    """

    def __init__(self, framework: str, folder: Path, *, own_settings: bool = False) -> None:
        self.framework, self.own_settings = framework, own_settings
        self.log = folder / f"{self}.log"
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

    def __str__(self) -> str:
        return f"{self.framework}{' as it comes' * self.own_settings}"

    def load_libraries(self) -> None:
        """Import its libraries, so that no workload's warm-up counts that. A missing one shows when it is used."""
        with contextlib.suppress(FrameworkError):
            self.ask(do="import", framework=self.framework)

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer.

        Raises:
            FrameworkError: it could not, or its process ended.
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
            raise FrameworkError(f"its process ended: {said[-1] if said else 'without a word'}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise FrameworkError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class FrameworkError(Exception):
    """A framework could not do a workload; the text says why."""


def measure(quick: bool, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Every workload by every framework, round by round.

    Args:
        quick: fewer workloads and rounds.
        on_step: told in words what is done next.

    Returns:
        rows: one for each workload (`work`), phase, framework (`side`) and whether with `own_settings`; absent: work,
        side and reason; works: what each is, and its losses.

    Raises:
        UnrollError: Unroll failed, or a framework came to other losses; names both.
    """
    names = QUICK if quick else tuple(WORKLOADS)
    found: dict[str, Any] = {"rows": [], "absent": [], "works": {}}
    with tempfile.TemporaryDirectory(prefix="unroll-peers-") as folder:
        root = Path(folder)
        on_step("making the data")
        experiments = [WORKLOADS[name].experiment for name in names]
        workloads.prepare(root, REPOSITORY, experiments, mirror=bool(os.environ.get("UNROLL_MIRROR")))
        sides = [(name, own) for name in FRAMEWORKS for own in (True, False) if name != "unroll" or not own]
        workers = [Worker(name, root, own_settings=own) for name, own in sides]
        try:
            for worker in workers:
                on_step(f"{worker}: start")
                worker.load_libraries()
            for name in names:
                compare(workloads.load(root, name), root, workers, quick, on_step, found)
        finally:
            for worker in workers:
                worker.close()
    return found


def compare(
    task: Task,
    root: Path,
    workers: Sequence[Worker],
    quick: bool,
    on_step: Callable[[str], None],
    found: dict[str, Any],
) -> None:
    """Add one workload's rows to what was found; arguments as in `measure`, and Unroll is the first of the workers."""
    unroll, losses, warm, summed = workers[0], dict[Worker, Losses](), dict[Worker, float](), dict[str, Losses]()
    for worker in (worker for worker in workers if worker.framework in task.workload.frameworks):
        on_step(f"{task.name}: {worker} builds and compiles")
        try:
            if task.data.vocabulary and worker.framework == "keras" and not summed:
                summed[SUMMED] = start(worker, SUMMED, task, root)[0]
            losses[worker], warm[worker] = start(worker, worker.framework, task, root)
        except FrameworkError as error:
            if worker is unroll:
                raise UnrollError(f"bench: unroll failed at {task.name}: {error}") from None
            reason = " ".join(str(error).replace(f"{REPOSITORY}/", "").split())
            found["absent"].append({"work": task.name, "side": str(worker), "reason": f"{reason:.200}"})
    references = {"unroll": reference(task, unroll, losses[unroll])}
    if keras := [losses[worker] for worker in losses if summed and worker.framework == "keras"]:
        references["keras"] = exact(keras[0])
    checks = {name: check(task, name, its_losses, references) for name, its_losses in summed.items()}
    checks |= {worker.framework: check(task, worker.framework, losses[worker], references) for worker in losses}
    times: dict[Worker, dict[str, list[float]]] = {worker: {"train": [], "evaluate": []} for worker in losses}
    done = 0
    while done < QUICK_ROUNDS if quick else done < ROUNDS or (done < MOST_ROUNDS and widest(times, unroll) > NARROW):
        on_step(f"{task.name}: round {done + 1}")
        turn = done % len(times)
        for worker in [*times][turn:] + [*times][:turn]:
            for phase, milliseconds in once(worker, task).items():
                times[worker][phase].append(milliseconds)
        done += 1
    found["rows"] += [
        row(task, phase, worker, times, unroll, warm[worker], losses[worker])
        for phase in ("train", "evaluate")
        for worker in times
    ]
    found["works"][task.name] = {
        "experiment": task.workload.experiment,
        "stand_in": task.data.stand_in,
        "batch": task.batch,
        "steps": task.steps,
        "evaluated": task.workload.evaluated * task.batch,
        "rounds": done,
        "checks": checks,
    }


Times = Mapping[Worker, Mapping[str, Sequence[float]]]
"""Worker -> phase -> milliseconds per batch, round by round."""


def widest(times: Times, unroll: Worker) -> float:
    """Between the least and the greatest ratio of a worker, as a share of its median: of all workers the most."""
    spreads = [spread(ratios(times, worker, unroll, phase)) for worker in times for phase in ("train", "evaluate")]
    return max((one["max"] - one["min"]) / one["median"] for one in spreads)


def ratios(times: Times, worker: Worker, unroll: Worker, phase: str) -> list[float]:
    """A worker's time over Unroll's, round by round."""
    return [one / other for one, other in zip(times[worker][phase], times[unroll][phase], strict=True)]


def once(worker: Worker, task: Task) -> dict[str, float]:
    """Milliseconds per batch of one round's training and of its evaluation.

    Raises:
        UnrollError: a framework that could before cannot now.
    """
    try:
        train, evaluate = worker.ask(do="train", seed=0)["seconds"], worker.ask(do="evaluate")["seconds"]
    except FrameworkError as error:
        raise UnrollError(f"bench: {worker} failed at {task.name}: {error}") from None
    evaluated = task.workload.evaluated * task.workload.evaluations
    return {"train": 1e3 * train / task.steps, "evaluate": 1e3 * evaluate / evaluated}


def start(worker: Worker, framework: str, task: Task, root: Path) -> tuple[Losses, float]:
    """Build, compile and go through a first round: the losses that are compared, and the seconds until then."""
    begin = time.perf_counter()
    worker.ask(do="load", framework=framework, root=str(root), workload=task.name)
    before = worker.ask(do="evaluate")["loss"]
    worker.ask(do="train", seed=0)
    seconds = time.perf_counter() - begin
    return {"before": before, "train": loss(worker, task, 0)}, seconds


def loss(worker: Worker, task: Task, seed: int) -> float:
    """The mean loss of the first steps: all where dropout makes one step a matter of luck, else `CHECKED`."""
    steps = task.workload.steps if task.random else CHECKED
    return float(worker.ask(do="learn", seed=seed, steps=steps)["loss"])


Reference = dict[str, tuple[float, float]]
"""As `Losses`, each with how far a framework may lie from it."""


def exact(losses: Losses) -> Reference:
    """Losses that a framework has to come to but for rounding."""
    return {when: (loss, TOLERANCE * abs(loss)) for when, loss in losses.items()}


def reference(task: Task, unroll: Worker, losses: Losses) -> Reference:
    """What Unroll's losses ask of the others: with dropout, of their spread over seeds."""
    found = exact(losses)
    if task.random:
        drawn = [losses["train"], *(loss(unroll, task, seed) for seed in range(1, SEEDS))]
        found["train"] = fmean(drawn), DEVIATIONS * stdev(drawn) * (1 + 1 / SEEDS) ** 0.5
    return found


def check(task: Task, framework: str, losses: Losses, references: Mapping[str, Reference]) -> dict[str, Any]:
    """How far a framework's losses lie from those that it has to come to.

    Raises:
        UnrollError: too far, or no number.
    """
    # Of words, Keras on TensorFlow comes to other numbers than the rest, compiled or not; `SUMMED` ties them together.
    of = "keras" if "keras" in references and framework in {"documents", "keras", "keras_jit"} else "unroll"
    found: dict[str, Any] = {"reference": of}
    for when, value in losses.items():
        expected, tolerance = references[of][when]
        if not abs(value - expected) <= tolerance:
            raise UnrollError(
                f"bench: {framework} does not agree on {task.name}: the loss {WHEN[when]} is {value:.6g}, that of {of} "
                f"{expected:.6g}, and they may differ by {tolerance:.2g}; so their times are no comparison"
            )
        found[when] = {"difference": abs(value - expected), "tolerance": tolerance}
    return found


WHEN = {"before": "before training", "train": "of the first training steps"}


def row(
    task: Task, phase: str, worker: Worker, times: Times, unroll: Worker, warm: float, losses: Losses
) -> dict[str, Any]:
    """One measurement, as results.json has it. `ratio` is this worker's time over Unroll's, round by round."""
    return {
        "work": task.name,
        "phase": phase,
        "side": worker.framework,
        "own_settings": worker.own_settings,
        "threads": 1,
        "ms_per_step": spread(times[worker][phase]),
        "ratio": spread(ratios(times, worker, unroll, phase)),
        "warm_up_seconds": round(warm, 2),
        "loss": losses,
        "flops": roofline.flops(task, phase) if worker is unroll else None,
        "traffic": roofline.traffic(task, phase) if worker is unroll else None,
        "filled": roofline.filled(task, phase) if worker is unroll else None,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max, to four figures."""
    return {name: float(f"{of(values):.4g}") for name, of in (("min", min), ("median", median), ("max", max))}
