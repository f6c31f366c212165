"""A workspace for series of one's own alone: params.yaml, and a graph that DVC's documentation explains."""

from pathlib import Path

from pipeline.files import write_text
from pipeline.workspace import Workspace
from unroll.workspaces.scaled import CONFIG

PARAMS = """# Series of your own. `unroll answer FILE` adds one; every value that was found or proposed can be edited
# here, and the same command builds what the edit changes. `unroll show NAME` prints all options.
files: {}
datasets: {}
experiments: {}
forecasts: {}
"""

IGNORED = "/.unroll/\n/data/\n/forecasters/\n/resolved/\n/runs/\n/records/\n/mlflow.db*\n/mlruns/\n/mlartifacts/\n"


def lay_out(root: Path) -> Workspace:
    """Make a folder such a workspace; what is there stays."""
    (root / ".dvc").mkdir(parents=True, exist_ok=True)
    files = {
        "params.yaml": PARAMS,
        "dvc.yaml": (Path(__file__).parent / "own.yaml").read_text(encoding="utf-8"),
        ".dvc/config": CONFIG,
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvcignore": "/.unroll\n/records\n.*.tmp\n",
        ".gitignore": IGNORED,
    }
    for name, text in files.items():
        if not (root / name).exists():
            write_text(root / name, text)
    return Workspace(root)
