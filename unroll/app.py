"""The Typer app that the commands in `unroll/commands/` register with."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.errors import UnrollError
from pipeline.provenance.machine import documents
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.config.params import Params

HEADINGS = (
    "Start here",
    "Your own series",
    "Results",
    "Search and check",
    "Learning",
    "Stages",
    "Many machines",
)
"""What `--help` lists commands under: their `rich_help_panel`."""


class CommandsByHeading(TyperGroup):
    """Help in plain text: to draw it with Rich takes twice as long as all the rest of
    `unroll --help`.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands under their headings, then the options."""
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        known: dict[str, Any] = dict(self.commands)
        for name, command in known.items():
            first_sentence = command.get_short_help_str(limit=1000)
            rows.setdefault(command.rich_help_panel, []).append((name, first_sentence))
        options = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        for heading, lines in {**rows, "Options": filter(None, options)}.items():
            with formatter.section(heading):
                formatter.write_dl([*lines])


app = typer.Typer(
    name="unroll",
    cls=CommandsByHeading,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`unroll repro` builds everything that params.yaml names; `unroll list` says what that is.",
)

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print data for programs instead of a table for people."
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        print(f"unroll {metadata.version('unroll')}")
        raise typer.Exit


def complete(*sections: str) -> Callable[[typer.Context, str], list[str]]:
    """What a shell proposes for an argument: the names in sections of params.yaml that
    begin as it does.
    """

    def names(context: typer.Context, incomplete: str) -> list[str]:
        config = unfinished_config(context)
        known = dict.fromkeys(
            name for section in sections for name in getattr(config, section)
        )
        return [name for name in known if name.startswith(incomplete)]

    return names


def experiments(context: typer.Context, incomplete: str) -> list[str]:
    """What a shell proposes for an experiment behind its data set."""
    known = unfinished_config(context).experiments_of(context.params.get("name") or "")
    return [name for name in known if name.startswith(incomplete)]


def unfinished_config(context: typer.Context) -> "Params":
    """The params.yaml of a command line that is not complete yet; without entries where
    it cannot be read.
    """
    from pipeline.config import params

    # While a shell completes, the app's own callback has not run.
    root = (context.parent.params.get("root") if context.parent else None) or Path()
    try:
        return params.load(Workspace(root).params)
    except UnrollError:
        return params.Params()


def named(about: str, *sections: str) -> Any:
    """An argument that is a name in sections of params.yaml."""
    return typer.Argument(help=about, autocompletion=complete(*sections))


READ_ONLY = dict.fromkeys(("claims", "compare", "list", "show"), "params.yaml") | {
    "lab": "claims.yaml"
}
"""Commands that only read -> the file without which they take the four documents, which
come with the package."""

DataSet = Annotated[str, named("A data set of params.yaml.", "datasets")]
Experiment = Annotated[
    str, named("An experiment of params.yaml, such as waves/gru.", "runs")
]


@app.callback()
def unroll(
    context: typer.Context,
    root: Annotated[
        Path, typer.Option(help="The folder that holds params.yaml.", metavar="DIR")
    ] = Path(),
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Rebuild and compare the recurrent networks of four teaching documents."""
    context.obj = Workspace(root.resolve())
    # the user has no folder to write into, and Matplotlib wants one, too
    if "DVC_SITE_CACHE_DIR" not in os.environ:
        os.environ.setdefault("MPLCONFIGDIR", str(context.obj.scratch / "matplotlib"))
    if context.invoked_subcommand in READ_ONLY and root == Path():
        context.obj = Workspace(
            documents(context.obj.root, READ_ONLY[context.invoked_subcommand])
        )


def print_json(data: Any) -> None:
    """Data for programs, on standard output."""
    print(json.dumps(data, indent=1, ensure_ascii=False))
