"""`python -m bench [PART] [--quick]`: measure, and write what was found."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from bench import page as performance
from bench import results
from bench.cluster.measure import measure as measure_cluster
from bench.costs.measure import measure as measure_costs
from bench.newcomer.measure import measure as measure_newcomer
from bench.own_series.measure import measure as measure_series
from bench.peers.compare import measure as measure_peers
from bench.peers.roofline import measure as measure_roofline
from bench.repository import REPOSITORY
from bench.scaling.measure import measure as measure_scaling
from pipeline import numerics
from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from stages.console.exits import run
from stages.console.progress import duration

MEASURES = {
    "peers": measure_peers,
    "roofline": measure_roofline,
    "scaling": measure_scaling,
    "costs": measure_costs,
    "newcomer": measure_newcomer,
    "series": measure_series,
    "cluster": measure_cluster,
}
"""Part of results.json -> what measures it."""

Quick = Annotated[
    bool, typer.Option("--quick", help="A trial of some minutes, into .unroll/bench: what is committed stays.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side.")]

CORES = os.cpu_count() or 1

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def everything(context: typer.Context, quick: Quick = False) -> None:
    """Measure Unroll; write bench/results.json, docs/performance.md and its plots. Without a part: all of them."""
    if context.invoked_subcommand is None:
        update(results.PARTS, quick=quick)
    elif quick:
        raise UsageError("--quick stands behind the part, as in `python -m bench peers --quick`")


@app.command()
def peers(quick: Quick = False) -> None:
    """Time Unroll and other frameworks on the same work."""
    update(["peers"], quick=quick)


@app.command()
def roofline(quick: Quick = False) -> None:
    """Measure how fast one core can multiply matrices and copy memory at most."""
    update(["roofline"], quick=quick)


@app.command()
def scaling(quick: Quick = False) -> None:
    """Measure how costs grow with rows, timesteps, units and seeds."""
    update(["scaling"], quick=quick)


@app.command()
def costs(quick: Quick = False) -> None:
    """Measure where a build's time and memory go."""
    update(["costs"], quick=quick)


@app.command()
def newcomer(quick: Quick = False) -> None:
    """Measure set-up, demo, tests and the commands that only look, in a fresh clone."""
    update(["newcomer"], quick=quick)


@app.command()
def series(quick: Quick = False) -> None:
    """Measure from a file of one's own to its forecast, answers over HTTP, and a file of ten million rows."""
    update(["series"], quick=quick)


@app.command()
def cluster(quick: Quick = False) -> None:
    """Measure what a stage costs more on a cluster, and how builds of many stages would go on many slots."""
    update(["cluster"], quick=quick)


@app.command()
def page(quick: Quick = False) -> None:
    """Write docs/performance.md again, from bench/results.json alone."""
    update([], quick=quick)


@app.command()
def conditions(jobs: Jobs = CORES) -> None:
    """Build a small graph as on other processors, and compare bytes; writes conditions.json."""
    from bench.reproducibility import capped_builds

    capped_builds.show(capped_builds.measure(Workspace(REPOSITORY), jobs))


@app.command()
def tolerances(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages, such as evaluate@waves; none: all.")] = None,
    under: Annotated[list[str] | None, typer.Option(help="A condition (repeatable); none: the usual two.")] = None,
    jobs: Jobs = CORES,
) -> None:
    """Rebuild what is committed as on other processors; how far metrics move goes to tolerances.json.

    `python -m bench tolerances evaluate@waves --under all_avx`
    """
    from bench.reproducibility import measure_tolerances

    measure_tolerances.measure(Workspace(REPOSITORY), targets or [], under or [], jobs)


@app.command()
def sampling_error(
    draws: Annotated[int, typer.Option(min=2, help="How many test sets to draw.")] = 200,
) -> None:
    """Score document 003's trained models on many test sets: how much of an error is the luck of the draw."""
    from bench.reproducibility import sampling_error

    sampling_error.show(sampling_error.measure(Workspace(REPOSITORY), draws))


def update(parts: Sequence[str], *, quick: bool) -> None:
    """Measure parts into results.json, then write the page from all that it holds.

    Raises:
        UnrollError: nothing was measured yet, or other parts are of another machine; or a measurement fails.
    """
    scratch = REPOSITORY / ".unroll" / "bench"
    path = (scratch if quick else REPOSITORY / "bench") / "results.json"
    before = results.read(path)
    # All parts: nothing stays of an earlier run, which may be of another machine.
    found = {} if set(parts) == set(results.PARTS) else before
    for part in parts:
        found = _measured(part, found, before.get("parts", {}).get(part, {}), quick=quick)
        results.write(path, found)
    if not found:
        raise UnrollError(f"{path.relative_to(REPOSITORY)} is missing; run `make bench`")
    for written in performance.write(found, scratch if quick else REPOSITORY / "docs"):
        print(written.relative_to(REPOSITORY))


def _measured(part: str, found: results.Results, last: dict[str, float], *, quick: bool) -> results.Results:
    """The results with one part measured anew; `last` as in `Steps`."""
    machine = results.machine()
    results.require_same_machine(found, part, machine)
    steps = Steps(part, last)
    measured = MEASURES[part](quick, steps)
    about = {"machine": machine, "date": results.today(), "seconds": round(steps.seconds()), "steps": steps.done}
    return results.merge(found, part, measured, about)


class Steps:
    """Says each step with the time left, on a terminal in one line.

    Args:
        part: that is measured.
        last: `seconds` and `steps` of the last time, from which the time left is taken; without, none is said.
    """

    def __init__(self, part: str, last: dict[str, float]) -> None:
        self.part, self.last, self.done, self.started = part, last, 0, time.monotonic()

    def __call__(self, text: str) -> None:
        """Say what is done next."""
        left = ""
        if self.last.get("steps"):
            share = max(0.0, 1 - self.done / self.last["steps"])
            rate = self.seconds() / self.done if self.done else self.last["seconds"] / self.last["steps"]
            left = f"  (about {duration(rate * self.last['steps'] * share)} left)"
        self.done += 1
        line = f"{self.part}  {duration(self.seconds())}  {text}{left}"
        if sys.stderr.isatty():
            print(f"\r\x1b[2K{line:.120}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


def main() -> int:
    """The exit code; a mistake of the user is one line."""
    command = typer.main.get_command(app)
    return run(lambda: command.main(sys.argv[1:], prog_name="python -m bench", standalone_mode=False))


if __name__ == "__main__":
    numerics.start_with()  # some parts train in this process
    sys.exit(main())
