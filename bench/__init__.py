"""Measurements of speed and accuracy."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""The folder of the code that is measured."""
