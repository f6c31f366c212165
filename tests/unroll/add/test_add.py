"""From files as people have them to prepared data sets, by nothing but `unroll add FILE`."""

import datetime as dt
import math
import subprocess
import sys
import zoneinfo
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from tests.support import REPOSITORY
from tests.support.training import train
from unroll.commands.main import invoke

HOURS = 24 * 40
START = dt.datetime(2023, 1, 20, tzinfo=dt.UTC)


def value(hour):
    """What was measured in an hour, with two decimals."""
    return round(100 + 20 * math.sin(hour * math.pi / 12) + 2 * math.sin(hour * hour), 2)


def rows(count=HOURS, unit="hours"):
    return [(START + dt.timedelta(**{unit: row}), value(row)) for row in range(count)]


def write(path: Path, lines, encoding="utf-8") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def comma(folder):
    lines = [f"{stamp:%Y-%m-%dT%H:%M:%SZ},{load},5" for stamp, load in rows()]
    return [write(folder / "load.csv", ["time,load (kW),always", *lines])], value


def semicolon(folder):
    """A spreadsheet's export: a mark at the beginning, decimal commas, empty cells, a last row of delimiters."""
    lines = [
        f"{stamp:%d.%m.%Y %H:%M};{str(load).replace('.', ',')};{['ja', 'nein', ''][(row % 50 == 9) + (load > 100)]};"
        for row, (stamp, load) in enumerate(rows())
    ]
    return [write(folder / "load.csv", ["Zeit;Last [kW];hoch;", *lines, ";;;"], "utf-8-sig")], value


def split_stamps(folder):
    """As UCI's air quality: date and time apart, -200 where nothing was measured."""
    lines = [
        f"{stamp:%d/%m/%Y};{stamp:%H.%M.%S};{-200 if row % 100 == 7 else str(load).replace('.', ',')};{load:.0f};;"
        for row, (stamp, load) in enumerate(rows())
    ]
    path = write(folder / "load.csv", ["Date;Time;load;other;;", *lines, ";;;;;"])
    return [path], lambda hour: value(hour - 1) if hour % 100 == 7 else value(hour)


def utf16(folder):
    """A spreadsheet's "Unicode text": UTF-16 with its mark, tabs; a row a day, in no order, ten of them twice."""
    lines = [f"{stamp:%Y-%m-%d}\t{load}\t{load / 9:.1f}".replace(".", ",") for stamp, load in rows(unit="days")]
    lines = sorted([*lines, *lines[30:40]], key=lambda line: line[::-1])
    return [write(folder / "load.csv", ["Zeit\tLast [kW]\tWärme (°C)", *lines], "utf-16")], value


def daylight_saving(folder):
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    lines = [f"{stamp.astimezone(zone):%m/%d/%Y %I:%M %p},{load}" for stamp, load in rows(24 * 300)]
    return [write(folder / "load.csv", ["time,load", *lines])], value


def yearly(folder):
    """A station's files: a year each, latin-1, year, month, day and hour apart, a gap of three rows."""
    files = {}
    for row, (stamp, load) in enumerate(rows()):
        moved = stamp - dt.timedelta(days=30)
        if row not in {100, 101, 102}:
            files.setdefault(moved.year, []).append(f"{moved.year},{moved.month},{moved.day},{moved.hour},{load}")
    header = "year,month,day,hour,Temp (°C)"
    paths = [write(folder / "load" / f"y{year}.csv", [header, *lines], "latin-1") for year, lines in files.items()]
    return paths, lambda hour: value(99) if hour in {100, 101, 102} else value(hour)


FORMS = [comma, semicolon, split_stamps, utf16, daylight_saving, yearly]
NEXT = {utf16: "2025-09-06", daylight_saving: "2023-11-16 01:00:00+01:00", yearly: "2023-01-30 00:00:00"}
"""What comes after the last row, if not after 40 days from the start."""


