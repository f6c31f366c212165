"""How commands talk: the Typer app, progress, tables, and how a command ends."""
