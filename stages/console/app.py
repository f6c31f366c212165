"""The Typer app that commands register with (`stages/commands/building.py`, `stages/commands/results.py`)."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.workspace import Workspace

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


def print_json(data: Any) -> None:
    """Data for programs, on standard output."""
    print(json.dumps(data, indent=1, ensure_ascii=False))
