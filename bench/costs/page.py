"""What `bench.costs.measure` found, in print: the Markdown and the plot."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.costs.cpu_accounts import PHASES, WORK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FULL = "the official size, estimated"
ALL_ELSE = "everything but train and evaluate"


def section(result: Mapping[str, Any]) -> str:
    """The Markdown of what `measure` found."""
    lines = ["## Where a build's time and memory go", "", *_builds(result), "", *_phases(result), ""]
    lines += [_about_full(result["full"]), ""]
    if result["checked"]:
        lines += [_checked(result["checked"]), ""]
    if "seeds" in result:
        lines += [*_evidence(result["full"]["evidence"]), "", *_seeds(result["seeds"]), ""]
    return "\n".join([*lines, *_memory(result["memory"]), ""])


def _builds(result: Mapping[str, Any]) -> list[str]:
    builds, no_op = result["builds"], result["no_op"]
    first = next(iter(builds.values()))["seconds"]
    same = "the same bytes" if result["same_lock"] else "NOT the same bytes"
    lines = [
        f"The demo's graph of {result['stages']} stages, each time in a fresh workspace, then again when up to date.",
        f"`dvc.lock` held {same} after each of these builds.",
        "",
        "| build | seconds | as fast | CPU seconds | up to date: seconds | CPU seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for command, cost in builds.items():
        again = no_op[command]
        lines.append(
            f"| `{command}` | {cost['seconds']:.1f} | {first / cost['seconds']:.2f}x | {cost['cpu']:.1f} "
            f"| {again['seconds']:.1f} | {again['cpu']:.1f} |"
        )
    return lines


def _phases(result: Mapping[str, Any]) -> list[str]:
    columns = columns_of(result)
    lines = [
        "CPU seconds of all processes, and their share. A library's import counts what it imports itself; compiling is",
        "building networks, tracing and XLA; DVC is the process that plans and keeps results. `unroll repro` imports",
        "once, in a fork server that all its stages are forked from.",
        "",
        "| phase | " + " | ".join(name if name == FULL else f"`{name}`" for name in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    rows = {phase: [phase] for phase in PHASES} | {ALL_ELSE: [phase for phase in PHASES if phase not in WORK]}
    return lines + [
        f"| {name} | " + " | ".join(_share(phases, chosen) for phases in columns.values()) + " |"
        for name, chosen in rows.items()
    ]


def columns_of(result: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Build -> its phases, the estimate last."""
    columns = {command: cost["phases"] for command, cost in result["builds"].items()}
    return columns | {FULL: result["full"]["phases"]}


def _share(phases: Mapping[str, float], chosen: Sequence[str]) -> str:
    seconds = sum(phases.get(phase, 0.0) for phase in chosen)
    return f"{seconds:.1f} ({seconds / sum(phases.values()):.1%})"


def _about_full(full: Mapping[str, Any]) -> str:
    return _paragraph(
        f"The last column is a full build of {', '.join(full['datasets'])}: {full['experiments']} experiments in "
        f"{full['stages']} stages. Training and evaluating are what a step and an example cost in the demo, which has "
        "the same networks, windows and batches, times the steps and examples of data of the official size, with the "
        "epochs and seeds of params.yaml; all else is as in the demo with one job."
    )


def _evidence(evidence: Mapping[str, Any]) -> list[str]:
    """What a rebuild with more seeds takes."""
    counts = ", ".join(f"{seeds} seeds of {count} networks" for seeds, count in evidence["seeds"].items())
    stage, seconds = evidence["longest"]
    minutes = evidence["minutes"]
    lines = [
        _paragraph(
            f"A full build with the seeds that the evidence needs ({counts}) takes {evidence['cpu'] / 60:.0f} minutes "
            f"of CPU: **{minutes[1]:.0f} minutes on two idle cores**, {minutes[0]:.0f} on one, {minutes[2]:.0f} on "
            f"four, the longest stages first. The longest of them is `{stage}`, {seconds / 60:.0f} minutes. The goal "
            "is 150 minutes on two cores. What a seed costs, in seconds:"
        ),
        "",
        "| network | the first seed | each further one |",
        "| --- | ---: | ---: |",
    ]
    slowest = sorted(evidence["networks"].items(), key=lambda item: -item[1][1])
    return lines + [f"| `{name}` | {first:.1f} | {more:.1f} |" for name, (first, more) in slowest]


def _seeds(measured: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Seeds in one process, and each in its own."""
    one = next(iter(measured.values()))
    seeds, cores = one["seeds"], one["cores"]
    lines = [
        _paragraph(
            f"Measured with the demo's data and epochs: {seeds} seeds in one process on one core, which starts, reads "
            f"its data and compiles once, and in a process each, {cores} at once."
        ),
        "",
        "| network | one seed: s | each further one | one process: s | CPU s | a process each: s | CPU s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in measured.items():
        alone, together, apart = (found[way] for way in ("one", "together", "apart"))
        more = (together["seconds"] - alone["seconds"]) / (seeds - 1)
        cells = [alone["seconds"], more, *(way[key] for way in (together, apart) for key in ("seconds", "cpu"))]
        lines.append(f"| `{name}` | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return lines


def _checked(checked: Mapping[str, Mapping[str, float]]) -> str:
    steps = [
        f"`{name}` {1000 * one['real']:.2f} ms of CPU, {1000 * one['demo']:.2f} in the demo"
        for name, one in checked.items()
    ]
    return _paragraph(f"A step on data of that size, to check that: {'; '.join(steps)}.")


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def _memory(memory: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "The highest resident memory of a stage that runs by itself, as `dvc repro` starts it:",
        "",
        "| stage | greatest | peak, MiB |",
        "| --- | --- | ---: |",
    ]
    return lines + [f"| {kind} | `unroll {one['stage']}` | {one['peak']:.0f} |" for kind, one in memory.items()]


def plot(result: Mapping[str, Any]) -> str:
    """An SVG file: a bar per build, its CPU seconds by what they were spent on, as shares."""
    from pipeline.report.svg import GRID, INK, MAIN, MUTED, OTHER, standalone, svg

    groups = {
        "train": (["train"], MAIN, 1.0),
        "evaluate": (["evaluate"], MAIN, 0.55),
        "compile": (["compile"], OTHER, 1.0),
        "import": ([phase for phase in PHASES if "import" in phase], OTHER, 0.55),
        "MLflow": (["MLflow"], MUTED, 1.0),
        "DVC": (["DVC"], MUTED, 0.55),
        "other": (["reading and writing", "start and end of processes"], GRID, 1.0),
    }
    columns = columns_of(result)

    def draw(axes: "Axes") -> None:
        starts = [0.0] * len(columns)
        totals = [sum(phases.values()) for phases in columns.values()]
        for name, (phases, colour, alpha) in groups.items():
            shares = [
                100 * sum(spent.get(phase, 0.0) for phase in phases) / total
                for spent, total in zip(columns.values(), totals, strict=True)
            ]
            axes.barh(list(columns), shares, left=starts, height=0.6, color=colour, alpha=alpha, label=name)
            starts = [start + share for start, share in zip(starts, shares, strict=True)]
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of CPU seconds")
        axes.tick_params(axis="y", labelcolor=INK, length=0)
        axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.4, 1.0), handlelength=1.2)

    title = "Shares of a build's CPU seconds: " + ", ".join(columns)
    return standalone(svg(draw, (4.6, 2.2), title, "bench/costs"))
