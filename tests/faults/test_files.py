"""Files that are missing or damaged, made by stages or a user's own: one line, nothing
is written, and a way out."""

import contextlib
import resource
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.reading import file_rows
from unroll.series.reading.detect import detect
from unroll.series.row_options import CsvFormat

PARQUET = {
    "snappy": {"row_group_size": 50},
    "plain": {"compression": None, "use_dictionary": False},
    "delta": {
        "compression": None,
        "use_dictionary": False,
        "column_encoding": {"sky": "DELTA_BYTE_ARRAY"},
    },
    "zstd": {"compression": "zstd", "data_page_version": "2.0"},
}
CLAIMS = (b"", b"\0", b"\xff", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01")
"""Bytes that stand in others' place: in a footer a number, and those of all are large.
"""

MEMORY = 200 * 1024
"""KiB that a file may take; seen before other tests have taken as much."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of whole files."""
    folder = tmp_path_factory.mktemp("whole")
    times = pd.date_range("2020-01-01", periods=120, freq="h")
    frame = pd.DataFrame(
        {"time": times, "value": np.sin(np.arange(120)), "sky": ["fair", "dull"] * 60}
    )
    for name, options in PARQUET.items():
        frame.to_parquet(folder / f"{name}.parquet", **options)
    return folder


FORMAT = CsvFormat(stamp=["time"], target="value", categories=["sky"])
READERS = (
    lambda path: detect([path], Options(target="value")),
    lambda path: file_rows.table_of(file_rows.read([path], FORMAT)),
)
"""How `answer` and `predict --data` read a file."""

DAMAGE = st.tuples(
    st.booleans(),
    st.integers(0, 2**16),
    st.integers(0, 7),
    st.sampled_from(["flip", *CLAIMS]),
)
"""Whether it is at the end, where Parquet keeps its lengths; the offset; the bit, or
how many bytes; by what."""


def damaged(path, damages, cut):
    text = bytearray(path.read_bytes())
    for at_end, offset, size, new in damages:
        start = max(0, len(text) - 600) if at_end else 0
        index = start + offset % (len(text) - start)
        if new == "flip":
            text[index] ^= 1 << size
        else:
            text[index : index + size] = new
    return bytes(text[: len(text) - len(text) * cut // 100])


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    kind=st.sampled_from([*PARQUET]),
    damages=st.lists(DAMAGE, max_size=4),
    cut=st.sampled_from([0] * 9 + [1, 60, 100]),
)
def test_a_damaged_file_of_rows_is_one_line_or_harmless(
    whole, tmp_path, kind, damages, cut
):
    path = tmp_path / f"{kind}.parquet"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path.write_bytes(damaged(whole / path.name, damages, cut))
    for read in READERS:
        with warnings.catch_warnings():
            # numbers of damaged bytes may be of any size
            warnings.simplefilter("ignore")
            with contextlib.suppress(UnrollError):
                read(path)
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


MAKERS = {
    "data/raw/waves": "source waves",
    "data/prepared/waves": "prepare waves",
    "runs/waves/linear": "train waves linear",
    "results/evaluations/jena": "evaluate jena",
}
RAW = "data/raw/waves"
PREPARED = "data/prepared/waves"
RUN = "runs/waves/linear"


def flipped(data):
    """A byte in the middle is another one."""
    middle = len(data) // 2
    return data[:middle] + data[middle:].replace(b"\0", b"\1", 1)


@pytest.mark.parametrize(
    ("file", "damage", "command", "says"),
    [
        (
            f"{RAW}/waves.npz",
            None,
            "prepare waves",
            "waves.npz is missing; run `unroll source waves` again",
        ),
        (
            f"{PREPARED}/arrays.npz",
            None,
            "train waves linear",
            "arrays.npz is missing",
        ),
        (
            f"{RUN}/run.json",
            None,
            "evaluate waves",
            "run.json); run `unroll train waves linear`",
        ),
        (
            f"{RUN}/predictions.npz",
            flipped,
            "evaluate waves",
            "predictions.npz is damaged",
        ),
        (
            "results/evaluations/jena/evaluation.json",
            lambda data: data[: 2 * len(data) // 3 - 1],
            "report",
            "evaluation.json is damaged",
        ),
        (
            "results/evaluations/jena/tables/predictions.csv",
            lambda data: data[: data.index(b"\n") + 1],
            "report",
            "it holds no rows",
        ),
    ],
)
def test_a_damaged_file_is_named_and_can_be_made_anew(
    faulty, file, damage, command, says
):
    whole = faulty.outputs()
    path = faulty.root / file
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    faulty.refuses(command, says)
    faulty.succeeds(
        next(maker for folder, maker in MAKERS.items() if file.startswith(folder)),
        command,
    )
    assert faulty.outputs() == whole


def test_files_that_may_not_grow(faulty):
    line = "a file cannot be read or written (File too large); check the disk and its limits"
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        faulty.refuses("prepare waves", line)
    finally:
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_the_damage_it_is_one_line_or_harmless(faulty, data):
    """Cuts and flipped bits anywhere. What has a checksum is read as it was written, or
    not at all."""
    whole = faulty.outputs()
    name = data.draw(
        st.sampled_from(
            [name for name in whole if name.endswith((".json", ".npz", ".csv"))]
        )
    )
    folder, *rest = name.split("/")
    dataset = (
        rest[folder in {"data", "results"}].removesuffix(".json")
        if len(rest) > 1
        else ""
    )
    reader = (
        f"prepare {dataset}" if name.startswith("data/raw") else f"evaluate {dataset}"
    )
    contents = {path: (faulty.root / path).read_bytes() for path in whole}
    text = contents[name]
    index = data.draw(st.integers(0, max(len(text) - 1, 0)))
    flipped = (
        text[:index]
        + bytes([text[index] ^ 1 << data.draw(st.integers(0, 7))])
        + text[index + 1 :]
    )
    whole_lines = text[: text.rfind(b"\n", 0, index) + 1]
    (faulty.root / name).write_bytes(
        data.draw(st.sampled_from([flipped, text[:index], whole_lines]))
    )
    try:
        # a traceback would be raised
        ended = faulty.run("report" if folder == "results" else reader)
    finally:
        now = faulty.outputs()
        changed = {
            path for path in {**whole, **now} if whole.get(path) != now.get(path)
        }
        for path in changed:
            (faulty.root / path).write_bytes(contents[path])
    assert (ended.code, ended.line.startswith("unroll: ")) in {(0, False), (1, True)}, (
        ended.line
    )
    if ended.code or name.endswith(".npz") or name.startswith("data/raw"):
        assert changed == {name}
    assert faulty.unfinished() == []
