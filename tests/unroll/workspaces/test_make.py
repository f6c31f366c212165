import pytest
from dvc.repo import Repo

from pipeline.config import params, plain_yaml, registry
from pipeline.config.params import complete
from pipeline.data.sources import Context
from tests.support import REPOSITORY
from unroll.workspaces.make import each_network_once, scale, scaled

NEEDS_NETWORK = {"download", "jena", "jena_2009_2010", "jena_hourly"}


@pytest.fixture
def whole():
    return complete(plain_yaml.read(REPOSITORY / "params.yaml"))


def load(sections, folder):
    plain_yaml.write(sections, folder / "params.yaml")
    return params.load(folder / "params.yaml")


def test_dvc_sees_the_whole_graph(tmp_path):
    workspace = scaled(REPOSITORY, tmp_path)
    config = params.load(workspace.params)
    expected = {config.source_stage(name) for name in config.sources} | {f"train@{name}" for name in config.experiments}
    expected |= {f"{verb}@{name}" for verb in ("prepare", "evaluate") for name in config.datasets}
    expected |= {"report", "resolve"}
    with Repo(str(tmp_path)) as repo:
        assert {stage.name for stage in repo.index.stages} == expected


def test_every_model_stays_on_a_source_that_needs_no_network_and_training_shrinks(whole, tmp_path):
    real, small = params.load(REPOSITORY / "params.yaml"), load(scale(whole), tmp_path)
    assert whole == complete(plain_yaml.read(REPOSITORY / "params.yaml")), "what is read is not changed"
    assert list(small.experiments) == list(real.experiments)
    assert not {source.kind for source in small.sources.values()} & NEEDS_NETWORK
    for name, experiment in real.experiments.items():
        brief = small.experiments[name]
        assert (brief.model, brief.seeds) == (experiment.model, experiment.seeds[:1])
        assert brief.training.method == experiment.training.method
        for option, value in experiment.training.options.items():
            now = brief.training.options[option]
            assert 1 <= now <= value if value and option in {"epochs", "steps_per_epoch"} else now == value


def test_a_network_that_is_trained_in_several_ways_is_trained_once(whole):
    kept = each_network_once(scale(whole))["experiments"]
    gone = set(whole["experiments"]) - set(kept)
    assert "sine_interpolation_rnn2_matched" in gone
    assert {"sine_interpolation_rnn2", "sine_extrapolation_rnn2", "jena_hourly_gru", "weather_lad"} <= set(kept)
    networks = [(one["dataset"], one["model"]) for one in kept.values()]
    tuned = {name for name, one in whole["experiments"].items() if one.get("trials")}
    assert tuned <= gone
    for name in gone - tuned:
        one = whole["experiments"][name]
        assert one["training"]["method"] == "gradient_descent"
        assert (one["dataset"], one["model"]) in networks


def test_scaled_series_have_windows_in_every_block_as_the_full_ones_do(whole, tmp_path):
    small = load(scale(whole), tmp_path)
    for name, dataset in small.datasets.items():
        if dataset.preparation.name != "series":
            continue
        raw = tmp_path / dataset.source
        if not raw.exists():
            raw.mkdir()
            registry.source(small, dataset.source)(
                raw, Context(dataset.source, REPOSITORY / "docs", tmp_path, None, lambda *_: None)
            )
        prepared = registry.preparation(small, name)(name, raw)
        assert all(len(prepared.splits[split]) >= 128 for split in ("train", "validation", "test")), name
