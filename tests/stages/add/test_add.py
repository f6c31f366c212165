"""From files as people have them to prepared data sets, by nothing but `unroll add FILE`."""

import datetime as dt
import math
import zoneinfo
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from stages.commands.main import invoke
from stages.prepare import prepare
from stages.source import source
from tests.support import REPOSITORY
from tests.support.training import train

HOURS = 24 * 40
START = dt.datetime(2023, 1, 20, tzinfo=dt.UTC)


def value(hour):
    """What was measured in an hour, with two decimals."""
    return round(100 + 20 * math.sin(hour * math.pi / 12) + 2 * math.sin(hour * hour), 2)


def rows(hours=HOURS):
    return [(START + dt.timedelta(hours=hour), value(hour)) for hour in range(hours)]


def write(path: Path, lines, encoding="utf-8") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def comma(folder):
    lines = [f"{stamp:%Y-%m-%d %H:%M},{load},5" for stamp, load in rows()]
    return [write(folder / "load.csv", ["time,load (kW),always", *lines])], value


def semicolon(folder):
    """A spreadsheet's export: a mark at the beginning, decimal commas, empty cells, a last row of delimiters."""
    lines = [
        f"{stamp:%d.%m.%Y %H:%M};{str(load).replace('.', ',')};{['ja', 'nein', ''][(place % 50 == 9) + (load > 100)]};"
        for place, (stamp, load) in enumerate(rows())
    ]
    return [write(folder / "load.csv", ["Zeit;Last [kW];hoch;", *lines, ";;;"], "utf-8-sig")], value


def split_stamps(folder):
    """As UCI's air quality: date and time apart, -200 where nothing was measured."""
    lines = [
        f"{stamp:%d/%m/%Y};{stamp:%H.%M.%S};{-200 if place % 100 == 7 else str(load).replace('.', ',')};{load:.0f};;"
        for place, (stamp, load) in enumerate(rows())
    ]
    return [
        write(folder / "load.csv", ["Date;Time;load;other;;", *lines, ";;;;;"])
    ], lambda hour: value(hour - 1) if hour % 100 == 7 else value(hour)


def utf16(folder):
    """A spreadsheet's "Unicode text": UTF-16 with its mark, tabs, units in the header."""
    lines = [f"{stamp:%Y-%m-%d %H:%M}\t{load}\t{load / 9:.1f}".replace(".", ",") for stamp, load in rows()]
    return [write(folder / "load.csv", ["Zeit\tLast [kW]\tWärme (°C)", *lines], "utf-16")], value


def daylight_saving(folder):
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    lines = [f"{stamp.astimezone(zone):%m/%d/%Y %I:%M %p},{load}" for stamp, load in rows(24 * 300)]
    return [write(folder / "load.csv", ["time,load", *lines])], value


def unsorted(folder):
    lines = [f"{stamp:%Y-%m-%dT%H:%M:%SZ},{load}" for stamp, load in rows()]
    lines += lines[30:40]
    lines.sort(key=lambda line: line[::-1])
    return [write(folder / "load.csv", ["time,load", *lines])], value


def yearly(folder):
    """A station's files: a year each, latin-1, year, month, day and hour apart, a gap of three rows."""
    files = {}
    for place, (stamp, load) in enumerate(rows()):
        moved = stamp - dt.timedelta(days=30)
        if place not in {100, 101, 102}:
            files.setdefault(moved.year, []).append(f"{moved.year},{moved.month},{moved.day},{moved.hour},{load}")
    header = "year,month,day,hour,Temp (°C)"
    paths = [write(folder / "load" / f"y{year}.csv", [header, *lines], "latin-1") for year, lines in files.items()]
    return paths, lambda hour: value(99) if hour in {100, 101, 102} else value(hour)


FORMS = [comma, semicolon, split_stamps, utf16, daylight_saving, unsorted, yearly]
NEXT = {daylight_saving: "2023-11-16 01:00:00+01:00", yearly: "2023-01-30 00:00:00"}
"""What comes after the last row, if not after 40 days from the start."""


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.params.write_bytes((REPOSITORY / "params.yaml").read_bytes())
    return workspace


def add(workspace, files, *options):
    invoke(["--root", str(workspace.root), "add", *map(str, files), *options])


