"""What all measurements share: the repository that is measured, and how much the official files hold."""

from pathlib import Path

from stages.workspaces import scaled

REPOSITORY = Path(__file__).resolve().parents[1]

OFFICIAL_ROWS = scaled.ROWS["jena"][1]
"""Of Jena's file: eight years of 10-minute readings."""
