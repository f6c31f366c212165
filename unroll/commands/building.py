"""Commands that build everything: for real, small, once more to compare; and those of a
cluster that builds.
"""

import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import UsageError
from unroll.app import app, named, unfinished_config


def targets(context: typer.Context, incomplete: str) -> list[str]:
    """What a shell proposes for a stage."""
    from unroll.repro import stages

    return [
        stage
        for stage in stages(unfinished_config(context))
        if stage.startswith(incomplete)
    ]


Targets = Annotated[
    list[str] | None,
    typer.Argument(
        help="Stages, such as evaluate@waves; none: all.", autocompletion=targets
    ),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, help="Trainings side by side.")
]

CORES = os.cpu_count() or 1

On = Annotated[
    str | None,
    typer.Option(
        help="Build on the cluster of this scheduler, such as tls://HOST:8786.",
        envvar="UNROLL_SCHEDULER",
    ),
]
Certificates = Annotated[
    Path | None,
    typer.Option(
        help="The folder of the cluster's certificates.", envvar="UNROLL_CERTIFICATES"
    ),
]


@app.command(rich_help_panel="Start here")
def demo(context: typer.Context, jobs: Jobs = CORES) -> None:
    """Train some experiments in .demo, offline, and hold their errors against the
    committed ones: a few minutes.

    `unroll demo` · `unroll demo --jobs 1`
    """
    from unroll.demo import demo

    raise typer.Exit(demo(context.obj, jobs))


@app.command(rich_help_panel="Start here")
def repro(
    context: typer.Context,
    targets: Targets = None,
    jobs: Jobs = CORES,
    on: On = None,
    certificates: Certificates = None,
    scores: Annotated[
        bool,
        typer.Option(
            help="End with the scores of what was built, and where the page is."
        ),
    ] = True,
) -> None:
    """Build everything that is out of date (`dvc repro --keep-going`), then the page;
    say what failed and why.

    `unroll repro` · `unroll repro --jobs 1 evaluate@waves` · `unroll repro --on
    tls://HOST:8786`
    """
    from unroll.repro import repro, summary
    from unroll.results.compare import evaluation_times, show_answers

    before = evaluation_times(context.obj)
    os.environ["UNROLL_JOBS"] = str(jobs)
    if on:
        os.environ["UNROLL_SCHEDULER"] = on
    if certificates:
        os.environ["UNROLL_CERTIFICATES"] = str(certificates.resolve())
    status = repro(context.obj, targets or [])
    if scores:
        if new := [
            name
            for name, time in evaluation_times(context.obj).items()
            if before.get(name) != time
        ]:
            print()
            show_answers(context.obj, new)
        if context.obj.report.exists():
            print(f"\nThe page: {context.obj.report}")
    for line in summary(context.obj, status):
        print(line)
    raise typer.Exit(status)


@app.command(rich_help_panel="Search and check")
def verify(
    context: typer.Context,
    datasets: Annotated[
        list[str] | None, named("Data sets; none: everything.", "datasets")
    ] = None,
    jobs: Jobs = CORES,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Build a small graph twice, in other circumstances: a minute.",
        ),
    ] = False,
) -> None:
    """Build the last commit anew, apart, and compare what every stage makes with
    dvc.lock, byte for byte.

    `unroll verify` · `unroll verify waves` · `unroll verify --quick`
    """
    from unroll import verify

    if quick and datasets:
        raise UsageError(
            f"--quick builds the whole miniature; leave out {', '.join(datasets)}, or --quick"
        )
    same = (
        verify.quick(context.obj, jobs)
        if quick
        else verify.verify(context.obj, datasets or [], jobs)
    )
    raise typer.Exit(0 if same else 1)


ADDRESS = "tls://127.0.0.1:8786"

clusters = typer.Typer(
    rich_markup_mode=None,
    help="What trains for `unroll repro --on ADDRESS`: `unroll cluster worker tls://HOST:8786`.",
)
app.add_typer(clusters, name="cluster", rich_help_panel="Many machines")

Address = Annotated[str, typer.Argument(help="tls://HOST:PORT; takes --certificates.")]


@clusters.command()
def scheduler(address: Address = ADDRESS, certificates: Certificates = None) -> None:
    """Listen at an address, and share trainings out to the workers that join.

    `unroll cluster scheduler tls://0.0.0.0:8786 --certificates ~/.unroll`
    """
    from unroll.cluster.worker import schedule

    schedule(address, certificates)


@clusters.command()
def worker(
    address: Address = ADDRESS,
    certificates: Certificates = None,
    home: Annotated[Path, typer.Option(help="For data and scratch files.")] = Path(
        ".worker"
    ),
    slots: Annotated[
        int, typer.Option(min=1, help="Trainings at once, each on one core.")
    ] = 1,
    name: Annotated[
        str, typer.Option(help="No two alike; else host and process.")
    ] = "",
) -> None:
    """Train what the scheduler hands out, until it ends.

    `unroll cluster worker tls://HOST:8786 --certificates ~/.unroll --slots 8`
    """
    from unroll.cluster.worker import work

    work(address, certificates, home, slots, name or f"{platform.node()}-{os.getpid()}")


@clusters.command()
def certificates(folder: Path) -> None:
    """Make what lets machines trust each other. Who holds it may run code on every
    worker: keep it as a password.

    `unroll cluster certificates ~/.unroll`
    """
    from unroll.cluster.connection import DAYS, make_certificates

    make_certificates(folder)
    print(
        f"{folder}: for all machines of one cluster, and for {DAYS} days. Copy it where only you can read it."
    )


@clusters.command()
def here(context: typer.Context) -> None:
    """Build the demo alone and on a cluster of this machine, and compare.

    `unroll cluster here` (`make cluster` installs what it needs, too)
    """
    from unroll.cluster_here import demo

    raise typer.Exit(demo(context.obj))
