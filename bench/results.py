"""bench/results.json: what was measured, where and when. A part that is measured again
replaces what it found.
"""

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

from pipeline.errors import UnrollError
from pipeline.files import read_json, write_text
from pipeline.provenance.machine import cpuinfo, flags

LIBRARIES = ("tensorflow", "keras", "torch", "jax", "numpy", "dvc")
WIDTH = 300
"""Characters of a line of results.json: room for a row of a table."""

Results = dict[str, Any]


def read(path: Path) -> Results:
    """What was measured so far; nothing at first."""
    return dict(read_json(path)) if path.is_file() else {}


def write(path: Path, measured: Results) -> None:
    """Write results.json, whole or not at all."""
    write_text(path, _text(measured) + "\n")


def _text(value: Any, indent: str = "") -> str:
    """JSON with a line for whatever fits on one."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(indent + flat) <= WIDTH or not isinstance(value, dict | list):
        return flat
    inner = f"{indent} "
    if isinstance(value, dict):
        lines = [
            f"{json.dumps(key)}: {_text(part, inner)}" for key, part in value.items()
        ]
    else:
        lines = [_text(part, inner) for part in value]
    return f",\n{inner}".join(lines).join(
        (f"{flat[0]}\n{inner}", f"\n{indent}{flat[-1]}")
    )


def require_same_machine(old: Results, part: str) -> None:
    """Raise UnrollError if parts other than this one were measured on a machine of
    another kind.
    """
    here = machine()
    there = old.get("machine", here)
    if old.keys() - {"machine", part} and any(
        there[key] != here[key] for key in ("kind", "cores", "system")
    ):
        raise UnrollError(
            f"bench/results.json is of another machine ({there['kind']}; this is {here['kind']}); "
            "run `make bench` without a part to measure all of it here"
        )


def merge(
    old: Results, part: str, measured: Mapping[str, Any], seconds: float
) -> Results:
    """The results with one part measured anew, on this machine, in so many seconds."""
    about = {"date": datetime.now(UTC).date().isoformat(), "seconds": round(seconds)}
    return {**old, "machine": machine(), part: about | dict(measured)}


def rounded(measured: Any, digits: int) -> Any:
    """What was measured as plain data, every number that is no count with so many
    digits.
    """
    return json.loads(
        json.dumps(measured),
        parse_float=lambda text: float(f"{float(text):.{digits}g}"),
    )


def machine() -> dict[str, Any]:
    """The kind of this machine and the versions of what runs on it; nothing that names
    it.
    """
    cpu = cpuinfo()
    name = cpu.get("model name") or platform.processor() or platform.machine()
    wide = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return {
        "kind": f"{name} (family {cpu['cpu family']}, model {cpu['model']})"
        if "cpu family" in cpu
        else name,
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": next(
            (text for flag, text in wide.items() if flag in flags()), ""
        ),
        "python": platform.python_version(),
        "versions": {
            library: version
            for library in LIBRARIES
            if (version := _installed(library))
        },
    }


def _installed(library: str) -> str:
    """Its version, "" where it is not installed; tensorflow-cpu counts as tensorflow."""
    for name in (library, f"{library}-cpu"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""
