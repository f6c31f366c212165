import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import params, registry
from pipeline.config import plain_yaml
from pipeline.data.dataset import load
from pipeline.errors import UnrollError, UsageError
from pipeline.files import sha256, write_json
from pipeline.workspace import Workspace
from stages.prepare import prepare

REPOSITORY = Path(__file__).resolve().parents[2]
MINE = {
    "name": "series",
    "file": "mine.csv",
    "stamp": "when",
    "target": "load",
    "train": 0.6,
    "validation": 0.2,
    "lookback": 4,
    "delay": 2,
}


@pytest.fixture
def workspace(tmp_path):
    """A user's own file: one data set, its source fetched."""
    workspace = Workspace(tmp_path)
    describe(workspace, MINE)
    raw = workspace.raw("meter")
    raw.mkdir(parents=True)
    stamps = np.datetime64("2024-01-01", "h") + np.arange(100)
    lines = [f"{stamp},{np.sin(row):.6f}" for row, stamp in enumerate(stamps)]
    (raw / "mine.csv").write_text("\n".join(["when,load", *lines]) + "\n", encoding="utf-8")
    (raw / "source.json").write_text(json.dumps({"stand_in": True, "files": {}}), encoding="utf-8")
    return workspace


def describe(workspace, preparation):
    plain = {
        "sources": {"meter": {"kind": "local", "path": "mine.csv"}},
        "datasets": {"mine": {"source": "meter", "preparation": preparation}},
        "experiments": {},
    }
    plain_yaml.write(plain, workspace.params)


def test_a_users_own_file_becomes_a_data_set(workspace):
    prepared = prepare(workspace, "mine")
    loaded = load(workspace.prepared("mine"))
    assert loaded.name == prepared.name == "mine"
    assert loaded.stand_in
    assert loaded.facts["protocol"] == "corrected"
    assert loaded.facts["seconds between rows"] == 3600
    assert {split: len(examples) for split, examples in loaded.splits.items()} == {
        "train": 60 - 5,
        "validation": 20 - 5,
        "test": 20 - 5,
    }
    assert loaded.splits["test"].horizon == 2


def test_preparing_again_gives_the_same_bytes(workspace):
    def content():
        prepare(workspace, "mine")
        return {path.name: path.read_bytes() for path in workspace.prepared("mine").iterdir()}

    first = content()
    assert content() == first
    assert sorted(first) == ["arrays.npz", "dataset.json"]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"lookback": 5, "step": 2},
            UnrollError,
            r"^params.yaml: datasets.mine.preparation: `lookback` must be a multi",
        ),
        (
            {"train": 60.5},
            UnrollError,
            r"^params.yaml: datasets.mine.preparation: `train` and `validation` must be whole",
        ),
        (
            {"lookback": 0},
            UsageError,
            r"datasets.mine.preparation.lookback.* greater than or equal to 1. Received: 0",
        ),
        ({"lookback": 4.0}, UsageError, r"datasets.mine.preparation.lookback.* a valid integer. Received: 4.0"),
        ({"train": "most"}, UsageError, r"datasets.mine.preparation.train.* a valid number. Received: 'most'"),
        ({"lokback": 4}, UsageError, r"datasets.mine.preparation.lokback is not .* batch_size, delay, "),
        ({"protocol": "correct"}, UsageError, r"datasets.mine.preparation.protocol.* 'as_published' or 'corrected'"),
        ({"name": "serie"}, UsageError, r"datasets.mine.preparation.name must be one of: imdb, .* Did you mean series"),
        ({"file": "other.csv"}, UsageError, r"datasets.mine.preparation.file: .* It has: mine.csv"),
        ({"lookback": 30}, UnrollError, r"the validation block has no room for a window of 30 rows"),
    ],
)
def test_a_wrong_option_gives_one_line_and_leaves_nothing(workspace, change, kind, message):
    describe(workspace, MINE | change)
    with pytest.raises(UnrollError, match=message) as caught:
        prepare(workspace, "mine")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert not workspace.prepared("mine").exists()


def test_a_failed_preparation_leaves_the_last_one(workspace):
    prepare(workspace, "mine")
    (workspace.raw("meter") / "mine.csv").write_text("when,load\n2024-01-01,much\n", encoding="utf-8")
    with pytest.raises(UnrollError, match="column 'load' holds 'much'"):
        prepare(workspace, "mine")
    assert len(load(workspace.prepared("mine")).splits["train"]) == 55
    assert not list(workspace.scratch.glob(".*"))


