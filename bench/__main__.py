"""`python -m bench [PART ...] [--quick]`: measure, and write bench/results.json and docs/performance.md."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bench import results
from bench.prepare import REPOSITORY
from pipeline.config import registry
from pipeline import validation
from pipeline.errors import UnrollError
from stages.console.exits import run
from stages.console.progress import duration

DOCUMENT = "document"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def bench(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(results.PARTS)}; none: all.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A trial of some minutes, into .unroll/bench: what is committed stays.")
    ] = False,
) -> None:
    """Measure Unroll and its peers on the same work; write bench/results.json, docs/performance.md and its plots.

    `python -m bench` · `python -m bench peers limit` · `python -m bench document` (from results.json alone)
    """
    from bench import document

    for part in parts or ():
        validation.one_of(part, (*results.PARTS, DOCUMENT), "the part")
    scratch = REPOSITORY / ".unroll" / "bench"
    data, page = (scratch, scratch) if quick else (results.COMMITTED, REPOSITORY / "docs")
    path = data / "results.json"
    for part in parts or results.PARTS:
        if part != DOCUMENT:
            # All anew: what an earlier run on another machine left does not stay beside it.
            fresh = not parts and part == results.PARTS[0]
            measure(part, path, quick=quick, fresh=fresh)
    if not path.is_file():
        raise UnrollError(f"{path.relative_to(REPOSITORY)} is missing; run `make bench`")
    for written in document.write(results.read(path), page):
        print(written.relative_to(REPOSITORY))


def measure(part: str, path: Path, *, quick: bool, fresh: bool) -> None:
    """Measure a part and write it to results.json."""
    from bench import costs, limit, peers, scaling

    module = {"peers": peers, "limit": limit, "scaling": scaling, "costs": costs}[part]
    before = results.read(path)
    old = {} if fresh else before
    machine = results.machine()
    results.require_same_machine(old, part, machine)
    steps = Steps(part, before.get("parts", {}).get(part, {}))
    found = module.measure(quick, steps)
    about = {"machine": machine, "date": results.today(), "seconds": round(steps.seconds()), "steps": steps.done}
    results.write(path, results.merge(old, part, found, about))


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
    sys.exit(main())
