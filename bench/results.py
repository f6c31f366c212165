"""The file bench/results.json: the measurements of each part, with machine and date."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from pipeline.files import read_json
from pipeline.provenance.machine import cpuinfo, flags, installed

LIBRARIES = ("tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "numpy", "dvc")
"""The libraries whose versions are noted."""

Results = dict[str, Any]


def read(path: Path) -> Results:
    """Return the measurements in a file; an empty mapping if there is no file."""
    return dict(read_json(path)) if path.is_file() else {}


def merge(
    old: Results, part: str, measured: Mapping[str, Any], seconds: float
) -> Results:
    """Return the results with one part replaced, with machine, date and seconds."""
    about = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds),
    }
    return {**old, part: about | dict(measured)}


def rounded(measured: Any, digits: int) -> Any:
    """Return plain data with all floats rounded to `digits` significant digits."""
    return json.loads(
        json.dumps(measured),
        parse_float=lambda text: float(f"{float(text):.{digits}g}"),
    )


def machine() -> dict[str, Any]:
    """Return the kind of this machine, without its name, and the libraries' versions."""
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
