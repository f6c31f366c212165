"""Take docs/page.png, a picture of the first screen of results/index.html.

Run it by `make picture`. It needs Chromium or Chrome.
"""

import hashlib
import io
import tempfile
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support import REPOSITORY, chromium

PAGE = REPOSITORY / "results" / "index.html"
PICTURE = REPOSITORY / "docs" / "page.png"

BELOW = ">004 "
"""The heading of the first document whose figures lie below the picture."""


def shown() -> str:
    """Return a hash of the text on the first screen."""
    page = PAGE.read_text(encoding="utf-8")
    screen, _, _ = page[page.index("<h1>") :].partition(BELOW)
    return hashlib.sha256(screen.encode()).hexdigest()


def main() -> None:
    """Take the picture, and store the hash of the shown text in it."""
    chromium.require()
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with folder as profile, chromium.tab(Path(profile)) as tab:
        tab.open(PAGE, width=1280, height=1000)
        made = tab.picture()
    about = PngInfo()
    about.add_text("shown", shown())
    Image.open(io.BytesIO(made)).save(PICTURE, pnginfo=about)


if __name__ == "__main__":
    main()