@pytest.mark.parametrize("form", FORMS)
def test_a_file_becomes_a_data_set_and_a_forecast_with_no_edit_by_hand(workspace, form, capsys):
    before = workspace.params.read_text(encoding="utf-8").splitlines()
    files, expected = form(workspace.root)
    target = {split_stamps: ["--target", "load"], utf16: ["--target", "Last [kW]"]}.get(form, [])
    add(workspace, files, *target, "--horizon", "12", "--lookback", "24", "--yes")
    assert "Next: unroll repro evaluate@load" in capsys.readouterr().out
    after = workspace.params.read_text(encoding="utf-8").splitlines()
    assert [line for line in after if line in {*before}] != []
    remaining = iter(after)
    assert all(line in remaining for line in before), "what was there stays, in its order"

    source(workspace, "load")
    prepare(workspace, "load")
    found = dataset.load(workspace.prepared("load"))
    windows = found.splits["test"]
    measured = windows.series[:, windows.target].astype(float) * found.scale.std + found.scale.mean
    np.testing.assert_allclose(measured, [expected(hour) for hour in range(len(measured))], atol=1e-4)
    assert len(measured) == (24 * 300 if form is daylight_saving else HOURS)
    assert (windows.outputs, windows.lookback, windows.horizon) == (12, 24, 1)
    assert len(windows) > 20
    assert {e.model.name for e in params.load(workspace.params).experiments_of("load").values()} >= {
        *("last_value", "linear", "simple_rnn", "gru", "lstm")
    }

    train(workspace, "load_last_value")
    capsys.readouterr()
    invoke(["--root", str(workspace.root), "predict", "load_last_value", "--csv"])
    head, *ahead = (line.split(",") for line in capsys.readouterr().out.splitlines())
    assert head == ["stamp", "forecast", "low", "high"]
    assert (len(ahead), ahead[0][0]) == (12, NEXT.get(form, "2023-03-01 00:00:00"))
    np.testing.assert_allclose([float(row[1]) for row in ahead], expected(len(measured) - 1), atol=1e-4)


def test_what_was_guessed_stands_in_the_entry(workspace, capsys):
    files, _ = daylight_saving(workspace.root)
    add(workspace, files, "--yes")
    assert "guessed   time_zone" in capsys.readouterr().out
    text = workspace.params.read_text(encoding="utf-8")
    assert "# hours are missing in spring and doubled in autumn; zones of the same rule do as well\n" in text
    assert "      time_zone: Europe/Berlin\n" in text
    assert "# rows; proposed: " in text
    assert "patience: 5" in text


def test_dvc_changes_one_line_of_what_was_added(workspace):
    from dvc.utils.serialize import modify_yaml

    files, _ = split_stamps(workspace.root)
    add(workspace, files, "--target", "load", "--yes")
    before = workspace.params.read_text(encoding="utf-8").splitlines()
    with modify_yaml(str(workspace.params)) as data:
        data["experiments"]["load_gru"]["model"]["units"] = 16
    after = workspace.params.read_text(encoding="utf-8").splitlines()
    assert len(before) == len(after)
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


def wide():
    return ",".join(["time", *(f"c{place}" for place in range(100_000))]) + "\n" + "2020-01-01" + ",1" * 100_000


