"""Commands of a cluster: its scheduler, its workers, its certificates, and all of it on this machine to try."""

import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from unroll.app import app
from unroll.commands.building import Certificates

ADDRESS = "tls://127.0.0.1:8786"

clusters = typer.Typer(help="What builds for `unroll repro --on ADDRESS`: `unroll cluster worker tls://HOST:8786`.")
app.add_typer(clusters, name="cluster", rich_help_panel="Many machines")

Address = Annotated[str, typer.Argument(help="tls://HOST:PORT; takes --certificates.")]


@clusters.command()
def scheduler(address: Address = ADDRESS, certificates: Certificates = None) -> None:
    """Listen at an address, and share stages out to the workers that join.

    `unroll cluster scheduler tls://0.0.0.0:8786 --certificates ~/.unroll`
    """
    from unroll.cluster.worker import schedule

    schedule(address, certificates)


@clusters.command()
def worker(
    address: Address = ADDRESS,
    certificates: Certificates = None,
    home: Annotated[Path, typer.Option(help="Gets copies of the code, and DVC's cache.")] = Path(".worker"),
    slots: Annotated[int, typer.Option(min=1, help="Stages side by side, each on one core.")] = 1,
    label: Annotated[list[str] | None, typer.Option(help="What this worker is, such as big; may be repeated.")] = None,
    name: Annotated[str, typer.Option(help="No two alike; else host and process.")] = "",
) -> None:
    """Build what the scheduler hands out, until it ends.

    `unroll cluster worker tls://HOST:8786 --certificates ~/.unroll --slots 8`
    """
    from unroll.cluster.worker import serve

    name = name or f"{platform.node()}-{os.getpid()}"
    serve(address, home, slots, label or [], name, certificates)


@clusters.command()
def certificates(folder: Path) -> None:
    """Make what lets machines trust each other. Who holds it may run code on every worker: keep it as a password.

    `unroll cluster certificates ~/.unroll`
    """
    from unroll.cluster.connection import DAYS, make_certificates

    make_certificates(folder)
    print(f"{folder}: for all machines of one cluster, and for {DAYS} days. Copy it where only you can read it.")


@clusters.command()
def here(context: typer.Context) -> None:
    """Start a whole cluster on this machine and build the demo on it.

    `make cluster` · `make cluster-down`
    """
    from unroll.cluster_here import demo, up

    up(context.obj)
    raise typer.Exit(demo(context.obj))


@clusters.command()
def down(context: typer.Context) -> None:
    """End what `here` has started, and nothing else."""
    from unroll.cluster_here import down

    down(context.obj)
