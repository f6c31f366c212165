"""Each rule has a folder of files in `rules/`: those that break it, and good ones that
nearly do. All rules look at all files."""

from collections import defaultdict
from pathlib import Path

import pytest

from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.question import propose
from unroll.series.reading import column_rules, rules
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import described

FOLDER = Path(__file__).parent / "rules"
RULES = (*rules.OF_ROWS, *column_rules.OF_COLUMNS, *column_rules.OF_TARGET)


def files(kind):
    """Name of each file of a kind -> its path, or the paths of the files of one series."""
    found = defaultdict(list)
    for path in sorted(FOLDER.glob(f"*/{kind}*.csv")):
        name = path.stem.removesuffix("_1").removesuffix("_2")
        found[f"{path.parent.name}, {name}"].append(path)
    return found


def read(paths):
    """The profile of files, if no rule is broken."""
    profile = detect(paths, Options())
    propose(profile, Options())
    return profile


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_each_rule_has_a_file_that_breaks_it_and_a_good_one(rule):
    names = {path.stem for path in (FOLDER / rule).iterdir()}
    assert "good" in names
    assert any(name.startswith("breaks") for name in names)


def test_what_is_said_of_files_that_break_a_rule_is_as_approved(file_regression):
    lines = []
    for name, paths in files("breaks").items():
        with pytest.raises(UnrollError) as caught:
            read(paths)
        text = str(caught.value).replace(f"{paths[0].parent}/", "")
        assert "\n" not in text
        lines.append(f"{name}: {text}")
    file_regression.check("\n".join(lines) + "\n")


def test_good_files_are_read_as_approved(file_regression):
    lines = []
    for name, paths in files("good").items():
        told = "\n".join(described(read(paths)))
        lines.append(f"# {name}\n{told.replace(f'{paths[0].parent}/', '')}\n")
    file_regression.check("\n".join(lines))
