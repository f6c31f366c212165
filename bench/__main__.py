"""The command `python -m bench [PART] [--quick]`: measure, and write the results."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from bench import REPOSITORY, Say, results, wrong_words
from bench import page as performance
from bench.peers import compare as peers_part
from bench.series import compare as series_part
from pipeline.errors import UnrollError
from pipeline.files import write_json, write_text
from pipeline.workspace import Workspace
from unroll.exits import run

PARTS: dict[str, Callable[[bool, Say], dict[str, Any]]] = {
    "peers": peers_part.measure,
    "series": series_part.measure,
}
"""Part of results.json -> the function that measures it."""

Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="A trial of some minutes, into .unroll/bench: what is committed stays.",
    ),
]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def everything(context: typer.Context) -> None:
    """Measure Unroll; write bench/results.json and docs/performance.md. Without a part,
    measure all parts.
    """
    if context.invoked_subcommand is None:
        update([*PARTS], quick=False)


@app.command()
def peers(quick: Quick = False) -> None:
    """Measure every workload with Unroll and with other frameworks."""
    update(["peers"], quick=quick)


@app.command()
def series(quick: Quick = False) -> None:
    """Measure answers for series: generated files, and public files beside rivals."""
    update(["series"], quick=quick)


@app.command()
def page() -> None:
    """Write docs/performance.md again, from bench/results.json alone."""
    update([], quick=False)


@app.command()
def rule() -> None:
    """Simulate how often the rule of the answers says a wrong word."""
    wrong_words.show(Workspace(REPOSITORY))


def update(parts: Sequence[str], *, quick: bool) -> None:
    """Measure parts into results.json, then write the page from results.json.

    Raises:
        UnrollError: nothing was measured yet, or a measurement fails.
    """
    path = REPOSITORY / "bench" / "results.json"
    page = REPOSITORY / "docs" / "performance.md"
    if quick:
        path = REPOSITORY / ".unroll" / "bench" / "results.json"
        page = path.with_name("performance.md")
    measured = results.read(path)
    for name in parts:
        start = time.monotonic()
        say = partial(print, f"{name}:", file=sys.stderr, flush=True)
        values = PARTS[name](quick, say)
        measured = results.merge(measured, name, values, time.monotonic() - start)
        write_json(path, measured)
    if not measured:
        raise UnrollError(
            f"{path.relative_to(REPOSITORY)} is missing; run `make bench`"
        )
    write_text(page, performance.text(measured))
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
