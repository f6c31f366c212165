"""Random params.yaml and random CSV files: a result, or one line. What a run draws is the same every time."""

import io
import json
import warnings
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.data import point_csv, stamped_csv
from pipeline.data.preparations import series
from pipeline.errors import UsageError
from pipeline.data.sources import jena, jena_hourly, local
from pipeline.workspace import Workspace
from stages.results import doctor
from stages.workspaces.miniature import PARAMS
from tests.hostile.one_line import result_or_line

KEPT = ("sine_dense", "waves_node", "jena_gru")
WHOLE = deepcopy(PARAMS) | {"experiments": {name: PARAMS["experiments"][name] for name in KEPT}}


def drawn(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("fuzzed"))


@pytest.fixture(scope="module")
def text(workspace):
    """The small params.yaml as text, in block style as the real one."""
    plain_yaml.write(WHOLE, workspace.params)
    return workspace.params.read_bytes()


def read(workspace, content):
    """What `unroll doctor` reads of params.yaml: the whole file, and the options of every section."""
    workspace.params.write_bytes(content)
    said = result_or_line(doctor._params, workspace)
    assert said.endswith("all valid") or said.startswith("params.yaml")
    assert len(said) < 2000


scraps = st.one_of(
    st.sampled_from([b":", b"- ", b"\n", b"  ", b"\t", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!!", b"'", b'"', b"#"]),
    st.sampled_from([b"|\n", b">", b"%", b"@", b"---\n", b"...", b"? ", b"<<: ", b"~", b"null", b"true", b".nan"]),
    st.sampled_from([b"1e9", b"0x1", b"0o7", b"1_0", b"9" * 30, b"2020-01-01", b"\xff", b"\0", b"\xc2\x85"]),
    st.binary(max_size=4),
)
edits = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "copy", "grow"]), st.integers(0, 10**6), st.integers(0, 60), scraps),
    min_size=1,
    max_size=5,
)


def edited(content, changes):
    for how, place, length, scrap in changes:
        start = place % (len(content) + 1)
        end = start + length
        if how == "set":
            content = content[:start] + scrap + content[start + len(scrap) :]
        elif how == "cut":
            content = content[:start] + content[end:]
        elif how == "copy":
            content = content[:end] + content[start:]
        else:
            content = content[:start] + scrap + content[start:]
    return content


@drawn(400)
@given(changes=edits)
def test_params_with_a_few_bytes_changed(workspace, text, changes):
    read(workspace, edited(text, changes))


words = st.text(max_size=6) | st.sampled_from(["waves", "kind", "name", "seed", "units", "../x", "os", "", "x" * 300])
numbers = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**32, 2**63, 10**30, 1e308])
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def sections(inner=WHOLE):
    """Every mapping of a params.yaml, the whole first, in its order."""
    yield inner
    for value in inner.values():
        if isinstance(value, dict):
            yield from sections(value)


SECTIONS = len(list(sections()))
manners = st.sampled_from(["set", "drop", "name", "add"])


@drawn(400)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, SECTIONS - 1), st.integers(0, 20), manners, values),
        min_size=1,
        max_size=3,
    ),
    name=words,
)
def test_params_with_a_few_values_or_keys_changed(workspace, changes, name):
    whole = deepcopy(WHOLE)
    for section, place, how, value in changes:
        mapping = list(sections(whole))[section % len(list(sections(whole)))]
        keys = [*mapping, name]
        key = keys[place % len(keys)]
        if how in {"drop", "name"}:
            value = mapping.pop(key, value)  # noqa: PLW2901 - under another name
        if how != "drop":
            mapping[name if how in {"name", "add"} else key] = value
    read(workspace, json.dumps(whole).encode())


