"""What the trainings of a build cost, by data set, from the records beside their runs, and
what its searches cost, from results/trials.

A record holds when the process of a training began and ended, and its CPU seconds
(`pipeline.provenance.record`). Nothing is trained here.
"""

from typing import Any

import pandas as pd

from bench import REPOSITORY, Say
from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.files import read_checked
from pipeline.provenance.record import Record
from pipeline.workspace import Workspace


def measure(_quick: bool, say: Say) -> dict[str, Any]:
    """Return data set -> its experiments, and the seconds and CPU seconds of their
    trainings, for each data set of params.yaml whose trainings all have a record here.

    The CPU seconds are None where a record is older than they are.

    Raises:
        UnrollError: no data set has all its records here.
    """
    workspace = Workspace(REPOSITORY)
    config = params.load(workspace.params)
    found = {}
    for name in config.datasets:
        experiments = config.experiments_of(name)
        paths = [workspace.record(name, experiment) for experiment in experiments]
        missing = sum(not path.is_file() for path in paths)
        if missing:
            say(f"{name}: {missing} of {len(paths)} records are on another machine")
            continue
        found[name] = costs([read_checked(path, Record) for path in paths])
    if not found:
        raise UnrollError(
            "no data set was trained in this checkout; `unroll repro --force` trains all"
        )
    return {"datasets": found, "searches": searches(workspace)}


def searches(workspace: Workspace) -> dict[str, dict[str, float]]:
    """Return data set -> model -> the CPU seconds of the trainings of its search.

    Searches that are older than these seconds are left out.
    """
    found: dict[str, dict[str, float]] = {}
    for path in sorted((workspace.root / "results/trials").glob("*/*.csv")):
        table = pd.read_csv(path)
        if "cpu_seconds" in table:
            own = found.setdefault(path.parent.name, {})
            own[path.stem] = float(table["cpu_seconds"].sum())
    return found


def costs(records: list[Record]) -> dict[str, Any]:
    """Return the number of trainings of a data set, and their seconds."""
    known = [r.cpu_seconds for r in records if r.cpu_seconds is not None]
    return {
        "experiments": len(records),
        "seconds": sum(record.seconds for record in records),
        "cpu": sum(known) if len(known) == len(records) else None,
    }
