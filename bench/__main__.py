"""The command `python -m bench [PART]... [--quick]`: measure, and write the results."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from bench import REPOSITORY, Say, figures_file, rebuild, wrong_words
from bench.peers import side_by_side as peers
from bench.series import beside_rivals as series
from bench.series import panels
from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_json, write_text
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.commands.main import run

PARTS: dict[str, Callable[[bool, Say], dict[str, Any]]] = {
    "peers": peers.measure,
    "series": series.measure,
    "panels": panels.measure,
    "rebuild": rebuild.measure,
}
"""Part of results.json -> the function that measures it."""

BY_DEFAULT = ("peers", "series", "panels")
"""The parts that are measured where none is named. `rebuild` needs a build's records."""

RULE = "rule"
OPPONENTS = "opponents"
"""The parts that are only printed."""

Wanted = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[peers|series|panels|rebuild|page|rule|opponents]...",
        help="Unroll beside other frameworks; answers for series; panels of short series; "
        "what the trainings of this checkout cost; the page alone; "
        "a simulation of how often the rule of the answers says a wrong word; or "
        "models of opponents who saw arrays alone.",
        show_default="peers, series and panels",
    ),
]

Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="A trial of some minutes, into .unroll/bench: what is committed stays.",
    ),
]

KeepRivals = Annotated[
    bool,
    typer.Option(
        "--keep-rivals",
        help="In the part series, measure Unroll alone; the rivals' scores of "
        "bench/results.json stay.",
    ),
]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def bench(
    wanted: Wanted = None, quick: Quick = False, keep_rivals: KeepRivals = False
) -> None:
    """Measure Unroll; write bench/results.json and docs/performance.md.

    Raises:
        UsageError: there is no such part, or there are no rivals to keep.
        UnrollError: nothing was measured yet, or a measurement fails.
    """
    for name in wanted or ():
        one_of(name, [*PARTS, "page", RULE, OPPONENTS], "the part")
    if RULE in (wanted or ()):
        wrong_words.show(Workspace(REPOSITORY))
    if OPPONENTS in (wanted or ()):
        # Not at the top: it imports TensorFlow, which takes seconds.
        from bench.opponents import table

        table.show(Workspace(REPOSITORY))
    if wanted and {*wanted} <= {RULE, OPPONENTS}:
        return
    path = REPOSITORY / "bench" / "results.json"
    page = REPOSITORY / "docs" / "performance.md"
    if quick:
        path = REPOSITORY / ".unroll" / "bench" / "results.json"
        page = path.with_name("performance.md")
    measured = figures_file.read(path)
    if keep_rivals and "series" not in measured:
        raise UsageError("there are no rivals to keep; leave --keep-rivals out")
    kept = measured["series"] if keep_rivals else None
    parts = PARTS | {"series": partial(series.measure, kept=kept)}
    for name, measure in parts.items():
        if name not in (wanted or BY_DEFAULT):
            continue
        start = time.monotonic()
        say = partial(print, f"{name}:", file=sys.stderr, flush=True)
        values = measure(quick, say)
        measured = figures_file.merge(measured, name, values, time.monotonic() - start)
        write_json(path, measured)
    if not measured:
        raise UnrollError(
            f"{path.relative_to(REPOSITORY)} is missing; run `make bench`"
        )
    write_text(page, figures_file.page(measured))
    print(page.relative_to(REPOSITORY))


def main() -> int:
    """Run the command line; return its exit code."""
    command = typer.main.get_command(app)
    return run(
        lambda: command.main(
            sys.argv[1:], prog_name="python -m bench", standalone_mode=False
        )
    )


if __name__ == "__main__":
    sys.exit(main())
