"""bench/results.json: what was measured, where and when. A part that is measured again replaces what it found."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.peers import roofline
from pipeline.errors import UnrollError
from pipeline.files import read_json, write_json
from pipeline.provenance.machine import cpuinfo, flags

LIBRARIES = ("tensorflow", "keras", "torch", "jax", "numpy", "dvc")
PARTS = ("peers", "roofline", "scaling", "costs", "newcomer", "series", "cluster")

Results = dict[str, Any]


def read(path: Path) -> Results:
    """What was measured so far; nothing at first."""
    return dict(read_json(path)) if path.is_file() else {}


def write(path: Path, results: Results) -> None:
    """Write results.json, whole or not at all."""
    write_json(path, results)


def require_same_machine(old: Results, part: str, machine: Mapping[str, Any]) -> None:
    """Raise UnrollError if parts other than this one were measured on a machine of another kind."""
    others = set(old.get("parts", {})) - {part}
    if others and any(old["machine"][key] != machine[key] for key in ("kind", "cores", "system")):
        raise UnrollError(
            f"bench/results.json is of another machine ({old['machine']['kind']}; this is {machine['kind']}); "
            "run `make bench` without a part to measure all of it here"
        )


def rounded(found: Mapping[str, Any], digits: int = 5) -> dict[str, Any]:
    """What was measured as plain data, every number that is no count with so many digits."""
    plain: dict[str, Any] = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.{digits}g}"))
    return plain


def merge(old: Results, part: str, measured: Mapping[str, Any], about: Mapping[str, Any]) -> Results:
    """The results with one part measured anew.

    Args:
        old: the results so far.
        part: of PARTS.
        measured: what its `measure` gave.
        about: of this measurement: machine, date, seconds and steps.
    """
    new = {key: old[key] for key in ("rows", "absent", "works", *PARTS[1:]) if key in old}
    new |= measured if part == "peers" else {part: dict(measured)}
    if "rows" in new and "roofline" in new:
        new["rows"] = roofline.with_shares(new["rows"], new["roofline"])
    parts = old.get("parts", {}) | {part: {key: about[key] for key in ("date", "seconds", "steps")}}
    parts = {name: parts[name] for name in PARTS if name in parts}
    return {"machine": about["machine"], "date": about["date"], "parts": parts, **new}


def today() -> str:
    """The date in UTC."""
    return datetime.now(UTC).date().isoformat()


def machine() -> dict[str, Any]:
    """The kind of this machine and the versions of what runs on it; nothing that names it."""
    cpu = cpuinfo()
    name = cpu.get("model name") or platform.processor() or platform.machine()
    wide = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return {
        "kind": f"{name} (family {cpu['cpu family']}, model {cpu['model']})" if "cpu family" in cpu else name,
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": next((text for flag, text in wide.items() if flag in flags()), ""),
        "python": platform.python_version(),
        "versions": {library: version for library in LIBRARIES if (version := _installed(library))},
    }


def _installed(library: str) -> str:
    """Its version, "" where it is not installed; tensorflow-cpu counts as tensorflow."""
    for name in (library, f"{library}-cpu"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""
