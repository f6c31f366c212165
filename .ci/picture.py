"""Takes docs/page.png, the first screen of results/index.html, by a Chromium without a window: `make picture`."""

import hashlib
import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "results" / "index.html", ROOT / "docs" / "page.png"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
END = 12
"""Bytes of the last chunk of a PNG file."""


def shown() -> bytes:
    """A hash of what the first screen says: the page's sentence and its table of answers."""
    found = re.search(r"<h1>.*?</table>", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return hashlib.sha256(found[0].encode() if found else b"").hexdigest().encode()


def main() -> None:
    """Take the picture, and write into it what it shows."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        raise SystemExit(f"no Chromium on PATH ({', '.join(NAMES)}); install one")
    with tempfile.TemporaryDirectory() as profile:
        size, place = "--window-size=1280,1000", f"--screenshot={PICTURE}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        subprocess.run([chromium, *options, size, place, PAGE.as_uri()], check=True, capture_output=True, timeout=120)
    made, text = PICTURE.read_bytes(), b"tEXtshown\0" + shown()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    PICTURE.write_bytes(made[:-END] + chunk + made[-END:])


if __name__ == "__main__":
    main()
