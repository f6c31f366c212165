"""The page docs/performance.md, made from results.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.peers.compare import CHECKED, OWN
from bench.peers.workloads import FRAMEWORKS

PEERS = FRAMEWORKS[1:]
"""The other frameworks."""

Row = dict[str, Any]
Rows = Mapping[str, Row]
"""Framework -> its row, for one workload and phase."""


def text(measured: Mapping[str, Any]) -> str:
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
    peers = [rows[name] for name in PEERS if name in rows]
    return min(peers, key=lambda row: float(row["ms"]["median"]))


def figure(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    return np.format_float_positional(
        value, 3, unique=False, fractional=False, trim="-"
    )
