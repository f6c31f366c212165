"""Draw docs/demo.svg, the output of `unroll demo` in a terminal: `make recording`."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "demo.svg"
WIDTH = 112
"""Characters of a line."""


def main() -> None:
    """Run the demo anew, and draw what it prints."""
    shutil.rmtree(ROOT / ".demo", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "unroll", "demo"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    # the lines of the stages are left out: they would fill a screen
    stage = re.compile(r"data/|results/|\w+: \d+ runs to train")
    lines = ["$ make demo"]
    lines += [line for line in done.stdout.splitlines() if not stage.match(line)]
    text = "\n".join(lines).replace(str(ROOT), "~/unroll")
    PICTURE.write_text(drawn(text), encoding="utf-8")


def drawn(output: str) -> str:
    """Return an SVG picture of a command's output, with its colours."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(output))
    return console.export_svg(title="make demo", unique_id="demo")


if __name__ == "__main__":
    main()
