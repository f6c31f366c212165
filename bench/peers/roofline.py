"""How fast one core can multiply matrices and copy memory at most, and how much of both a step takes at least."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from bench.peers.workloads import Task

SIZES = (256, 512, 1024, 2048)
"""Of the square matrices that are multiplied."""

COPIED = 2**28
"""Bytes of the array that is copied: more than any cache holds."""

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
FLOAT = 4


def measure(quick: bool, on_step: Callable[[str], None]) -> dict[str, Any]:
    """The peak of single-precision matrix products and of copying, on one thread: the best of many tries.

    Returns:
        sgemm_peak_gflops and copy_gbytes (read and written, per second), `library` and `sizes` of the products: size ->
        GFLOP/s.
    """
    from threadpoolctl import threadpool_info, threadpool_limits

    tries = 5 if quick else 25
    found: dict[str, float] = {}
    with threadpool_limits(1):
        libraries = [library["internal_api"] for library in threadpool_info() if library["user_api"] == "blas"]
        for size in SIZES:
            on_step(f"products of {size} x {size} matrices")
            left, right, out = np.random.default_rng(0).random((3, size, size), np.float32)
            repeats = max(1, (1024 // size) ** 3)
            seconds = best(tries, repeats, partial(np.matmul, left, right, out=out))
            found[str(size)] = 2e-9 * size**3 * repeats / seconds
    on_step("copying")
    source = np.ones(COPIED // 8)
    target = np.empty_like(source)
    seconds = best(tries, 1, partial(np.copyto, target, source))
    return {
        "sgemm_peak_gflops": round(max(found.values()), 2),
        "copy_gbytes": round(2e-9 * COPIED / seconds, 2),
        "library": libraries[0] if libraries else "unknown",
        "sizes": {size: round(value, 2) for size, value in found.items()},
    }


def best(tries: int, repeats: int, work: Callable[[], object]) -> float:
    """The least seconds that `repeats` calls took, of `tries`."""
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def flops(task: Task, phase: str) -> int | None:
    """Floating-point operations of the matrix products of one step, from the shapes; None by hand.

    Training is three times the forward pass: the gradient takes two products for each. Looking words up takes none.
    """
    if task.by_hand:
        return None
    options, name = task.experiment.model.options, task.experiment.model.name
    shape = task.data.input_shape
    if name == "mlp":
        forward = dense([int(np.prod(shape)), *options["hidden"], 1])
    else:
        units = options.get("units", 32)
        inputs = options["embedding"] if task.data.vocabulary else shape[-1]
        forward = recurrent(shape[0], inputs, units, GATES[name]) + dense([units, 1])
    return task.batch * forward * (3 if phase == "train" else 1)


def dense(widths: Sequence[int]) -> int:
    """Of one example through dense layers of these widths, the input's first."""
    return sum(2 * first * second for first, second in pairwise(widths))


def recurrent(timesteps: int, inputs: int, units: int, gates: int) -> int:
    """Of one example through a recurrent layer: every gate takes the input and the state."""
    return 2 * timesteps * (inputs + units) * gates * units


def traffic(task: Task, phase: str) -> dict[str, int] | None:
    """Bytes that the embedding of one step reads and writes, by part, if every place and every word count; else None.

    The looked-up vectors are written and read once, in training their gradients too. The optimizer reads and writes
    the table, its mean of squares and the gradient.
    """
    if not task.data.vocabulary:
        return None
    width = task.experiment.model.options["embedding"]
    vectors = 2 * FLOAT * task.batch * task.data.input_shape[0] * width
    if phase != "train":
        return {"vectors": vectors}
    return {"vectors": 2 * vectors, "table": 2 * 3 * FLOAT * task.data.vocabulary * width}


def filled(task: Task, phase: str) -> float:
    """The share of a step's timesteps that are not padding in front of a text; 1 where there are no words."""
    if not task.data.vocabulary:
        return 1.0
    examples, rows = task.held_out, np.arange(len(task.held_out))
    if phase == "train":
        examples, rows = task.data.splits["train"], task.rows.reshape(-1)
    words = examples.take(rows)[0] != 0
    return round(float(np.maximum.accumulate(words, axis=1).mean()), 4)


def with_shares(rows: Sequence[dict[str, Any]], peaks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows, those of Unroll with `share_of_peak` of the products and `share_of_copy` of the embedding's traffic.

    The median of a row counts. A share above 1 says that work was left out that the shapes hold.
    """
    found = []
    for row in rows:
        kept = {key: value for key, value in row.items() if not key.startswith("share_of_")}
        seconds = row["ms_per_step"]["median"] / 1e3
        if row["side"] == "unroll" and row["flops"]:
            kept["share_of_peak"] = round(row["flops"] / seconds / 1e9 / peaks["sgemm_peak_gflops"], 4)
        if row["side"] == "unroll" and row["traffic"]:
            moved = sum(row["traffic"].values())
            kept["share_of_copy"] = round(moved / seconds / 1e9 / peaks["copy_gbytes"], 4)
        found.append(kept)
    return found
