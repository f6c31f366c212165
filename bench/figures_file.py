"""The file bench/results.json, with machine and date of each part's measurements, and
the page docs/performance.md, which is made from it.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
import psutil
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.peers.side_by_side import CHECKED, OWN
from bench.peers.workloads import FRAMEWORKS
from pipeline.files import read_json
from pipeline.provenance.machine import cpuinfo, flags, installed

LIBRARIES = ("tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "numpy", "dvc")
"""The libraries whose versions are noted."""

DIGITS = 4
"""Significant digits of the results."""

Results = dict[str, Any]

PEERS = FRAMEWORKS[1:]
"""The other frameworks."""

Row = dict[str, Any]
Rows = Mapping[str, Row]
"""Framework -> its row, for one workload and phase."""


def read(path: Path) -> Results:
    """Return the measurements in a file; an empty mapping if there is no file."""
    return dict(read_json(path)) if path.is_file() else {}


def merge(
    old: Results, part: str, measured: Mapping[str, Any], seconds: float
) -> Results:
    """Return the results with one part replaced, with machine, date and seconds.

    All numbers are rounded to `DIGITS`.
    """
    about = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds),
    }
    rounded = json.loads(
        json.dumps(measured),
        parse_float=lambda text: float(f"{float(text):.{DIGITS}g}"),
    )
    return {**old, part: about | rounded}


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


def page(measured: Mapping[str, Any]) -> str:
    """Return the text of docs/performance.md."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown
    )
    environment.filters |= {
        "figure": figure,
        "fastest": fastest,
        "geometric_mean": geometric_mean,
    }
    rows = measured.get("peers", {}).get("rows", [])
    settings = " ".join(
        f'{name}="{value}"' if " " in value else f"{name}={value}"
        for name, value in OWN.items()
    )
    return environment.get_template("performance.md.j2").render(
        found=measured,
        groups=grouped(rows),
        warm_ups=[row["warm_up"] for row in rows if row["side"] == "unroll"],
        checked=CHECKED,
        settings=settings,
    )


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    """Return (workload, phase) -> the rows of Unroll and of its peers."""
    groups: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        groups.setdefault((row["work"], row["phase"]), {})[row["side"]] = row
    return groups


def fastest(rows: Rows) -> Row:
    """Return the row of the peer with the lowest median."""
    return min(
        (rows[name] for name in PEERS if name in rows),
        key=lambda row: float(row["ms"]["median"]),
    )


def figure(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    return np.format_float_positional(
        value, 3, unique=False, fractional=False, trim="-"
    )
