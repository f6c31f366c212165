"""The Typer functions: one for each command, a few lines long. Heavy imports wait until
a command runs.
"""