cells = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.text(max_size=8),
    st.sampled_from(["", "nan", "NaN", "inf", "-inf", "NA", "None", "1e400", "1e308", "5e-324", "1,5", "1;5", "0x10"]),
    st.sampled_from(['"', '""', '"a', 'a"b', "'1'", "=1+1", "+1", "-1", "@x", "\t1", " 1 ", "1 2", "\x1b[31m", "\0"]),
    st.sampled_from(["1_0", "9" * 400, "-9999.0", "True", "\\", "\r", "1e", ".", "-"]),
    st.sampled_from(["\N{ARABIC-INDIC DIGIT THREE}", "\N{FULLWIDTH DIGIT ONE}", "\ufeff1", "\u202e1"]),
)
stamps = st.one_of(
    st.integers(0, 400).map(lambda hour: f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00"),
    st.datetimes().map(str),
    st.sampled_from(["", "2020-02-30", "0001-01-01", "9999-12-31 23:59:59", "01.01.2009 00:10:00"]),
    st.sampled_from(["2020-01-01T00:00:00+14:00", "2020-01-01T00:00:00Z"]),
    st.sampled_from(["1677-09-20", "2262-04-12", "20200101", "2020-W01-1", "1577836800", "now", "2020-01-01 24:00:00"]),
)
good = st.floats(-1e6, 1e6).map(repr)


@st.composite
def tables(draw):
    """A CSV file: mostly a good one, in which some things are wrong."""
    header = draw(st.sampled_from([["t", "v", "w"]] * 20 + [["t", "v"], ["t", "v", "v"], ["v", "t", "w"], ["t"], [""]]))
    wrong = draw(st.sampled_from([0] * 5 + [1, 2, 50]))
    rows = [[f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00"] for hour in range(draw(st.sampled_from(range(61))))]
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    for row in rows:
        row += [repr(value) for value in random.normal(size=len(header) - 1).round(3).tolist()]
    for _ in range(wrong if rows else 0):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        place = draw(st.integers(0, len(row)))
        row[place : place + draw(st.integers(0, 2))] = [draw(stamps if place == 0 else cells)]
    separator = draw(st.sampled_from([","] * 30 + [";", "\t", "|"]))
    ends = draw(st.sampled_from([["\n"]] * 12 + [["\r\n"], ["\r"], ["\n", "\r\n"], ["\n", "\n\n"], ["\r", "\n"]]))
    lines = [separator.join(row) for row in [header, *rows]]
    text = "".join(line + ends[number % len(ends)] for number, line in enumerate(lines))
    encoding = draw(st.sampled_from(["utf-8"] * 20 + ["utf-8-sig", "utf-16", "latin-1"]))
    return text[: -draw(st.sampled_from([0] * 12 + [1, 9])) or None].encode(encoding, "replace")


some_bytes = st.binary(max_size=200) | tables() | st.builds(edited, tables(), edits)
encodings = st.sampled_from(["utf-8"] * 12 + ["latin-1", "utf-16", "utf-7", "ascii", "idna", "zlib", "no such"])
drops = st.sampled_from([[]] * 6 + [["w"], ["v"], ["x"]])
formats = st.sampled_from(["ISO8601"] * 10 + ["%Y-%m-%d %H:%M:%S"] * 4 + ["mixed", "%Y%Y", "%", "(", "%z", "%s", ""])


@drawn(400)
@given(content=some_bytes, encoding=encodings, stamp_format=formats, drop=drops)
def test_a_series_of_any_bytes(workspace, content, encoding, stamp_format, drop):
    file = workspace.root / "a.csv"
    file.write_bytes(content)
    options = {"encoding": encoding, "stamp_format": stamp_format, "drop": drop}
    table = result_or_line(stamped_csv.read, file, stamp="t", target="v", where="here", **options)
    if not isinstance(table, str):
        assert table.values.shape == (len(table.stamps), len(table.columns))
        assert np.isfinite(table.values).all()
        assert not np.isnat(table.stamps).any()


counts = st.sampled_from([1, 2, 3, 5, 10**9])


@drawn(300)
@given(
    content=tables(),
    protocol=st.sampled_from(["corrected", "as_published"]),
    parts=st.tuples(*[st.sampled_from([1, 5, 20, 0.5, 0.3, 0.2, 1e-9, 2.5, 1e9])] * 2),
    window=st.tuples(counts, counts, st.sampled_from([1, 1, 1, 2, 10**9])),
    sentinel=st.sampled_from([None, None, -9999.0, 1e308]),
)
def test_windows_over_any_table(workspace, content, protocol, parts, window, sentinel):
    (workspace.root / "b.csv").write_bytes(content)
    options = dict(zip(("train", "validation", "lookback", "delay", "step"), (*parts, *window), strict=True))
    options |= {"sentinel": sentinel} if protocol == "corrected" else {"batch_size": 3}
    options |= {"file": "b.csv", "stamp": "t", "target": "v", "protocol": protocol}

    def cut():
        try:
            return series.prepare("b", workspace.root, **options)
        except ValueError as error:  # the stage says where
            raise UsageError(str(error)) from None

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(overflow|invalid value) encountered", RuntimeWarning)
        result_or_line(cut)


points = st.lists(st.tuples(good | cells, good | cells), max_size=20).map(
    lambda rows: "\n".join(["x,y", *(f"{x},{y}" for x, y in rows), ""]).encode(errors="replace")
)


@drawn(300)
@given(content=st.binary(max_size=100) | points | st.builds(edited, points, edits))
def test_points_of_any_bytes(workspace, content):
    file = workspace.root / "points.csv"
    file.write_bytes(content)
    result = result_or_line(point_csv.read, file)
    if not isinstance(result, str):
        assert np.isfinite(result).all()


ROW = "01.01.2009 00:{:02d}:00," + ",".join("1.25" for _ in jena.COLUMNS[1:])
OFFICIAL = "\n".join([",".join(jena.COLUMNS), *(ROW.format(minute) for minute in range(40)), ""]).encode()


@drawn(300)
@given(changes=edits)
def test_the_official_file_with_a_few_bytes_changed(workspace, changes):
    """Its readers know no pandas: they count fields and read stamps by themselves."""
    file = workspace.root / jena.FILE
    file.write_bytes(edited(OFFICIAL, changes))
    result_or_line(jena.check, file, jena.Structure(rows=40, csv_bytes=len(OFFICIAL)), "the mirror")
    result_or_line(jena_hourly.thin, file, workspace.root / "thinned.csv")


@drawn(200)
@given(path=st.text(max_size=20) | st.sampled_from(["", ".", "..", "/", "a.csv", "x" * 300, "x/" * 3000, "a\0b"]))
def test_a_path_of_any_text(workspace, path):
    folder, scratch = workspace.root / "copied", io.StringIO()
    folder.mkdir(exist_ok=True)
    context = local.Context("mine", workspace.root, workspace.root, None, lambda *report: print(*report, file=scratch))
    result_or_line(local.produce, folder, context, path=path)