def test_a_raw_file_that_is_not_what_was_fetched_is_not_read(workspace):
    file, facts = workspace.raw("meter") / "mine.csv", workspace.raw("meter") / "source.json"
    write_json(facts, {"stand_in": True, "files": {"mine.csv": {"bytes": 1, "sha256": sha256(file)}}})
    prepare(workspace, "mine")
    file.write_bytes(file.read_bytes().replace(b"1", b"7", 1))
    with pytest.raises(UnrollError, match=r"mine.csv has another sha256 than source.json says, so it is damaged; run"):
        prepare(workspace, "mine")
    file.unlink()
    with pytest.raises(UnrollError, match=r"mine.csv is missing; run `unroll source meter` again"):
        prepare(workspace, "mine")


def test_a_name_that_is_not_there_lists_the_valid_ones(workspace):
    with pytest.raises(UsageError, match=r"must be one of: mine. Received: 'mime'"):
        prepare(workspace, "mime")


def test_a_source_that_was_not_fetched_says_so(workspace):
    facts = workspace.raw("meter") / "source.json"
    facts.write_text("{}", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"is damaged \(stand_in is missing\); run `unroll source meter` again"):
        prepare(workspace, "mine")
    facts.unlink()
    with pytest.raises(UnrollError, match=r"source.json is missing; run `unroll source meter`"):
        prepare(workspace, "mine")


@pytest.mark.parametrize("name", params.load(REPOSITORY / "params.yaml").datasets)
def test_every_section_of_params_yaml_is_valid(name):
    section = params.load(REPOSITORY / "params.yaml").dataset(name).preparation
    module = registry.module("datasets", section.name, name)
    assert set(registry.options(module.prepare, section.options, name)) >= set(section.options)


def bench():
    specification = importlib.util.spec_from_file_location("bench_prepare", REPOSITORY / "bench" / "prepare.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_full_size_file_takes_less_than_one_gibibyte(tmp_path):
    """420,551 rows of 15 columns in the official format; a thousand readings again and again, for speed."""
    plain = bench().stand_in(plain_yaml.read(REPOSITORY / "params.yaml"), 420_551)
    plain_yaml.write(plain, tmp_path / "params.yaml")
    raw = Workspace(tmp_path).raw("jena")
    raw.mkdir(parents=True)
    stamps = np.datetime_as_string(np.datetime64("2009-01-01T00:10:00") + 600 * np.arange(420_551))
    readings = [
        ",".join(f"{value:.2f}" for value in row) for row in np.random.default_rng(0).normal(99, 400, (1000, 14))
    ]
    readings[7] = readings[7].rsplit(",", 3)[0] + ",-9999.00,-9999.00,100.00"
    with (raw / "jena_climate_2009_2016.csv").open("w", encoding="utf-8") as file:
        names = [f"p{column}" for column in range(12)]
        file.write(",".join(["Date Time", names[0], "T (degC)", *names[1:], "wd (deg)"]) + "\n")
        for row, stamp in enumerate(stamps.tolist()):
            file.write(f"{stamp[8:10]}.{stamp[5:7]}.{stamp[:4]} {stamp[11:]},{readings[row % 1000]}\n")
    (raw / "source.json").write_text(json.dumps({"stand_in": True, "files": {}}), encoding="utf-8")

    # Measured from a small process: a child's peak starts at that of the one it was forked from.
    script = "import json, sys, prepare; from pathlib import Path; "
    script += "print(json.dumps(prepare.measure(Path(sys.argv[1]), 'prepare', 'jena_exact')))"
    command = [sys.executable, "-c", script, str(tmp_path)]
    found = subprocess.run(command, cwd=REPOSITORY / "bench", check=True, capture_output=True, text=True)
    assert json.loads(found.stdout)["peak"] < 1024

    dataset = load(Workspace(tmp_path).prepared("jena_exact"))
    assert dataset.input_shape == (240, 14)
    assert len(dataset.splits["validation"]) == 100_000 - 1440 - 138
    assert dataset.facts["sentinels"] == 421 * 2


def test_the_bench_command_prints_seconds_and_peak_memory():
    command = [sys.executable, str(REPOSITORY / "bench" / "prepare.py"), "--rows", "20000", "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert list(found["steps"]) == ["source", "jena", "jena_exact"]
    assert all(20 < cost["peak"] < 1024 and cost["seconds"] > 0 for cost in found["steps"].values())
