"""The environment that last bits depend on, in words: head and workers of a cluster must agree in it."""

import platform
import sys

from pipeline.errors import UnrollError
from pipeline.provenance import record
from pipeline.provenance.machine import CODE
from pipeline.workspace import Workspace


def environment() -> dict[str, str]:
    """What this process runs on: Python (minor version), processor, packages of .ci/locks/numerics.lock -> version.

    Raises:
        UnrollError: a package has another version than .ci/locks/numerics.lock says.
    """
    found, wanted = record.environment(Workspace(CODE)), record.locked()
    other = [f"{name} {has} (locked {wanted[name]})" for name, has in found.packages.items() if has != wanted[name]]
    if other:
        wrong = ", ".join(other)
        raise UnrollError(f"results would have other bits here: {wrong}; install .ci/locks/requirements.lock")
    vectors = " with AVX2 and FMA" if {"avx2", "fma"} <= set(found.features) else ""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"Python": python, "processor": platform.machine() + vectors, **found.packages}


def label(found: dict[str, str]) -> str:
    """An environment as the name of the Dask resource that its slots have: a stage goes only where its own is."""
    return "slot: " + ", ".join(f"{name} {has}" for name, has in found.items())
