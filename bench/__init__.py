"""Measurements: peers, a series of one's own, tolerances."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""What is measured."""
