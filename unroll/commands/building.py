"""Commands that build everything: for real, small, or once more to compare."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import UsageError
from unroll.app import Json, app, print_json, targets

Targets = Annotated[
    list[str] | None,
    typer.Argument(help="Stages, such as evaluate@waves; none: all.", autocompletion=targets),
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages side by side.")]

CORES = os.cpu_count() or 1

On = Annotated[
    str | None,
    typer.Option(help="Build on the cluster of this scheduler, such as tls://HOST:8786.", envvar="UNROLL_SCHEDULER"),
]
Certificates = Annotated[
    Path | None, typer.Option(help="The folder of the cluster's certificates.", envvar="UNROLL_CERTIFICATES")
]


@app.command(rich_help_panel="Start here")
def demo(
    context: typer.Context,
    jobs: Jobs = CORES,
    everything: Annotated[
        bool, typer.Option("--everything", help="All experiments, small, on stand-ins: that it works, no results.")
    ] = False,
) -> None:
    """Train a part of the experiments in full, offline, in a workspace of its own (.demo): answers in two minutes.

    `unroll demo` · `unroll demo --jobs 1` · `unroll demo --everything`
    """
    from unroll.demo import demo

    raise typer.Exit(demo(context.obj, jobs, everything=everything))


@app.command(rich_help_panel="Start here")
def repro(
    context: typer.Context,
    targets: Targets = None,
    jobs: Jobs = CORES,
    on: On = None,
    certificates: Certificates = None,
    label: Annotated[str, typer.Option(help="With --on: train on workers with this label alone.")] = "",
    scores: Annotated[bool, typer.Option(help="End with the scores of what was built, and where the page is.")] = True,
) -> None:
    """Build everything that is out of date, then the page; what fails stops only its own results.

    `unroll repro` · `unroll repro --jobs 1 evaluate@waves` · `unroll repro --on tls://HOST:8786`
    """
    from unroll.cluster import head
    from unroll.cluster.connection import Address
    from unroll.results.compare import evaluation_times, show_answers
    from unroll.runner.build import repro

    before = evaluation_times(context.obj)
    status = repro(context.obj, targets or [], jobs, on=head.on(Address(on, certificates, label)) if on else None)
    if scores:
        if new := [name for name, time in evaluation_times(context.obj).items() if before.get(name) != time]:
            print()
            show_answers(context.obj, new)
        if context.obj.report.exists():
            print(f"\nThe page: {context.obj.report}")
    raise typer.Exit(status)


@app.command(rich_help_panel="Search and check")
def verify(
    context: typer.Context,
    targets: Targets = None,
    jobs: Jobs = CORES,
    as_json: Json = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Build a small graph twice, in other circumstances: a minute.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was built in .verify even if all holds.")] = False,
) -> None:
    """Build what is committed anew, apart, and compare every output with dvc.lock: bytes, else metrics.

    `unroll verify` · `unroll verify evaluate@waves` · `unroll verify --quick`
    """
    from unroll.verify.verify import quick as verify_quick
    from unroll.verify.verify import verify as verify_committed

    if quick and targets:
        raise UsageError(f"--quick builds the whole miniature; leave out {', '.join(targets)}, or --quick")
    if quick:
        verification = verify_quick(context.obj, jobs, keep=keep, quiet=as_json)
    else:
        verification = verify_committed(context.obj, targets or [], jobs, keep=keep, quiet=as_json)
    if as_json:
        print_json(verification.as_data())
    else:
        print("\n".join(verification.lines()))
    raise typer.Exit(0 if verification.holds else 1)
