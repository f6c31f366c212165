"""What the tests of reading share."""

import pytest

from series.options import Options
from series.reading.detect import detect


@pytest.fixture
def seen(tmp_path):
    """The profile of a text, by options."""

    def profile(text, written="utf-8", **overrides):
        (tmp_path / "load.csv").write_text(text, written, newline="")
        return detect([tmp_path / "load.csv"], Options(**overrides))

    return profile
