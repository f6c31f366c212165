"""The Typer functions, one for each command.

Heavy imports wait until a command runs.
"""
