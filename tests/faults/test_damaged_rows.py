"""Damaged Parquet files, by each way that reads them: one line or harmless, in little memory."""

import contextlib
import resource
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data import row_table
from pipeline.data.row_files import no_progress
from pipeline.data.series_options import CsvFormat
from pipeline.data.sniff.detect import detect
from pipeline.data.sniff.profile import Overrides
from pipeline.errors import UnrollError

PARQUET = {
    "snappy": {"row_group_size": 50},
    "plain": {"compression": None, "use_dictionary": False},
    "delta": {"compression": None, "use_dictionary": False, "column_encoding": {"sky": "DELTA_BYTE_ARRAY"}},
    "zstd": {"compression": "zstd", "data_page_version": "2.0"},
}
CLAIMS = (b"", b"\0", b"\xff", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01")
"""Bytes that stand in others' place: in a footer a number, and those of all are large."""

MEMORY = 200 * 1024
"""KiB that a file may take."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of whole files."""
    folder, times = tmp_path_factory.mktemp("whole"), pd.date_range("2020-01-01", periods=120, freq="h")
    frame = pd.DataFrame({"time": times, "value": np.sin(np.arange(120)), "sky": ["fair", "dull"] * 60})
    for name, options in PARQUET.items():
        frame.to_parquet(folder / f"{name}.parquet", **options)
    return folder


FORM = CsvFormat(stamp=["time"], target="value", categories=["sky"])
WAYS = (
    lambda path: detect([path], Overrides(target="value"), no_progress),
    lambda path: row_table.read([path], FORM, "datasets.own.preparation"),
)
"""How `add`, and how `prepare` and `predict --data` read a file."""

PLACES = st.tuples(st.booleans(), st.integers(0, 2**16), st.integers(0, 7), st.sampled_from(["flip", *CLAIMS]))
"""Whether it is at the end, where both forms keep their lengths; where; a bit, or how many bytes; what is done."""


def damaged(path, places, cut):
    text = bytearray(path.read_bytes())
    for end, where, some, done in places:
        start = max(0, len(text) - 600) if end else 0
        place = start + where % (len(text) - start)
        if done == "flip":
            text[place] ^= 1 << some
        else:
            text[place : place + some] = done
    return bytes(text[: len(text) - len(text) * cut // 100])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    kind=st.sampled_from([*PARQUET]), places=st.lists(PLACES, max_size=4), cut=st.sampled_from([0] * 9 + [1, 60, 100])
)
def test_a_damaged_file_of_rows_is_one_line_or_harmless(whole, tmp_path, kind, places, cut):
    path, before = tmp_path / f"{kind}.parquet", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path.write_bytes(damaged(whole / path.name, places, cut))
    for way in WAYS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numbers of damaged bytes may be of any size
            with contextlib.suppress(UnrollError):
                way(path)
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
