"""bench/results.json: for each part what was measured, on which machine, and when."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from pipeline.files import read_json
from pipeline.provenance.machine import cpuinfo, flags
from pipeline.provenance.record import installed

LIBRARIES = ("tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "numpy", "dvc")

Results = dict[str, Any]


def read(path: Path) -> Results:
    """Return what was measured so far; nothing at first."""
    return dict(read_json(path)) if path.is_file() else {}


def merge(
    old: Results, part: str, measured: Mapping[str, Any], seconds: float
) -> Results:
    """Return the results with one part measured anew, on this machine, in so many
    seconds.
    """
    about = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds),
    }
    return {**old, part: about | dict(measured)}


def rounded(measured: Any, digits: int) -> Any:
    """Return plain data in which each number that is no count has so many digits."""
    return json.loads(
        json.dumps(measured),
        parse_float=lambda text: float(f"{float(text):.{digits}g}"),
    )


def machine() -> dict[str, Any]:
    """Return the kind of this machine and the versions of what runs on it; no name."""
    cpu = cpuinfo()
    kind = cpu.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in cpu:
        kind += f" (family {cpu['cpu family']}, model {cpu['model']})"
    wide = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return {
        "kind": kind,
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": next((wide[flag] for flag in wide if flag in flags()), ""),
        "python": platform.python_version(),
        "versions": installed(LIBRARIES),
    }
