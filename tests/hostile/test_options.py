"""Every option of every source, preparation, model and training method, far out of its range.

The functions are found as Unroll finds them, so a new one is attacked from its first day.
"""

import inspect
import itertools
import json
from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import pydantic
import pytest

from pipeline.config import params, registry
from pipeline.config import plain_yaml
from pipeline.data.preparations import series
from pipeline.errors import UsageError
from pipeline.data.sources import Context, download, stand_in
from stages import prepare, source, train
from stages.results import doctor
from stages.results.listing import listing
from stages.workspaces.miniature import PARAMS
from tests.hostile.one_line import line, result_or_line

BUILDERS = {"sources": "produce", "datasets": "prepare", "training": "train"}
FUNCTIONS = {
    f"{package}.{name}": getattr(registry.module(package, name, "here"), attribute)
    for package, attribute in BUILDERS.items()
    for name in registry.modules(package)
} | {
    f"models.{family}.{name}": build
    for family in registry.modules("models")
    for name, build in registry.module("models", family, "here").MODELS.items()
}

ONLY_COMPARED = {"sources.jena": {"rows", "csv_bytes"}, "sources.jena_hourly": {"rows", "csv_bytes"}}
ONLY_COMPARED |= {"datasets.series": {"sentinel"}, "models.baselines.linear": {"last"}}
"""Numbers without an end: they are held against what is there, and nothing is made as large as they are."""

WRONG = [
    *(None, True, "", "1", "x" * 10_000, [[]], {"a": 1}, object()),
    *(float("nan"), float("inf"), -1e308, 0.5),
    *(-1, 0, 10**12, 10**30),
]


def parameters(function):
    return {n: p for n, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}


def options():
    return [(place, name) for place, function in FUNCTIONS.items() for name in parameters(function)]


def test_there_is_something_to_attack():
    assert len(FUNCTIONS) > 20
    assert len(options()) > 60


@pytest.mark.parametrize(("place", "name"), options())
def test_an_option_is_taken_or_named_in_one_line(place, name):
    for value in WRONG:
        said = result_or_line(registry.options, FUNCTIONS[place], {name: value}, "here")
        assert isinstance(said, dict) or said.startswith("params.yaml: here")
        assert isinstance(said, dict) or len(said) < 600


@pytest.mark.parametrize("place", FUNCTIONS)
def test_a_section_of_another_shape_is_one_line(place):
    known = list(parameters(FUNCTIONS[place]))
    for section in ({"": 1}, {"\x1b[31m": 1}, {"x" * 10_000: 1}, {"__class__": 1}, {"self": 1}, dict.fromkeys(known)):
        said = result_or_line(registry.options, FUNCTIONS[place], section, "here")
        assert isinstance(said, dict) or len(said) < 1000


