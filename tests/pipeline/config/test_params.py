import re

import pytest

from pipeline.config import params
from pipeline.errors import UsageError

GOOD = """
sources:
  waves: {kind: waves}
datasets:
  waves: {source: waves, preparation: {name: waves}}
experiments:
  guess: {dataset: waves, seeds: [0], model: {family: baselines, name: last_value}, training: {method: none}}
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "params.yaml"


def load(file, *changes):
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return params.load(file)


WHOLE = "seeds: [0], model: {family: baselines, name: last_value}, training: {method: none}"
MODEL = "seeds: [0], model: {family: baselines, name: last_value}"
USUAL = ("name: waves}}", "name: waves}, seeds: 3, training: {method: none, rate: 0.1, order: shuffle}}")
TEMPLATES = (
    "\nsources",
    """
templates:
  net: {seeds: 4, model: {family: recurrent, name: gru, units: 32}}
  wet: {model: {dropout: 0.2}, training: {epochs: 40}}
  both: {like: [net, wet], model: {units: 16}}
  short: {preparation: {name: waves, train: 9}, training: {method: none, rate: 1}}
sources""",
)
GRU = {"family": "recurrent", "name": "gru", "units": 16, "dropout": 0.2}


@pytest.mark.parametrize(
    ("changes", "model", "training", "seeds"),
    [
        ([("seeds: [0], ", "seeds: 3, ")], {}, {}, [0, 1, 2]),
        ([("seeds: [0], ", "")], {}, {}, [0]),
        ([USUAL, ("seeds: [0], ", "")], {}, {"rate": 0.1, "order": "shuffle"}, [0, 1, 2]),
        ([USUAL, ("{method: none}}", "{method: none, rate: 0.2}}")], {}, {"rate": 0.2, "order": "shuffle"}, [0]),
        ([USUAL, ("seeds: [0], ", ""), ("g: {method: none}", "g: {method: x}")], {}, {"method": "x"}, [0]),
        ([TEMPLATES, (MODEL, "like: both, model: {name: lstm}")], GRU | {"name": "lstm"}, {"epochs": 40}, range(4)),
        ([TEMPLATES, USUAL, (WHOLE, "like: both")], GRU, {"rate": 0.1, "order": "shuffle", "epochs": 40}, range(4)),
        ([TEMPLATES, ("preparation: {name: waves}", "like: short")], {}, {"rate": 1}, [0]),
    ],
)
def test_an_experiment_takes_what_it_does_not_say_from_templates_then_from_its_data_set(
    file, changes, model, training, seeds
):
    guess = load(file, *changes).experiment("guess")
    assert guess.model.model_dump() == (model or {"family": "baselines", "name": "last_value"})
    assert guess.training.model_dump() == {"method": "none"} | training
    assert guess.seeds == list(seeds)


def test_an_experiment_may_be_like_another_one_but_no_template_like_itself(file):
    more = "experiments:\n  again: {like: guess, dataset: waves, share: 0.5}\n"
    again = load(file, ("experiments:\n", more), ("seeds: [0]", "seeds: 3")).experiment("again")
    assert (again.model.name, again.seeds, again.share) == ("last_value", [0, 1, 2], 0.5)
    circle = ("\nsources", "\ntemplates: {a: {like: b}, b: {like: a}}\nsources")
    with pytest.raises(UsageError, match=r"^params\.yaml: a is like itself, by way of a, b$"):
        load(file, circle, ("guess: {", "guess: {like: a, "))


def test_a_trial_has_other_epochs_and_seeds_where_the_method_has_epochs(file):
    guess = load(file, ("{method: none}", "{method: none, epochs: 9, rate: 0.1}")).experiment("guess")
    trial = guess.trial(2, [5])
    assert (trial.training.options, trial.seeds) == ({"epochs": 2, "rate": 0.1}, [5])
    assert guess.trial(None, None) == guess
    with pytest.raises(UsageError, match="the training method none has no epochs; leave out --epochs"):
        load(file).experiment("guess").trial(2, None)


NAME = "(the name) must be small letters, digits and _, a letter first, at most 60 in all."


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("source: waves", "source: wavs", "datasets.waves.source must be one of: waves. Received: 'wavs'. Did you"),
        ("seeds:", "sedes:", "guess.sedes is not known here. Valid: calendar, converged, dataset, features, in_unit,"),
        ("sources:", "sourcs:", "sourcs is not known here. Valid: datasets, experiments, files, forecasts, sources, "),
        ("method: none", "", "experiments.guess.training.method is missing"),
        ("seeds: [0]", "seeds: [0, -1]", "experiments.guess.seeds.1 must be greater than or equal to 0. Received: -1"),
        ("seeds: [0]", "seeds: [1, 2, 1]", "experiments.guess.seeds must hold every seed once. Received: [1, 2, 1]"),
        ("guess: {", "guess: {like: tall, ", "experiments.guess.like must be one of: guess. Received: 'tall'."),
        ("guess:", "Guess-1:", f"experiments.Guess-1 {NAME}"),
        ("kind: waves", 'kind: "wa\\n\\nves"', "sources.waves.kind must be small letters"),
        ("kind: waves", "kind: local, path: a.csv", "sources.waves: a file of your own belongs to `files`"),
        (GOOD, "- 1\n- 2\n", "the whole must be a mapping. Received: "),
        (GOOD, "", "the whole must be a mapping. Received: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_what_is_valid(file, old, new, line):
    with pytest.raises(UsageError, match=rf"^params\.yaml: .*{re.escape(line)}.{{,400}}$"):
        load(file, (old, new))


def test_a_file_of_ones_own_is_a_source(file):
    every = load(file, ("datasets:", "files: {meter: {path: meter.csv}}\ndatasets:"))
    assert every.source("meter").options["path"] == "meter.csv"
    assert every.source_stage("meter") == "file@meter"
