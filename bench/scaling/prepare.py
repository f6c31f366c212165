"""Preparing a generated file in the format of Jena's official one, by the very commands that the pipeline runs."""

import copy
from pathlib import Path
from typing import Any

from bench import process_cost
from bench.repository import OFFICIAL_ROWS, REPOSITORY

DATASETS = ("jena", "jena_exact")


def stand_in(plain: dict[str, Any], rows: int) -> dict[str, Any]:
    """The two data sets of the official file, on a generated one of `rows` rows; `plain` is not changed."""
    datasets = {name: copy.deepcopy(plain["datasets"][name]) for name in DATASETS}
    for dataset in datasets.values():
        for part in ("train", "validation"):
            dataset["preparation"][part] = dataset["preparation"][part] * rows // OFFICIAL_ROWS
    source = {"kind": "stand_in", "of": "jena", "rows": rows}
    return {"sources": {"jena": source}, "datasets": datasets, "experiments": {}}


def measure(workspace: Path, *command: str) -> dict[str, float]:
    """Run one command of `unroll` in a workspace: its seconds, and its highest resident memory in MiB.

    Raises:
        CommandFailedError: it failed.
    """
    python = str(process_cost.interpreter())
    found = process_cost.run([python, "-m", "stages", "--root", str(workspace), *command], REPOSITORY)
    return {"seconds": round(found["seconds"], 2), "peak": round(found["peak"], 1)}
