"""Measurements of speed and accuracy."""

from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""The folder of the code that is measured."""

Say = Callable[[str], None]
"""A function that is called with a text about the next step."""
