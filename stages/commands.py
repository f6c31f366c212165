"""The command line. Each command hands over to the module of its name; heavy imports wait until then."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import UsageError
from pipeline.storage import Workspace
from stages.ending import run

app = typer.Typer(
    name="unroll",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`unroll repro` builds everything that params.yaml names; `unroll list` says what that is.",
)

Json = Annotated[bool, typer.Option("--json", help="Print data for programs instead of a table for people.")]


@app.callback()
def unroll(
    context: typer.Context,
    root: Annotated[Path, typer.Option(help="The folder that holds params.yaml.", metavar="DIR")] = Path(),
) -> None:
    """Rebuild and compare the recurrent networks of four teaching documents."""
    context.obj = Workspace(root.resolve())


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=1, ensure_ascii=False))


@app.command(rich_help_panel="Stages")
def source(context: typer.Context, name: Annotated[str, typer.Argument(help="A source of params.yaml.")]) -> None:
    """Fetch or generate the raw data of a source.

    `unroll source waves` · `UNROLL_MIRROR=../shared/data unroll source imdb`
    """
    from stages.source import source

    print(source(context.obj, name))


@app.command(rich_help_panel="Stages")
def prepare(context: typer.Context, name: Annotated[str, typer.Argument(help="A data set of params.yaml.")]) -> None:
    """Normalise and split a data set, from its source's raw data.

    `unroll prepare jena_hourly`
    """
    from stages.prepare import prepare

    prepare(context.obj, name)
    print(context.obj.prepared(name))


@app.command(rich_help_panel="Stages")
def train(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An experiment of params.yaml.")],
    epochs: Annotated[int | None, typer.Option(min=1, help="Another number of epochs: a trial, not recorded.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, max=2**32 - 1, help="Another seed (repeatable): a trial too.")
    ] = None,
) -> None:
    """Train every replicate of an experiment.

    `unroll train waves_rnn6` · `unroll train jena_hourly_gru --epochs 2 --seed 7`
    """
    from stages.train import train

    print(train(context.obj, name, epochs=epochs, seeds=seed))


@app.command(rich_help_panel="Stages")
def evaluate(context: typer.Context, name: Annotated[str, typer.Argument(help="A data set of params.yaml.")]) -> None:
    """Score every experiment of a data set, side by side.

    `unroll evaluate imdb`
    """
    from stages.evaluate import evaluate

    evaluate(context.obj, name)
    print(context.obj.metrics(name))


@app.command(rich_help_panel="Stages")
def report(context: typer.Context) -> None:
    """Write the page with every table, plot and verdict: report/index.html.

    `unroll report`
    """
    from stages.report import report

    print(report(context.obj))


@app.command(rich_help_panel="All at once")
def repro(
    context: typer.Context,
    targets: Annotated[list[str] | None, typer.Argument(help="Stages, such as evaluate@waves; none: all.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side.")] = os.cpu_count() or 1,
) -> None:
    """Build everything that is out of date, then the page; what fails blocks only what needs it.

    `unroll repro` · `unroll repro --jobs 1 evaluate@waves`
    """
    from stages.repro import repro

    raise typer.Exit(repro(context.obj, targets or [], jobs))


@app.command(rich_help_panel="All at once")
def demo(
    context: typer.Context,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side.")] = os.cpu_count() or 1,
) -> None:
    """Run the whole graph, small, on generated data, offline, in a workspace of its own (.demo).

    `unroll demo` · `unroll demo --jobs 1`
    """
    from stages.demo import demo

    raise typer.Exit(demo(context.obj, jobs))


@app.command(rich_help_panel="All at once")
def verify(
    context: typer.Context,
    targets: Annotated[list[str] | None, typer.Argument(help="Stages, such as evaluate@waves; none: all.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side.")] = os.cpu_count() or 1,
    as_json: Json = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Build a small graph twice, in other circumstances: a minute.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was built in .verify even if all holds.")] = False,
    conditions: Annotated[
        bool, typer.Option("--conditions", help="Build a small graph as on other processors: writes conditions.json.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Rebuild as on other processors: writes tolerances.json.")
    ] = False,
    under: Annotated[list[str] | None, typer.Option(help="A condition for --measure.", metavar="NAME")] = None,
) -> None:
    """Build what is committed anew, apart, and compare every output with dvc.lock: bytes, else metrics.

    `unroll verify` · `unroll verify evaluate@waves` · `unroll verify --quick` · `unroll verify --conditions` ·
    `unroll verify --measure evaluate@waves --under all_avx`
    """
    if quick + conditions + measure > 1:
        raise UsageError("--quick, --conditions and --measure do different things; give one of them")
    if (quick or conditions) and targets:
        option = "--quick" if quick else "--conditions"
        raise UsageError(f"{option} builds the whole miniature; leave out {', '.join(targets)}, or {option}")
    if under and not measure:
        raise UsageError("--under names a condition for --measure; give both")
    if (keep and (conditions or measure)) or (as_json and measure):
        raise UsageError("--conditions and --measure keep no build, and --measure writes its data to tolerances.json")
    if conditions:
        from stages.matrix import lines, matrix

        result = matrix(context.obj, jobs)
        _print_json(result) if as_json else print("\n".join(lines(result)))
        return
    if measure:
        from stages.measure import measure as measure_tolerances

        raise typer.Exit(0 if measure_tolerances(context.obj, targets or [], under or [], jobs) else 1)
    from stages import verdict

    if quick:
        from stages.quick import quick as build_twice

        found = build_twice(context.obj, jobs, keep=keep, quiet=as_json)
    else:
        from stages.verify import verify

        found = verify(context.obj, targets or [], jobs, keep=keep, quiet=as_json)
    if as_json:
        _print_json(verdict.as_data(found))
    else:
        print("\n".join(verdict.lines(found)))
    raise typer.Exit(0 if found.holds else 1)


@app.command(rich_help_panel="Results")
def compare(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Experiments or data sets; none: all.")] = None,
    as_json: Json = False,
) -> None:
    """Print experiments side by side, as on the page.

    `unroll compare waves` · `unroll compare imdb_lstm imdb_gru` · `unroll compare --json`
    """
    from stages.compare import compare, print_tables

    tables = compare(context.obj, names or [])
    if as_json:
        _print_json(tables)
    else:
        print_tables(tables)


@app.command("list", rich_help_panel="Results")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """Print every experiment of params.yaml, and whether it is built.

    `unroll list` · `unroll list --json`
    """
    from stages.listing import columns, listing, print_table

    rows = listing(context.obj)
    if as_json:
        _print_json(rows)
    else:
        print_table(columns(rows))


@app.command(rich_help_panel="Results")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A source, data set or experiment of params.yaml.")],
    as_json: Json = False,
) -> None:
    """Print all there is to know of a name: its options with their defaults, what was built, where, the figures.

    `unroll show jena_gru_dropout` · `unroll show waves --json`
    """
    from stages.show import lines, show

    facts = show(context.obj, name)
    if as_json:
        _print_json(facts)
    else:
        print("\n".join(lines(facts)))


@app.command(rich_help_panel="Results")
def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="An experiment, or the folder of a run.", metavar="A")],
    second: Annotated[str, typer.Argument(help="Another, or the same of another workspace.", metavar="B")],
    as_json: Json = False,
) -> None:
    """Say why two runs differ: params, code, data or environment; and by how much. Exit code 1 if they do.

    `unroll diff waves_rnn waves_rnn6` · `unroll diff waves_rnn .verify/rebuild/workspace/runs/waves/waves_rnn`
    """
    from stages.diff import diff, lines

    found = diff(context.obj, first, second)
    if as_json:
        _print_json(found)
    else:
        print("\n".join(lines(found)))
    raise typer.Exit(0 if found["same"] else 1)


@app.command(rich_help_panel="Results")
def track(context: typer.Context, as_json: Json = False) -> None:
    """Replay every run on disk into MLflow; what is there already stays as it is.

    `unroll track && make ui`
    """
    from stages.track import track

    replayed = track(context.obj)
    if as_json:
        _print_json([{"experiment": name, "action": action} for name, action in replayed])
    else:
        for name, action in replayed:
            print(f"{name}: {action}")


@app.command(rich_help_panel="Learning")
def lab(
    context: typer.Context,
    part: Annotated[str, typer.Argument(help="N: naive guess; D: dense, a perceptron; R: one recurrent node.")],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the 7,000 series.")] = 10,
    rate: Annotated[float | None, typer.Option(help="Learning rate; as in params.yaml if not given.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the first weights.")] = 0,
) -> None:
    """Document 003's assignment: generate the waves, train, print the test error after every epoch.

    `unroll lab N` · `unroll lab D --epochs 20` · `unroll lab R --rate 0.001`
    """
    from stages.lab import lab

    lab(context.obj, part, epochs=epochs, rate=rate, seed=seed)


@app.command(rich_help_panel="Learning")
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check this machine and every value of params.yaml and claims.yaml; say what to do about what is wrong.

    `unroll doctor` · `unroll --root .demo doctor`
    """
    from stages.doctor import doctor

    findings = doctor(context.obj)
    if as_json:
        _print_json([{"check": f.check, "ok": f.ok, "text": f.text} for f in findings])
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check}: {finding.text}")
    raise typer.Exit(0 if all(f.ok for f in findings) else 1)


def invoke(arguments: Sequence[str]) -> None:
    """Run one command line, such as `["train", "waves_node"]`. Errors are raised, not printed."""
    command = typer.main.get_command(app)
    with command.make_context("unroll", list(arguments)) as context:
        command.invoke(context)


def status() -> int:
    """Run the command line of this process, `sys.argv`; the exit status."""
    return run(lambda: invoke(sys.argv[1:] or ["--help"]))
