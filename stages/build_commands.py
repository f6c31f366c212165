"""Commands that build. Each hands over to the module of its name; heavy imports wait until then."""

import os
from typing import Annotated

import typer

from pipeline.errors import UsageError
from stages.app import Json, app, print_json


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
        print_json(result) if as_json else print("\n".join(lines(result)))
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
        print_json(verdict.as_data(found))
    else:
        print("\n".join(verdict.lines(found)))
    raise typer.Exit(0 if found.holds else 1)
