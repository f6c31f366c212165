"""An answer from somebody else: whatever its files hold, it forecasts what it forecast,
or one line says what is wrong. Nothing is read or written elsewhere."""

import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

from pipeline.errors import UnrollError
from pipeline.files import read_npz, write_npz, write_text
from tests.support.answered import answered, small_answer
from tests.unroll.series.test_saved_answers import monthly
from unroll.answers import show_answer
from unroll.commands.main import invoke
from unroll.series import FILE, answer_page, saved, seal
from unroll.series.forecaster import ARRAYS, SPEC

VALUES = (
    None,
    True,
    0,
    -1,
    1,
    7,
    10**6,
    2**31,
    10**30,
    -1e300,
    1e300,
    0.5,
    "",
    "gru",
    "../../../elsewhere",
    "/dev/zero",
    "\x1b[31m",
    "2024-13-45",
    [],
    [1, 2, 3],
    ["elsewhere"],
    {},
    {"name": "gru"},
)
"""What takes the place of a field."""

BRIEF = 200
LONG = 2400


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a whole answer, and its forecast."""
    folder = tmp_path_factory.mktemp("answers") / "shop"
    return folder, small_answer(folder).forecast()


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of the whole answer."""
    copy = tmp_path / "project" / "shop"
    shutil.copytree(whole[0], copy)
    return copy


def fields(data, path=()):
    """The paths of all fields of plain data, at any depth."""
    items = []
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data[:3])
    for key, value in items:
        yield (*path, key)
        yield from fields(value, (*path, key))


def changed_json(file, chance):
    """One field is removed, repeated or replaced."""
    data = json.loads(file.read_text())
    *path, last = chance.choice([*fields(data)])
    holder = data
    for key in path:
        holder = holder[key]
    how = chance.randrange(10)
    if how == 0:
        del holder[last]
    elif how == 1:
        holder[last] = [holder[last]] * 3
    elif how == 2 and isinstance(holder, dict):
        holder["more"] = holder[last]
    else:
        holder[last] = chance.choice(VALUES)
    file.write_text(json.dumps(data))
    return f"{[*path, last]}, way {how}: {json.dumps(holder)[:100]}"


def changed_arrays(file, chance):
    """An array is removed, or gets another shape, another type or other values."""
    arrays = read_npz(file)
    name = chance.choice([*arrays])
    array = arrays.pop(name)
    ways = {
        "removed": None,
        "cut": array[..., :-1],
        "twice": np.concatenate([array, array]),
        "flat": array.reshape(-1),
        "empty": array[:0],
        "one": np.float64(array.sum()),
        "text": array.astype(str),
        "whole": np.nan_to_num(array).astype(int),
        "huge": np.full_like(array, 100 if array.dtype.kind in "iu" else 1e38),
        "negative": (-array.astype(float)).astype(array.dtype),
    }
    if array.dtype.kind == "f":
        ways["not a number"] = np.full_like(array, np.nan)
    way = chance.choice([*ways])
    if ways[way] is not None:
        arrays[name] = ways[way]
    write_npz(file, arrays)
    return f"{name}: {way}"


def changed_bytes(file, chance):
    """The file is cut, emptied, overwritten in a place, or no file any more."""
    content = bytearray(file.read_bytes())
    place = chance.randrange(len(content))
    ways = ("cut", "empty", "byte", "pipe", "link", "device", "folder", "gone")
    way = chance.choice(ways)
    if way == "byte":
        content[place] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
    elif way in ("cut", "empty"):
        file.write_bytes(content[:place] if way == "cut" else b"")
    else:
        file.unlink()
        makers = {
            "pipe": os.mkfifo,
            "link": lambda path: path.symlink_to("/etc/hosts"),
            "device": lambda path: path.symlink_to("/dev/zero"),
            "folder": Path.mkdir,
            "gone": lambda _: None,
        }
        makers[way](file)
    return f"{way} at {place}"


def forecast_of(folder):
    """All that a reader of an answer may ask for; the forecast, or the error's line."""
    try:
        answer = saved.load(folder)
        # Beside other work, threads of scikit-learn would wait busily for each other.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            forecast = answer.forecast()
        assert isinstance(f"{answer!r} {answer.hint} {answer.models}", str)
        answer_page.page(answer, forecast, 0.9, {}, {}, {})
        show_answer.forecast_at(answer, 0.9)
    except UnrollError as error:
        return str(error)
    return forecast