@pytest.fixture
def workspace(tmp_path):
    """Nothing is in params.yaml but a source, and two of the three sections."""
    workspace = Workspace(tmp_path)
    plain_yaml.write({"sources": {"jena": {"kind": "jena"}}, "datasets": {}, "experiments": {}}, workspace.params)
    return workspace


def add(workspace, files, *options):
    invoke(["--root", str(workspace.root), "add", *map(str, files), *options])


def prepared_load(workspace):
    """The data set that was added, after its two stages."""
    source(workspace, "load")
    prepare(workspace, "load")
    return dataset.load(workspace.prepared("load"))


@pytest.mark.parametrize("form", FORMS)
def test_a_file_becomes_a_data_set_and_a_forecast_with_no_edit_by_hand(workspace, form, capsys):
    files, expected = form(workspace.root)
    add(workspace, files, "--horizon", "12", "--lookback", "24", "--yes")
    printed, text = capsys.readouterr().out, workspace.params.read_text(encoding="utf-8")
    assert "Next: unroll answer load" in printed
    if form is daylight_saving:
        assert "guessed   time_zone" in printed
        assert "# hours are missing in spring and doubled in autumn; zones of the same rule do as well\n" in text

    prepared = prepared_load(workspace)
    windows = prepared.splits["test"]
    measured = windows.series[:, windows.target].astype(float) * prepared.scale.std + prepared.scale.mean
    np.testing.assert_allclose(measured, [expected(hour) for hour in range(len(measured))], atol=1e-4)
    assert len(measured) == (24 * 300 if form is daylight_saving else HOURS)
    assert (windows.outputs, windows.lookback, windows.horizon) == (12, 24, 1)
    assert len(windows) > 20

    train(workspace, "load/last_value")
    capsys.readouterr()
    invoke(["--root", str(workspace.root), "predict", "load/last_value", "--csv"])
    head, *ahead = (line.split(",") for line in capsys.readouterr().out.splitlines())
    assert head == ["stamp", "forecast", "low", "high"]
    assert (len(ahead), ahead[0][0]) == (12, NEXT.get(form, "2023-03-01 00:00:00"))
    np.testing.assert_allclose([float(row[1]) for row in ahead], expected(len(measured) - 1), atol=1e-4)


def test_what_was_there_stays_and_dvc_changes_one_line_of_what_was_added(workspace):
    from dvc.utils.serialize import modify_yaml

    def lines():
        return workspace.params.read_text(encoding="utf-8").splitlines()

    for name in ("params.yaml", "templates.yaml"):
        (workspace.root / name).write_bytes((REPOSITORY / name).read_bytes())
    before = lines()
    add(workspace, comma(workspace.root)[0], "--yes")
    added = lines()
    remaining = iter(added)
    assert all(line in remaining for line in before), "in its order"
    assert any("# rows; proposed: " in line for line in added)
    models = {experiment.model.name for experiment in params.load(workspace.params).experiments_of("load").values()}
    assert models >= {"last_value", "seasonal_naive", "linear", "boosting", "mlp", "gru"}
    with modify_yaml(str(workspace.params)) as data:
        data["experiments"]["load"]["gru"]["model"]["units"] = 16
    assert sum(line != other for line, other in zip(added, lines(), strict=True)) == 1


def test_a_file_outside_of_the_workspace_s_repository_is_told_and_where_it_is_not_there_its_entry(workspace, capsys):
    (file,), _ = comma(workspace.root)
    inner = Workspace(workspace.root / "own")
    (inner.root / ".git").mkdir(parents=True)
    inner.params.write_bytes(workspace.params.read_bytes())
    add(inner, [file], "--yes")
    assert "git       does not keep load.csv, so no clone can build it; copy it into" in capsys.readouterr().out
    file.unlink()
    with pytest.raises(UnrollError, match=r"params.yaml: files.load.path: \.\./load.csv is not there"):
        invoke(["--root", str(inner.root), "answer", "load"])


