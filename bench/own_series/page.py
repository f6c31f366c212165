"""What `bench.own_series.measure` found, in Markdown."""

from collections.abc import Mapping
from typing import Any


def section(result: Mapping[str, Any]) -> str:
    """Three tables: to the first forecast, answers over HTTP, a large file."""
    rows, big = result["served"][0]["rows"], result["large"]
    lines = [
        "## A series of your own",
        "",
        "From a generated file to its forecast, with nothing edited between the commands. `unroll add` writes the",
        "experiments, networks with three seeds each; `unroll repro` builds them on two cores.",
        "",
        "| file | rows | experiments | add, s | repro, s | predict, s | together, min |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_forecast(name, one) for name, one in result["forecasts"].items()),
        "",
        f"Served by `mlflow models serve` with one worker; each request is a connection of its own with {rows} rows as",
        "JSON. Server and clients share the machine.",
        "",
        "| experiment | seeds | at once | requests | median, ms | 95th percentile, ms | answers a second |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_served(one) for one in result["served"]),
        "",
        f"A generated file of {big['rows']:,} rows and three columns, {big['megabytes']:.0f} MB:",
        "",
        "| command | seconds | CPU seconds | peak, MiB |",
        "| --- | ---: | ---: | ---: |",
    ]
    for command, cost in big["commands"].items():
        lines.append(f"| `unroll {command}` | {cost['seconds']:.1f} | {cost['cpu']:.1f} | {cost['peak']:,.0f} |")
    return "\n".join([*lines, ""])


def _forecast(name: str, one: Mapping[str, Any]) -> str:
    seconds = [one[command] for command in ("add", "repro", "predict")]
    cells = " | ".join(f"{each:.3g}" for each in seconds)
    return f"| {name}: {one['form']} | {one['rows']:,} | {one['experiments']} | {cells} | {sum(seconds) / 60:.1f} |"


def _served(one: Mapping[str, Any]) -> str:
    figures = f"{one['median']:.3g} | {one['p95']:.3g} | {one['per_second']:.3g}"
    return f"| `{one['experiment']}` | {one['seeds']} | {one['at_once']} | {one['requests']} | {figures} |"