def shown(folder):
    """What the commands print of an answer; or the line of the first that refuses."""
    output = io.StringIO()
    try:
        with contextlib.chdir(folder.parent), contextlib.redirect_stdout(output):
            for words in (["list"], ["predict", folder.name], ["compare", folder.name]):
                invoke(words)
    except UnrollError as error:
        return str(error)
    return output.getvalue()


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """The folder of an answer of whole series, and its forecast."""
    folder = tmp_path_factory.mktemp("answers") / "shop"
    file = folder.with_suffix(".csv")
    monthly("ABCD").to_csv(file, index=False)
    answered(file, target="sales", horizon=4, models="theta").save(folder)
    answer = saved.load(folder)
    answer_page.write(answer)
    return folder, answer.forecast()


def test_a_changed_answer_forecasts_the_same_or_says_in_one_line_what_is_wrong(
    whole, panel, tmp_path, pytestconfig
):
    """Half of the variants are by somebody who makes the hashes again."""
    for number in range(LONG if pytestconfig.getoption("--long") else BRIEF):
        chance = random.Random(number)  # noqa: S311 - no secret
        folder = tmp_path / "project" / "shop"
        origin, expected = panel if number % 4 == 1 else whole
        shutil.copytree(origin.parent, folder.parent)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        read = [path for path in files if path.name not in saved.SHOWN[1:]]
        often = [folder / SPEC, folder / ARRAYS, folder / FILE, folder / FILE]
        file = chance.choice(read if number % 3 == 0 else often)
        change = changed_bytes
        if chance.random() < 0.8 and file.suffix == ".json":
            change = changed_json
        elif chance.random() < 0.8 and file.suffix == ".npz":
            change = changed_arrays
        told = f"{number}: {file.relative_to(folder)}: {change(file, chance)}"
        again = number % 2 == 0 and change is not changed_bytes
        if again and file.name != seal.FILE:
            seal.write(folder, saved.SECONDS, *saved.SHOWN)
        try:
            forecast = forecast_of(folder)
            if number % 10 == 0:
                shown(folder)
        except Exception as error:
            raise AssertionError(told) from error
        if isinstance(forecast, str):
            assert "\n" not in forecast, told
        elif not again:
            pd.testing.assert_frame_equal(forecast, expected, obj=told)
        shutil.rmtree(folder.parent)


def edit(folder, name, change):
    """Change the data of a JSON file, as its author would: with new hashes."""
    data = json.loads((folder / name).read_text())
    change(data)
    (folder / name).write_text(json.dumps(data))
    seal.write(folder, saved.SECONDS, *saved.SHOWN)


def member_of(data):
    """The first model of a forecaster."""
    return data["members"][0]


PATHS = ("../../../../elsewhere", "/tmp/elsewhere", "a/b", "..", "gru\x00")  # noqa: S108


@pytest.mark.parametrize("name", PATHS)
def test_a_name_that_becomes_a_path_has_the_pattern_of_a_name(folder, name):
    edit(folder, SPEC, lambda data: member_of(data).update(name=name))
    before = sorted(folder.parent.rglob("*"))
    assert f"{SPEC} is damaged (members.0.name must be" in forecast_of(folder)
    edit(folder, SPEC, lambda data: member_of(data).update(name="mlp", point=name))
    assert "members.0.point must be 'best' or 'final'" in forecast_of(folder)
    edit(folder, FILE, lambda data: data.update(name=name))
    assert "name must be a name of 1 to 200 characters" in forecast_of(folder)
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "place",
    ["weights", "weights/mlp", "weights/mlp/seed_0_final.npz", FILE, ".lock"],
)
def test_no_link_in_an_answer_is_followed(folder, tmp_path, place):
    path = folder / place
    if path.exists():
        path.rename(tmp_path / "away")
    path.symlink_to(tmp_path / "away")
    assert " is a link, and the folder of an answer holds plain files" in (
        forecast_of(folder)
    )
    with pytest.raises(UnrollError, match="is a link"):
        seal.write(folder)


