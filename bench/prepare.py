"""Seconds and peak memory of preparing a full-size Jena file: `python bench/prepare.py [--rows 420551] [--json]`.

The file is generated in the official format, in a workspace of its own, and prepared by the very command that the
pipeline runs, `unroll prepare`, in a process of its own.
"""

import argparse
import copy
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench import metering  # noqa: E402 - found only now, as the project is where it is not installed
from pipeline.config import params  # noqa: E402
from pipeline.config import plain_yaml

LIMIT = 1024.0
OFFICIAL_ROWS = 420_551
DATASETS = ("jena", "jena_exact")


def main() -> int:
    """Measure and print; 1 if a peak is not below the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=OFFICIAL_ROWS, help="of the file (420,551)")
    parser.add_argument("--json", action="store_true", help="print data for programs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        workspace = Path(folder)
        plain_yaml.write(stand_in(plain_yaml.read(REPOSITORY / "params.yaml"), arguments.rows), workspace / "params.yaml")
        found = {"source": measure(workspace, "source", "jena")}
        found |= {name: measure(workspace, "prepare", name) for name in DATASETS}
        size = (workspace / "data/raw/jena/jena_climate_2009_2016.csv").stat().st_size
    if arguments.json:
        print(json.dumps({"rows": arguments.rows, "bytes": size, "limit": LIMIT, "steps": found}, indent=1))
    else:
        print(f"{arguments.rows:,} rows of 15 columns, {size / 1e6:.1f} MB, the interpreter included:")
        for step, cost in found.items():
            print(f"{step:12} {cost['seconds']:6.1f} s {cost['peak']:8.0f} MiB")
        print(f"limit of preparing {LIMIT:.0f} MiB")
    return int(any(found[name]["peak"] >= LIMIT for name in DATASETS))


def stand_in(plain: dict[str, Any], rows: int) -> dict[str, Any]:
    """The two data sets of the official file, on a generated one of `rows` rows; `plain` is not changed."""
    datasets = {name: copy.deepcopy(plain["datasets"][name]) for name in DATASETS}
    for dataset in datasets.values():
        for part in ("train", "validation"):
            dataset["preparation"][part] = dataset["preparation"][part] * rows // OFFICIAL_ROWS
    source = {"kind": "stand_in", "of": "jena", "rows": rows}
    return {"sources": {"jena": source}, "datasets": datasets, "experiments": {}}


def measure(workspace: Path, *command: str) -> dict[str, float]:
    """Run one command of `unroll`: its seconds, and its highest resident memory in MiB.

    Raises:
        CommandFailedError: see `bench.metering.run`.
    """
    found = metering.run([str(metering.interpreter()), "-m", "stages", "--root", str(workspace), *command], REPOSITORY)
    return {"seconds": round(found["seconds"], 2), "peak": round(found["peak"], 1)}


if __name__ == "__main__":
    sys.exit(main())
