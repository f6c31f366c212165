"""Takes docs/page.png, the first screen of results/index.html, by a Chromium without a
window: `make picture`.
"""

import base64
import hashlib
import re
import struct
import tempfile
import zlib
from pathlib import Path

from tests.support import REPOSITORY, chromium

PAGE = REPOSITORY / "results" / "index.html"
PICTURE = REPOSITORY / "docs" / "page.png"
END = 12
"""Bytes of the last chunk of a PNG file."""


def shown() -> bytes:
    """A hash of what the first screen says: the page's sentence and its table of
    answers.
    """
    screen = re.search(r"<h1>.*?</table>", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return hashlib.sha256(screen[0].encode() if screen else b"").hexdigest().encode()


def main() -> None:
    """Take the picture, and write into it what it shows."""
    if chromium.find() is None:
        raise SystemExit(
            f"no Chromium on PATH ({', '.join(chromium.NAMES)}); install one"
        )
    with tempfile.TemporaryDirectory() as profile, chromium.tab(Path(profile)) as tab:
        tab.open(PAGE, width=1280, height=1000)
        made = base64.b64decode(tab.ask("Page.captureScreenshot")["data"])
    text = b"tEXtshown\0" + shown()
    chunk = (
        struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    )
    PICTURE.write_bytes(made[:-END] + chunk + made[-END:])


if __name__ == "__main__":
    main()