def test_a_file_outside_is_read_only_if_it_begins_with_the_rows_of_the_answer(
    whole, folder, tmp_path
):
    rows = whole[0].with_suffix(".csv").read_text()
    beside = folder.with_suffix(".csv")
    beside.write_text(rows)
    pd.testing.assert_frame_equal(forecast_of(folder), whole[1])
    beside.write_text(f"{rows}2022-10-28,55.5\n")
    appended = forecast_of(folder)
    assert appended["ds"].iloc[0] == whole[1]["ds"].iloc[0] + pd.Timedelta(days=1)
    secret = tmp_path / "secret.txt"
    secret.write_text("password,load\n1,2\n" * 999)
    for path in ("../../secret.txt", str(secret), "../shop.csv"):
        beside.write_text(rows.replace("day,sales", "sales,day"))
        edit(folder, FILE, lambda data, path=path: data["files"][0].update(path=path))
        line = forecast_of(folder)
        assert "password" not in line
        assert "does not begin with the rows" in line
        assert "--data FILE" in line
    beside.write_text(rows)
    assert len(saved.load(folder).forecast(beside)) == 7, "a file that one names"


@pytest.mark.parametrize("path", ["/dev/zero", "..", "../shop.csv", "no/such/file"])
def test_where_no_file_is_the_rows_of_the_answer_are_read_and_a_line_says_so(
    whole, folder, path
):
    edit(folder, FILE, lambda data: data["files"][0].update(path=path))
    with pytest.warns(UserWarning, match="is not there; its rows are those that shop/"):
        forecast = saved.load(folder).forecast()
    pd.testing.assert_frame_equal(forecast, whole[1])


def test_a_copy_of_rows_has_the_pattern_of_a_copy(folder):
    for name in ("../shop.csv", "answer.json", "/etc/hosts"):
        edit(folder, FILE, lambda data, name=name: data["files"][0].update(kept=name))
        assert "files.0.kept must" in forecast_of(folder)
    edit(folder, FILE, lambda data: data["files"][0].update(kept="rows_7.csv"))
    assert "rows_7.csv is missing" in forecast_of(folder)


def test_an_answer_of_1_0_0_has_to_be_made_anew(folder, monkeypatch):
    rows = [{"path": "../shop.csv", "bytes": 9, "sha256": "0" * 64}]

    def aged(data):
        del data["form"], data["step"]
        data["files"] = rows

    edit(folder, FILE, aged)
    told = "shop holds an answer of Unroll 1.0.0, which this version does not read; "
    assert told in forecast_of(folder)
    monkeypatch.chdir(folder.parent)
    for words in (["predict", "shop"], ["show", "shop"], ["answer", "shop"]):
        with pytest.raises(UnrollError, match="answer the series anew: `unroll answer"):
            invoke(words)


def test_a_file_of_no_size_or_of_too_many_bytes_is_not_read(folder):
    edit(folder, FILE, lambda data: data["files"][0].update(path="/proc/kmsg"))
    assert "so it is not read" in forecast_of(folder)
    sparse = folder.with_suffix(".bin")
    with sparse.open("wb") as file:
        file.truncate(10**12)
    edit(folder, FILE, lambda data: data["files"][0].update(path=str(sparse)))
    assert "so it is not read" in forecast_of(folder)


def test_a_series_that_is_renamed_is_one_line(folder):
    def rename(data):
        fitted = data["fitted"]
        fitted["series"]["other"] = fitted["series"].pop("")

    edit(folder, SPEC, rename)
    assert "fitted.series must have a series, named as" in forecast_of(folder)


@pytest.mark.parametrize(
    ("section", "option", "named"),
    [
        ("training", "method", "mine"),
        ("training", "method", "least_absolute"),
        ("model", "family", "dense"),
    ],
)
def test_a_model_that_no_answer_has_is_not_run(
    folder, tmp_path, monkeypatch, section, option, named
):
    mine = tmp_path / "unroll_extensions" / "methods" / "mine.py"
    write_text(mine, "raise SystemExit('it runs')\n")
    monkeypatch.chdir(tmp_path)

    change = {option: named}
    edit(
        folder, SPEC, lambda data: member_of(data)["experiment"][section].update(change)
    )
    assert ", which `unroll.answer` never makes" in forecast_of(folder)


