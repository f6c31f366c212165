"""What a framework does in a process of its own, one call after the other (`compare.Worker`)."""

import gc
import os
import time
from pathlib import Path

from bench.peers import frameworks, workloads
from bench.peers.frameworks import Framework

held: dict[str, Framework] = {}
"""What the process keeps from one call to the next: its framework's name -> the model of the current workload."""


def begin(log: Path) -> None:
    """One core, since some libraries start threads whatever they are told; what libraries print goes to a file."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def start(framework: str, root: Path, workload: str) -> dict[str, float]:
    """Build a model and go through a first round: the held-out loss `before`, and the seconds of it all (`warm_up`)."""
    held.pop(framework, None)  # the memory of the last workload
    gc.collect()
    task, make = workloads.load(root, workload), frameworks.make(framework)
    began = time.perf_counter()
    one = held[framework] = make(task)
    before = one.evaluate()[1]
    one.train()
    return {"before": before, "warm_up": time.perf_counter() - began}


def learn(framework: str, seed: int, steps: int) -> float:
    """Start again from the first weights: the mean loss of the first steps."""
    held[framework].reset(seed)
    return held[framework].learn(steps)


def turn(framework: str) -> dict[str, float]:
    """One round: the seconds of each phase."""
    held[framework].reset(0)
    return {"train": held[framework].train(), "evaluate": held[framework].evaluate()[0]}