HOURLY = [f"01/02/2020 {hour:02d}:00,{hour}" for hour in range(24)]
DAILY = [f"2020-01-{day:02d},{day}" for day in range(1, 29)]
BAD = {
    "empty": ("", "is empty"),
    "header only": ("time,load\n", "holds a header and no row; a series has many"),
    "one row": ("time,load\n2020-01-01,1\n", "holds a header and one row; a series has many"),
    "all NaN": ("time,load\n" + "\n".join(f"2020-01-{d:02d},NaN" for d in range(1, 29)), "no column holds numbers"),
    "binary": (bytes(range(256)) * 20, "is no text, but binary; export it as CSV or Parquet"),
    "UTF-16": ("time,load\n2020-01-01,1\n2020-01-02,1\n".encode("utf-16-le"), "UTF-16 without .* save it as UTF-8"),
    "UTF-32": ("time,load\n2020-01-01,1\n2020-01-02,1\n".encode("utf-32"), "is UTF-32, .* save it as UTF-8"),
    "broken Parquet": (b"PAR1" + b"x" * 90, "is no whole Parquet file"),
    "100,000 columns": (wide(), "has more than 1,000 columns"),
    "a path as a column": ("\n".join(["time,../../load", *DAILY]), "column '../../load' is named like a path"),
    "day or month": ("\n".join(["time,load", *HOURLY]), "pass --day-first or --month-first"),
    "thousands or decimals": ("time;load\n2020-01-01;1,234\n2020-01-02;1,235\n", "pass --decimal , or --decimal ."),
    "both decimal marks": (
        "\n".join(["time;load", *(f"2020-01-{day:02d};{day}{'.' if day == 20 else ','}25" for day in range(1, 29))]),
        r"column 'load' holds 20\.25 beside numbers with ',' as decimal mark",
    ),
    "no stamps": ("a,b\n1,2\n3,4\n", "pass --stamp COLUMN .* Columns: a, b"),
    "months": ("\n".join(["m,x", *(f"20{m // 12:02d}-{m % 12 + 1:02d},{m}" for m in range(99))]), "not evenly spaced"),
    "too few rows": ("\n".join(["time,load", *DAILY[:5]]), "no room .* pass a smaller --horizon or --lookback"),
    "no columns": ("some words\nand more of those words\n", "has no columns that a comma"),
    "which target": (
        "\n".join(["time,a,b", *(f"{line},{line[-1]}" for line in DAILY)]),
        "say what is to be forecast, by --target: a, b",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_gets_one_line_and_leaves_params_as_they_are(workspace, content, message):
    before = workspace.params.read_bytes()
    path = workspace.root / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnrollError, match=message) as caught:
        add(workspace, [path], "--yes")
    assert "\n" not in str(caught.value)
    assert workspace.params.read_bytes() == before
    assert not [*workspace.scratch.glob("*")]


def test_the_flag_that_a_line_names_decides(workspace):
    path = write(workspace.root / "days.csv", ["time,load", *HOURLY])
    add(workspace, [path], "--yes", "--month-first")
    prepared = params.load(workspace.params).dataset("days").preparation.options
    assert prepared["stamp_format"] == "%m/%d/%Y %H:%M"
    path = write(workspace.root / "marks.csv", ["time;load", *(f"2020-01-{d:02d};1,{d:03d}" for d in range(1, 29))])
    add(workspace, [path], "--yes", "--decimal", ",", "--horizon", "1", "--lookback", "2")
    assert params.load(workspace.params).dataset("marks").preparation.options["decimal"] == ","


def test_a_name_that_is_taken_and_files_of_other_folders_are_refused(workspace):
    files, _ = comma(workspace.root)
    with pytest.raises(UnrollError, match=r"params.yaml has jena already; pass --name with another"):
        add(workspace, files, "--yes", "--name", "jena")
    with pytest.raises(UnrollError, match="--name must be small letters"):
        add(workspace, files, "--yes", "--name", "../x")
    other = write(workspace.root / "b" / "load.csv", ["time,load"])
    with pytest.raises(UnrollError, match="must lie in one folder"):
        add(workspace, [*files, other], "--yes")
    with pytest.raises(UnrollError, match="is a folder; name the files in it"):
        add(workspace, [workspace.root / "b"], "--yes")


def test_a_name_that_is_not_utf_8_is_what_the_line_blames(workspace):
    files, _ = comma(workspace.root)
    with pytest.raises(UsageError, match="--encoding: there is no encoding '.*'"):
        add(workspace, files, "--yes", "--encoding", "\udcff")
    odd = files[0].rename(workspace.root / "\udcff.csv")
    with pytest.raises(UsageError, match="\udcff.csv: this name is not UTF-8; rename it"):
        add(workspace, [odd], "--name", "odd", "--yes")


def test_a_misspelt_target_is_said_before_all_rows_are_read(workspace, monkeypatch):
    monkeypatch.setattr("pipeline.data.sniff.look._pass", lambda *_: pytest.fail("read on"))
    files, _ = comma(workspace.root)
    with pytest.raises(UnrollError, match="--target must be one of: .*Did you mean load"):
        add(workspace, files, "--target", "laod (kW)", "--yes")


def test_who_cannot_be_asked_is_told_what_to_pass(workspace):
    files, _ = comma(workspace.root)
    with pytest.raises(UnrollError, match=r"pass --horizon and --lookback \(proposed: 24 and .* timesteps\), or --yes"):
        add(workspace, files)


def test_sections_that_are_empty_or_missing_are_filled(workspace):
    plain_yaml.write({"sources": {}, "datasets": {}, "experiments": {}}, workspace.params)
    files, _ = comma(workspace.root)
    add(workspace, files, "--yes")
    assert [*params.load(workspace.params).datasets] == ["load"]
