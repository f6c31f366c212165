"""What `bench.newcomer.measure` found, in Markdown."""

from collections.abc import Mapping
from typing import Any


def section(result: Mapping[str, Any]) -> str:
    """A table with what a newcomer waits for, each beside its goal."""
    lines = [
        "## What a newcomer waits for",
        "",
        "Seconds in a fresh clone. Cold: no package was ever downloaded. Warm: uv has all in its cache. The first demo",
        "also compiles what it imports. `make demo` and `make test` set up nothing here. Commands look at the demo and",
        "were started once before. Load: how many processes wanted a core in the minute before, the most of all runs.",
        "",
        "| what | least | median | greatest | goal | | load |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    return "\n".join([*lines, *(_line(what, one) for what, one in result.items()), ""])


def _line(what: str, one: Mapping[str, Any]) -> str:
    seconds, goal = one["seconds"], one["goal"]
    figures = " | ".join(f"{seconds[key]:g}" for key in ("min", "median", "max"))
    under = "no goal" if goal is None else "reached" if seconds["median"] < goal else "**not reached**"
    asked = "" if goal is None else f"{goal:g}"
    return f"| {what} | {figures} | {asked} | {under} | {max(one['load']):g} |"
