"""bench/results.json: what was measured, where and when. A part measured again replaces what it found."""

import datetime as dt
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from bench import limit
from bench.prepare import REPOSITORY
from pipeline.errors import UnrollError
from pipeline.files import read_json, write_json

COMMITTED = REPOSITORY / "bench"
"""The folder of results.json; a quick run writes to a scratch folder in its place."""

LIBRARIES = ("tensorflow", "keras", "torch", "jax", "numpy", "dvc")
PARTS = ("peers", "limit", "scaling", "costs")


def read(path: Path) -> dict[str, Any]:
    """What was measured so far; nothing at first."""
    return dict(read_json(path)) if path.is_file() else {}


def require_same_machine(old: Mapping[str, Any], part: str, machine: Mapping[str, Any]) -> None:
    """Raises UnrollError if parts other than this one were measured on a machine of another kind."""
    others = set(old.get("parts", {})) - {part}
    if others and any(old["machine"][key] != machine[key] for key in ("kind", "cores", "system")):
        raise UnrollError(
            f"bench/results.json is of another machine ({old['machine']['kind']}; this is {machine['kind']}); "
            "run `make bench` without a part to measure all of it here"
        )


def merge(old: Mapping[str, Any], part: str, found: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The results with one part measured anew.

    Args:
        old: the results so far.
        part: of PARTS.
        found: what its `measure` gave.
        about: of this measurement: machine, date, seconds and steps.
    """
    new = {key: old[key] for key in ("rows", "absent", "works", "sgemm_peak_gflops", "limit", *PARTS) if key in old}
    if part == "peers":
        new |= found
    elif part == "limit":
        new |= {"sgemm_peak_gflops": found["sgemm_peak_gflops"], "limit": dict(found)}
    else:
        new |= {part: dict(found)}
    if "rows" in new and "limit" in new:
        new["rows"] = limit.shares(new["rows"], new["limit"])
    parts = old.get("parts", {}) | {part: {key: about[key] for key in ("date", "seconds", "steps")}}
    parts = {name: parts[name] for name in PARTS if name in parts}
    return {"machine": about["machine"], "date": about["date"], "parts": parts, **new}


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write results.json, whole or not at all."""
    write_json(path, results)


def today() -> str:
    """The date in UTC."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def machine() -> dict[str, Any]:
    """The kind of this machine and the versions of what runs on it; nothing that names it."""
    return {
        "kind": kind(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": instructions(),
        "python": platform.python_version(),
        "versions": {name: version for name in LIBRARIES if (version := installed(name))},
    }


def installed(name: str) -> str:
    """A library's version, "" where it is not installed; tensorflow-cpu counts as tensorflow."""
    names = (name, f"{name}-cpu") if name == "tensorflow" else (name,)
    for found in names:
        try:
            return importlib.metadata.version(found)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def kind() -> str:
    """The processor's name, with family and model where the system tells them."""
    facts = cpu_facts()
    if not facts:
        return platform.processor() or platform.machine()
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts.get('cpu family')}, model {facts.get('model')})"


def instructions() -> str:
    """The widest vector instructions: "AVX-512", "AVX2", or "" where the system does not tell."""
    flags = cpu_facts().get("flags", "").split()
    return next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")


def cpu_facts() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    if sys.platform != "linux" or not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
