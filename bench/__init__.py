"""Measurements: peers, and a series of one's own."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""The folder of the code that is measured."""
