"""The Typer app that the commands in `unroll/commands/` register with."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.errors import UnrollError
from pipeline.provenance.places import project_folder
from pipeline.workspace import Workspace

HEADINGS = (
    "Start here",
    "Results",
    "Search and check",
    "Learning",
    "Stages",
)
"""The headings of `--help`: the `rich_help_panel` of the commands."""


class CommandsByHeading(TyperGroup):
    """A group of commands whose help is plain text.

    Rich would need twice the time of all the rest of `unroll --help`.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings, then the options."""
        rows: dict[str, list[Any]] = {heading: [] for heading in [*HEADINGS, "Options"]}
        known: dict[str, Any] = dict(self.commands)
        for name, command in known.items():
            rows[command.rich_help_panel].append(
                (name, command.get_short_help_str(limit=1000))
            )
        for parameter in self.get_params(ctx):
            rows["Options"].append(parameter.get_help_record(ctx))
        for heading, lines in rows.items():
            with formatter.section(heading):
                formatter.write_dl([line for line in lines if line])


app = typer.Typer(
    name="unroll",
    cls=CommandsByHeading,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`unroll repro` builds everything that params.yaml names; "
    "`unroll list` says what that is.",
)

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print data for programs instead of a table for people."
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from pipeline.provenance import fingerprint

        print(f"unroll {fingerprint.package()}")
        raise typer.Exit


READ_ONLY = {
    "claims": "params.yaml",
    "compare": "params.yaml",
    "list": "params.yaml",
    "show": "params.yaml",
    "lab": "claims.yaml",
}
"""Command that only reads -> the file that makes a folder a project. In other folders the
command reads the four documents, which come with the package."""


def known_data_sets(context: typer.Context, incomplete: str) -> list[str]:
    """Return the data sets of params.yaml that begin with `incomplete`, for the shell."""
    from pipeline.config import plain_yaml

    root = Path(context.find_root().params["root"])
    try:
        names = plain_yaml.read(root / "params.yaml")["datasets"]
    except (UnrollError, KeyError, TypeError):
        return []
    return [name for name in names if name.startswith(incomplete)]


DataSet = Annotated[
    str,
    typer.Argument(help="A data set of params.yaml.", autocompletion=known_data_sets),
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
            help="Print the version and a hash of the code.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Rebuild and compare the recurrent networks of four teaching documents."""
    workspace = Workspace(root.resolve())
    # The user has no folder that can be written. Matplotlib needs one, too.
    if "DVC_SITE_CACHE_DIR" not in os.environ:
        os.environ.setdefault("MPLCONFIGDIR", str(workspace.scratch / "matplotlib"))
    needed = READ_ONLY.get(context.invoked_subcommand or "")
    if needed and root == Path():
        workspace = Workspace(project_folder(workspace.root, needed))
    context.obj = workspace


def own_workspace(context: typer.Context) -> Workspace:
    """Return the current folder, or the folder of --root, even if it is no project."""
    root = context.parent.params["root"] if context.parent else Path()
    return Workspace(root.resolve())
