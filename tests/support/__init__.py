"""What several folders of tests share: runs made of noise, and a web server that answers as a test says."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
