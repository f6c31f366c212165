"""Results that are made up, and the machine that they are from."""

import pytest

from bench import results
from bench.peers.workloads import FRAMEWORKS

ABOUT = {
    "machine": {
        "kind": "Some CPU",
        "cores": 2,
        "memory_gib": 23.4,
        "system": "Linux x86_64",
        "instructions": "AVX2",
        "python": "3.11.7",
        "versions": {"keras": "3.15.1"},
    },
    "date": "2026-11-20",
    "seconds": 61,
    "steps": 7,
}


def spread(middle):
    return {"min": round(0.9 * middle, 4), "median": middle, "max": round(1.1 * middle, 4)}


def row(workload, phase, framework, ms, *, own=False):
    found = {"work": workload, "phase": phase, "side": framework, "ms_per_step": spread(ms)}
    found |= {
        "own_settings": own,
        "ratio": spread(round(ms / 12.5, 4)),
        "threads": 1,
        "warm_up_seconds": 3.2,
        "loss": {},
    }
    return found | {"flops": 4_520_000_000 if framework == "unroll" else None, "traffic": None}


@pytest.fixture
def found():
    rows = [
        row(workload, phase, framework, 12.5 + 17.0 * place)
        for workload in ("jena_lstm", "sine_dense")
        for phase in ("train", "evaluate")
        for place, framework in enumerate(FRAMEWORKS)
    ]
    # As they come peers take twice as long.
    rows += [
        row(one["work"], one["phase"], one["side"], 2 * one["ms_per_step"]["median"], own=True)
        for one in rows
        if one["side"] != "unroll"
    ]
    check = {when: {"difference": 1.2e-8, "tolerance": 5e-05} for when in ("before", "train")}
    facts = {
        "experiment": "jena_lstm",
        "stand_in": True,
        "batch": 128,
        "steps": 10,
        "evaluated": 1536,
        "rounds": 5,
        "checks": {"unroll": check, "jax": check},
    }
    absent = [{"work": "sine_dense", "side": "jax", "reason": "no such thing"}]
    merged = results.merge({}, "peers", {"rows": rows, "absent": absent, "works": {"jena_lstm": facts}}, ABOUT)
    peaks = {"sgemm_peak_gflops": 120.0, "copy_gbytes": 20.5, "library": "openblas", "sizes": {"512": 120.0}}
    return results.merge(merged, "roofline", peaks, ABOUT)
