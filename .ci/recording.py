"""Records `unroll demo` as a film of 20 seconds, docs/demo.svg: `make recording`."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]

SECONDS = 20.0
HOLD = 0.8
"""How long the film is, and the share of it that the build takes; then it stands still.
"""

ROWS = 30
WIDTH = 112
HEIGHT = 18
WIDE = 7.9
"""Lines and characters of the screen; pixels from line to line, and of a character."""

STYLE = (
    "text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#d8dee9;white-space:pre}"
    ".p{fill:#7f8a9e}.yes{fill:#8fd694}.no{fill:#f0a37e}"
)


def main() -> None:
    """Run the demo anew, and write the film."""
    shutil.rmtree(ROOT / ".demo", ignore_errors=True)
    lines = [(0.0, "$ make demo")]
    started = time.monotonic()
    command = [sys.executable, "-m", "unroll", "demo"]
    screen = {**os.environ, "COLUMNS": str(WIDTH - 4)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(
        command, cwd=ROOT, env=screen, encoding="utf-8", **streams
    ) as process:
        for line in process.stdout or ():
            shown = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip()).replace(
                str(ROOT), "~/unroll"
            )
            lines.append((time.monotonic() - started, shown))
    (ROOT / "docs" / "demo.svg").write_text(film(lines), encoding="utf-8")


def film(lines: list[tuple[float, str]]) -> str:
    """The film of lines and the seconds at which they were printed; one with a count is
    drawn over by the next.
    """
    last = max(when for when, _ in lines) or 1.0
    shares = [HOLD * when / last for when, _ in lines]
    texts = []
    scroll = [(0.0, 0)]
    row = 0
    for index, (share, (_, line)) in enumerate(zip(shares, lines, strict=True)):
        passing = re.match(r" *\d+/\d+ ", line)
        until = shares[index + 1] if passing and index + 1 < len(lines) else 1.0
        texts.append(
            _text(
                row,
                line,
                share,
                until,
                "p" if passing else line.split(maxsplit=1)[0] if line.strip() else "",
            )
        )
        row += not passing
        if row >= ROWS and not passing:
            scroll.append((share, (ROWS - 1 - row) * HEIGHT))
    moves = _animation(
        "Transform",
        "transform",
        [f"0 {by}" for _, by in scroll],
        [share for share, _ in scroll],
    )
    width = round(WIDTH * WIDE)
    height = ROWS * HEIGHT + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="make demo">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#1f2430"/>\n<g>{moves}\n'
        + "\n".join(texts)
        + "\n</g>\n</svg>\n"
    )


def _text(row: int, line: str, share: float, until: float, kind: str) -> str:
    shown = escape(line if len(line) <= WIDTH - 4 else line[: WIDTH - 5] + "…")
    appears = _animation(
        "",
        "opacity",
        ["0", "1", "0"] if until < 1 else ["0", "1"],
        [0.0, share, until][: 3 if until < 1 else 2],
    )
    # where nothing moves, only what stays is seen
    rest = ' opacity="0"' if until < 1 else ""
    name = f' class="{kind}"' if kind in {"p", "yes", "no"} else ""
    return f'<text x="14" y="{24 + row * HEIGHT}" xml:space="preserve"{name}{rest}>{shown}{appears}</text>'


def _animation(kind: str, what: str, values: list[str], shares: list[float]) -> str:
    how = ' type="translate"' if kind else ""
    times = ";".join(f"{share:.4f}" for share in shares)
    return (
        f'<animate{kind} attributeName="{what}"{how} values="{";".join(values)}" keyTimes="{times}" '
        f'calcMode="discrete" dur="{SECONDS:g}s" repeatCount="indefinite"/>'
    )


if __name__ == "__main__":
    main()
