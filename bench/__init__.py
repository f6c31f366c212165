"""Measurements: peers, a series of one's own, other processors."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""What is measured."""