def test_arrays_take_no_more_memory_than_their_file(folder):
    path = folder / "forecaster.npz"
    np.savez_compressed(path, truth=np.zeros(10**6))
    seal.write(folder, saved.SECONDS, *saved.SHOWN)
    assert "truth.npy is compressed" in forecast_of(folder)
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        facts = {"descr": "<f8", "fortran_order": False, "shape": (10**13,)}
        np.lib.format.write_array_header_1_0(header, facts)
        archive.writestr("truth.npy", header.getvalue())
    seal.write(folder, saved.SECONDS, *saved.SHOWN)
    assert "takes 80,000,000,000,000 bytes, and 0 are there" in forecast_of(folder)


def test_tables_take_no_more_memory_than_the_system_allows(folder):
    def told(table, **options):
        pq.write_table(table, folder / saved.TABLE, **options)
        seal.write(folder, saved.SECONDS, *saved.SHOWN)
        return forecast_of(folder)

    usual = pq.read_table(folder / saved.TABLE)
    index = usual.column_names.index("model")
    lists = usual.set_column(index, "model", pa.array([[1]] * len(usual)))
    assert "a column that is no number, text or timestamp" in told(lists)
    notes = usual.replace_schema_metadata({"note": "a" * 70_000})
    assert "its footer has 1" in told(notes)
    # 4 GB in 3 MB
    first = pa.array(np.zeros(500_000, np.int32))
    text = pa.DictionaryArray.from_arrays(first, ["a" * 8_000])
    rows = usual.take(np.zeros(500_000, np.int64))
    packed = rows.set_column(index, "model", text)
    line = "reading takes more than 1.5 GB of memory; if the files are your own, set"
    assert line in told(packed, store_schema=False)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda part: part["fitted"]["windows"].update(step=10**6, lookback=10**6),
            "fitted.windows.step must be 1. Received: 1000000",
        ),
        (
            lambda part: part["fitted"]["csv"].update(time_zone="dateutil//etc/passwd"),
            "csv.time_zone must be a zone. Received: 'dateutil//etc/passwd'",
        ),
        (
            lambda part: part["members"][0].update(seeds=[0] * 9999),
            ".seeds must differ",
        ),
        (
            lambda part: part["members"][0]["problem"].update(input_shape=[10**6, 61]),
            ".problem.input_shape is too large",
        ),
        (lambda part: part.update(until="2022-W29-2"), "until must"),
    ],
)
def test_a_forecast_of_a_crafted_answer_fits_into_memory(folder, change, line):
    edit(folder, SPEC, change)
    found = forecast_of(folder)
    assert "forecaster.json is damaged" in found
    assert line in found


def test_arrays_of_other_types_and_a_million_mistakes_are_one_line(folder):
    path = folder / ARRAYS
    usual = read_npz(path)
    for name, array in [
        ("series_id", np.zeros(10**7, "V0")),
        ("positions", usual["positions"].astype(np.int8)),
        ("forecasts", usual["forecasts"].astype(np.float16)),
    ]:
        np.savez(path, **(usual | {name: array}))
        seal.write(folder, saved.SECONDS, *saved.SHOWN)
        assert " is damaged" in str(forecast_of(folder)) or name == "positions"
    hashes = {str(number): 0 for number in range(10**5)}
    (folder / seal.FILE).write_text(json.dumps({"files": hashes}))
    assert "the whole has 100,000 mistakes" in forecast_of(folder)


def test_rows_that_were_sent_along_take_no_more_memory_than_the_system_allows(folder):
    many = pa.nulls(70_000_000, pa.int8())
    table = pa.table({"day": many, "sales": many})
    pq.write_table(table, folder / "rows_1.parquet")
    rows = {"path": "rows_1.parquet", "kept": "rows_1.parquet"}
    edit(folder, FILE, lambda data: data.update(files=[rows]))
    assert "reading takes more than 1.5 GB of memory" in forecast_of(folder)


SAVING = """
import sys, unroll
answer = unroll.load(sys.argv[1])
print(flush=True)
while True:
    answer.save(sys.argv[1])
"""


def test_an_answer_is_read_whole_while_another_process_saves_it(folder):
    command = [sys.executable, "-c", SAVING, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as saving:
        saving.stdout.readline()
        sentences = {saved.load(folder).sentence for _ in range(60)}
        saving.kill()
    assert len(sentences) == 1