DAYS = range(1, 29)
DAILY = [f"2020-01-{day:02d},{day}" for day in DAYS]
TWO = "time,load\n2020-01-01,1\n2020-01-02,1\n"
WIDE = ",".join(["time", *(f"c{row}" for row in range(100_000))]) + "\n" + "2020-01-01" + ",1" * 100_000
MARKS = [f"2020-01-{day:02d};{day}{'.' if day == 20 else ','}25" for day in range(1, 29)]


def text(*lines):
    return "\n".join(lines)


BAD = {
    "empty": ("", "is empty"),
    "header only": ("time,load\n", "holds a header and no row; a series has many"),
    "one row": ("time,load\n2020-01-01,1\n", "holds a header and one row; a series has many"),
    "all NaN": (text("time,load", *(f"2020-01-{d:02d},NaN" for d in range(1, 29))), "no column holds numbers"),
    "binary": (bytes(range(256)) * 20, "is packed, binary, UTF-32 or UTF-16 without its mark; save it as UTF-8 CSV"),
    "a long line": (
        "a,b\n" * 3 + "1" * 2**18 + "\n1,2\n",
        "line 4 has 131,072 characters or more; save it with a line for",
    ),
    "a mark alone": ("\ufeff", "is empty"),
    "too small": (text("time,load", *(f"{day}e-321" for day in DAILY)), "'load': numbers less than 1e-150 apart; give"),
    "UTF-16": (TWO.encode("utf-16-le"), "UTF-16 without .* save it as UTF-8"),
    "UTF-32": (TWO.encode("utf-32"), "UTF-32 or UTF-16 .* save it as UTF-8"),
    "broken Parquet": (b"PAR1" + b"x" * 90, "is no whole Parquet file"),
    "100,000 columns": (WIDE, "columns, more than 500; keep"),
    "a path as a column": (text("time,../../load", *DAILY), "column '../../load' is named like a path"),
    "both decimal marks": (
        text("time;load", *MARKS),
        r"'load' holds 20\.25 1 times beside numbers with ',' as decimal mark",
    ),
    "no stamps": ("a,b\n1,2\n3,4\n", "pass --stamp COLUMN .* Columns and first cells: a \\('1'\\), b"),
    "too many series": (
        text("time,who,x", *(f"2020-01-{d:02d},{who},{d * d % 7}" for who in range(51) for d in DAYS)),
        "holds 51 series, by 'who'; leave all but 50 out",
    ),
    "clocks put back": (
        text(
            "day,part,x",
            *(f"2020-01-{d:02d},{part},{d * d % 7 + part}" for d in DAYS for part in range(1, 49 + 2 * (d > 27))),
        ),
        "49: 1 rows, 0 of them before 2020-01-15 .* 7 are needed; .* told apart by 'part'; 'part' may count parts",
    ),
    "quarter hours": (
        text("day,part,x", *(f"2020-01-{d:02d},{part},{d * part % 7}" for d in DAYS for part in range(1, 97))),
        "holds 96 series, by 'part'; 'part' may count parts of a day, too; then make it part of the stamp",
    ),
    "series by two columns": (
        text("time,a,b,x", *(f"2020-01-{d:02d},{a},{b},{d * a % 7}{b}" for a in (1, 2) for b in (3, 4) for d in DAYS)),
        r"each stamp stands 4 times, .* no column alone says which series a row is of; join those that do \(a and b",
    ),
    "too few rows": (text("time,load", *DAILY[:3]), "to learn; the file has 3 rows, and about 8 are needed; add rows"),
    "one stamp": (text("time,load", *["2023-01-01 00:00,1"] * 40), "the file has 1 different stamps"),
    "stamps alone": ("date,time\n" + "2023-01-01,00:00\n" * 40, "the file has 1 different stamps"),
    "no columns": ("some words\nand more of those words\n", "has no columns that a comma"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_gets_one_line_and_leaves_params_as_they_are(workspace, content, message):
    before, path = workspace.params.read_bytes(), workspace.root / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnrollError, match=message) as caught:
        add(workspace, [path], "--yes")
    assert "\n" not in str(caught.value)
    assert workspace.params.read_bytes() == before
    assert {path.suffix for path in workspace.scratch.glob("*")} <= {".lock"}


@pytest.mark.parametrize("parts", [25, 48, 50])
def test_parts_of_a_day_may_look_like_series(workspace, capsys, parts):
    days = [(month, day) for month in range(1, 4) for day in DAYS]
    lines = (f"2020-{m:02d}-{d:02d},{part},{d * d * part % 101}" for m, d in days for part in range(1, parts + 1))
    add(workspace, [write(workspace.root / "load.csv", ["day,slot,load", *lines])], "--yes")
    assert "guessed   series_id: 'slot' may count parts of a day, too; then make it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ("load.csv", ["--yes", "--name", "jena"], r"params.yaml has jena already; pass --name with another"),
        *(("load.csv", ["--yes", "--name", name], "--name must be") for name in ("", "../x", "con", "params")),
        ("load.csv b/load.csv", ["--yes"], "must lie in one folder"),
        ("b", ["--yes"], "is a folder; name the files in it"),
        ("load.csv", ["--yes", "--encoding", "\udcff"], "--encoding: there is no encoding '.*'"),
        ("load.csv", [], r"pass --horizon 24 --lookback 168 or other values, or --yes to take these"),
        ("\udcff.csv", ["--name", "odd", "--yes"], "\udcff.csv: this name is not UTF-8; rename it"),
    ],
)
def test_what_was_passed_wrongly_gets_one_line(workspace, files, options, message):
    (file,), _ = comma(workspace.root)
    write(workspace.root / "b" / "load.csv", ["time,load"])
    (workspace.root / "\udcff.csv").write_bytes(file.read_bytes())
    with pytest.raises(UnrollError, match=message):
        add(workspace, [workspace.root / name for name in files.split()], *options)


