"""What the tests of reading share."""

from datetime import datetime

import pytest

from unroll.series.options import Options
from unroll.series.reading import calendars
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import described


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """The day on which all files are read."""
    moment = datetime(2026, 11, 29, 12).astimezone()
    monkeypatch.setattr(calendars, "now", lambda: moment)


@pytest.fixture
def seen(tmp_path):
    """The profile of a text, by options."""

    def profile(text, written="utf-8", **overrides):
        (tmp_path / "load.csv").write_text(text, written, newline="")
        return detect([tmp_path / "load.csv"], Options(**overrides))

    return profile


@pytest.fixture
def told():
    """What is told of a profile, and its form, in lines below a name."""

    def lines(name, profile):
        form = profile.form.model_dump_json(exclude_defaults=True)
        return "\n".join([f"# {name}", *described(profile), f"form      {form}", ""])

    return lines
