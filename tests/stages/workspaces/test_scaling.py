from pathlib import Path

import pytest

from pipeline.config import params, registry
from pipeline.config import plain_yaml
from stages.workspaces.scaling import ROWS, scale, without_stand_in
from pipeline.data.sources import Context

ROOT = Path(__file__).parents[2]
NEEDS_NETWORK = {"download", "jena", "jena_hourly"}


@pytest.fixture
def whole():
    return plain_yaml.read(ROOT / "params.yaml")


def test_every_experiment_of_params_yaml_is_kept_on_a_source_that_needs_no_network(whole, tmp_path):
    path = tmp_path / "params.yaml"
    plain_yaml.write(scale(whole), path)
    small = params.load(path)
    assert list(small.experiments) == list(whole["experiments"])
    assert without_stand_in(whole) == []
    assert not {source.kind for source in small.sources.values()} & NEEDS_NETWORK


def test_models_stay_and_training_shrinks(whole):
    small = scale(whole)
    for name, experiment in whole["experiments"].items():
        scaled = small["experiments"][name]
        assert scaled["model"] == experiment["model"]
        assert scaled["seeds"] == experiment["seeds"][:1]
        for option, value in experiment["training"].items():
            if option in {"epochs", "steps_per_epoch"}:
                assert 1 <= scaled["training"][option] <= value
            else:
                assert scaled["training"][option] == value


def test_what_is_read_is_not_changed(whole):
    again = plain_yaml.read(ROOT / "params.yaml")
    scale(whole)
    assert whole == again


def test_blocks_given_in_rows_keep_their_share_of_the_rows(whole):
    small = scale(whole)["datasets"]["jena"]["preparation"]
    rows, official = ROWS["jena"]
    assert small["train"] / rows == pytest.approx(200_000 / official, rel=1e-3)
    assert small["validation"] / rows == pytest.approx(100_000 / official, rel=1e-3)
    assert scale(whole)["datasets"]["weather"]["preparation"]["train"] == 0.6


def test_scaled_series_have_windows_in_every_block_as_the_full_ones_do(whole, tmp_path):
    small = scale(whole)
    contexts = {}
    for name, section in small["datasets"].items():
        source = small["sources"][section["source"]]
        if source["kind"] != "stand_in" or source["of"] == "imdb":
            continue
        raw = contexts.setdefault(section["source"], tmp_path / section["source"])
        if not raw.exists():
            raw.mkdir()
            context = Context(section["source"], tmp_path, tmp_path, None, lambda *_: None)
            options = {key: value for key, value in source.items() if key != "kind"}
            registry.module("sources", "stand_in", "test").produce(raw, context, **options)
        options = {key: value for key, value in section["preparation"].items() if key != "name"}
        prepared = registry.module("datasets", "series", "test").prepare(name, raw, **options)
        assert {split: len(examples) >= 128 for split, examples in prepared.splits.items()} == dict.fromkeys(
            ("train", "validation", "test"), True
        ), name


def test_a_users_own_file_is_found_from_one_folder_further_down():
    whole = {"sources": {"a": {"kind": "local", "path": "mine/a.csv"}}, "datasets": {}, "experiments": {}}
    assert scale(whole)["sources"]["a"]["path"] == "../mine/a.csv"
    whole["sources"]["a"]["path"] = "/data/a.csv"
    assert scale(whole)["sources"]["a"]["path"] == "/data/a.csv"


def test_a_download_without_a_stand_in_is_left_out_with_all_that_needs_it():
    model = {"family": "baselines", "name": "last_value"}
    experiment = {"seeds": [3, 4], "model": model, "training": {"method": "none"}}
    whole = {
        "sources": {"far": {"kind": "download", "files": {"far.csv": {}}}, "near": {"kind": "sine"}},
        "datasets": {
            "far": {"source": "far", "preparation": {"name": "series", "train": 50}},
            "near": {"source": "near", "preparation": {"name": "sine_points"}},
        },
        "experiments": {"far_a": {"dataset": "far", **experiment}, "near_a": {"dataset": "near", **experiment}},
    }
    assert without_stand_in(whole) == ["far"]
    small = scale(whole)
    assert {section: list(found) for section, found in small.items()} == {
        "sources": ["near"],
        "datasets": ["near"],
        "experiments": ["near_a"],
    }
    assert small["experiments"]["near_a"]["seeds"] == [3]