def numbers(schema, definitions, name=""):
    """Name and schema of every number that a schema holds, at any depth."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", maxsplit=1)[-1]]
    if schema.get("type") in {"integer", "number"}:
        yield name, schema
    for inner in [*schema.get("anyOf", []), schema.get("items"), schema.get("additionalProperties")]:
        if isinstance(inner, Mapping):
            yield from numbers(inner, definitions, name)
    for key, inner in schema.get("properties", {}).items():
        yield from numbers(inner, definitions, key)


@pytest.mark.parametrize("place", FUNCTIONS)
def test_every_number_has_an_end(place):
    """What is made as large as an option says needs a bound: 10**12 rows or units are no line but a dead machine."""
    fields = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in parameters(FUNCTIONS[place]).items()
    }
    schema = pydantic.create_model("Options", **fields).model_json_schema()
    endless = {
        name
        for name, number in numbers(schema, schema.get("$defs", {}))
        if not {"maximum", "exclusiveMaximum"} & number.keys()
    }
    if place == "sources.download":  # what arrives is counted while it arrives
        endless -= {"bytes"}
    assert endless <= ONLY_COMPARED.get(place, set())


@pytest.fixture
def attempt(workspace, sections):
    """Put a value somewhere in params.yaml, and call what reads it."""

    def attempt(place, value, *calls):
        changed = inner = deepcopy(sections)
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        workspace.params.write_text(json.dumps(changed), encoding="utf-8")  # YAML holds JSON
        return [result_or_line(call, workspace) for call in calls]

    return attempt


def places(inner=PARAMS, above=()):
    for key, value in inner.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


def test_whatever_stands_anywhere_in_params_commands_end_in_one_line(attempt):
    """Each place of a whole file in turn: what the commands read of it is right, or a line that says where not."""
    values = [None, True, -1, 10**12, "", "../x", [], {}, [{}], 1.5]
    for place, value in zip(places(), itertools.cycle(values), strict=False):
        read, listed = attempt(place, value, doctor._params, listing)
        assert read.endswith("all valid") or read.startswith("params.yaml: ")
        assert isinstance(listed, list) or listed.startswith("params.yaml: ")


@pytest.mark.parametrize(
    ("place", "value", "stage"),
    [
        ("sources.sine.points", 10**12, source.source),
        ("sources.waves.train", 10**12, source.source),
        ("sources.jena.rows", 10**12, source.source),
        ("sources.jena.rows", 1_700_000, source.source),
        ("sources.jena.of", "everything", source.source),
        ("sources.imdb.rows", 100_001, source.source),
        ("sources.imdb.seed", -1, source.source),
        ("datasets.imdb.preparation.words", 10**9, prepare.prepare),
        ("datasets.imdb.preparation.length", 10**9, prepare.prepare),
        ("datasets.imdb.preparation.validation", 1.0, prepare.prepare),
        ("datasets.jena.preparation.lookback", 10**12, prepare.prepare),
        ("datasets.jena.preparation.file", "../imdb/imdb.npz", prepare.prepare),
        ("datasets.jena.preparation.encoding", "", prepare.prepare),
        ("experiments.jena_gru.model.units", 10**9, train.train),
        ("experiments.jena_gru.model.units", 0, train.train),
        ("experiments.jena_gru.training.epochs", 10**12, train.train),
        ("experiments.jena_gru.training.epochs", True, train.train),
        ("experiments.jena_gru.training.batch_size", 0, train.train),
        ("experiments.jena_gru.training.learning_rate", 1e308, train.train),
        ("experiments.jena_gru.seeds", [2**32], train.train),
        ("experiments.jena_gru.seeds", 7, train.train),
        ("experiments.sine_dense.model.hidden", [1] * 17, train.train),
        ("experiments.sine_dense.model.hidden", [4096.0], train.train),
        ("experiments.waves_linear.training.ridge", -1.0, train.train),
        ("experiments.jena_last_value.model.name", "os.system", train.train),
    ],
)
def test_a_stage_refuses_it_before_it_begins(attempt, workspace, place, value, stage):
    keys = tuple(place.split("."))
    (said,) = attempt(keys, value, lambda workspace: stage(workspace, keys[1]))
    assert said.startswith("params.yaml: ")
    assert place.rsplit(".", maxsplit=1)[-1] in said
    built = [path for folder in ("data", "runs") for path in (workspace.root / folder).rglob("*") if path.is_file()]
    assert built == []


STATION = [f"2020-01-{1 + hour // 24:02d}T{hour % 24:02d}:00,{np.sin(hour):.3f},{hour % 7}" for hour in range(200)]


@pytest.fixture
def station(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.csv").write_text("\n".join(["t,v,w", *STATION]) + "\n", encoding="utf-8")
    return raw


GOOD = {"file": "a.csv", "stamp": "t", "target": "v", "train": 100, "validation": 50, "lookback": 4, "delay": 2}


@pytest.mark.parametrize(
    "change",
    [
        *({key: 10**9} for key in ("train", "validation", "lookback", "delay", "step", "spacing")),
        {"step": 10**9, "lookback": 10**9},
        {"step": 10**9, "lookback": 10**9, "delay": 10**9},
        {"train": 1e-9},
        {"validation": 1e-9},
        {"train": 2.5},
        {"sentinel": 1e308},
        {"sentinel": 3.0},
        {"stamp_format": "%"},
        {"stamp_format": "%Y%Y"},
        {"stamp_format": "("},
        {"stamp_format": "x" * 5000},
        {"encoding": "zlib"},
        {"encoding": "undefined"},
        {"drop": ["v"]},
        {"drop": ["t"]},
        {"drop": ["w"] * 1000},
        {"drop": ["\x1b[31m"]},
        {"target": "t"},
        {"target": "=HYPERLINK()"},
        {"protocol": "as_published"},
        {"protocol": "as_published", "batch_size": 10**9},
        {"protocol": "as_published", "batch_size": 1, "step": 10**9, "lookback": 10**9},
    ],
)
def test_a_series_is_cut_or_the_line_says_why_not(station, change):
    """Within the bounds of each option, and yet of no use together; no array is as large as a number says."""
    valid = registry.options(series.prepare, GOOD | change, "here")

    def cut():
        try:
            return series.prepare("a", station, **valid)
        except ValueError as error:  # the stage says where
            raise UsageError(str(error)) from None

    result_or_line(cut)


@pytest.fixture
def context(tmp_path):
    return Context("x", tmp_path, tmp_path, None, lambda *_: None)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "a\0b", "x" * 300, ".hidden", "a b", "a\nb", "é"],
)
def test_a_file_of_a_source_has_a_plain_name(name):
    section = {"files": {name: {"url": None, "bytes": 1}}}
    assert "files" in line(registry.options, download.produce, section, "sources.x")


def test_no_source_may_write_over_what_is_known_of_it(workspace, tmp_path, monkeypatch):
    """`source.json` holds the hashes that later stages check."""
    mirror = tmp_path / "mirror" / "evil"
    mirror.mkdir(parents=True)
    (mirror / "source.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("UNROLL_MIRROR", str(mirror.parent))
    section = {"kind": "download", "files": {"source.json": {"url": None, "bytes": 2}}}
    plain_yaml.write({"sources": {"evil": section}, "datasets": {}, "experiments": {}}, workspace.params)
    assert "source.json is a name that Unroll uses itself" in line(source.source, workspace, "evil")
    assert not workspace.raw("evil").exists()


@pytest.mark.parametrize("of", ["imdb", "jena", "jena_hourly", "weather"])
def test_a_stand_in_is_at_most_four_times_the_official_file(of, tmp_path, context):
    most = 4 * stand_in.OFFICIAL[of]
    said = line(stand_in.produce, tmp_path, context, of=of, rows=most + 1)
    assert said.startswith(f"params.yaml: sources.x.rows must be at most {most:,}")