def test_a_column_of_words_that_is_mostly_empty_costs_no_window_and_a_zero_that_others_hold_is_not_taken_out(
    workspace, capsys
):
    """As the traffic of Metro Interstate: a holiday on few days, 0 K once, and no rain as 0."""
    days, kelvin = {9: "Easter", 99: "May Day", 489: "Easter"}, {200: 0}
    lines = [
        f"{stamp:%Y-%m-%d %H:%M},{days.get(hour, '')},{kelvin.get(hour, load)},{hour % 7},{load}"
        for hour, (stamp, load) in enumerate(rows())
    ]
    file = write(workspace.root / "load.csv", ["time,holiday,kelvin,rain,load", *lines])
    add(workspace, [file], "--target", "load", "--horizon", "12", "--lookback", "24", "--yes")
    printed = capsys.readouterr().out
    assert "kelvin: 0 lies far from all others; no value? then empty such cells, since other columns hold it" in printed
    assert "lost" not in printed
    assert {"holiday=Easter", "holiday=May Day"} < {*prepared_load(workspace).fitted.columns}
    with pytest.raises(UnrollError, match="0 gaps in the clock and 138 of 960 rows without a value of 'rain'"):
        add(workspace, [file], "--name", "b", "--target", "load", "--lookback", "600", "--missing", "0", "--yes")


def test_two_series_added_at_once_are_both_there(workspace):
    lines = [f"{START + dt.timedelta(days=day):%Y-%m-%d},{day * day % 23}" for day in range(200)]
    files = [write(workspace.root / f"{name}.csv", ["day,load", *lines]) for name in ("one", "two")]
    command = [sys.executable, "-m", "unroll", "--root", workspace.root, "add"]
    processes = [subprocess.Popen([*command, file, "--yes"], cwd=REPOSITORY) for file in files]
    assert [process.wait() for process in processes] == [0, 0]
    assert {"one", "two"} <= params.load(workspace.params).datasets.keys()
