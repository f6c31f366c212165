import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import params, plain_yaml
from pipeline.config.params import Params
from pipeline.errors import UnrollError, UsageError
from tests.support import REPOSITORY

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


def test_sections_names_and_options(file):
    loaded = load(file, ("name: last_value", "name: last_value, units: 3"))
    assert loaded.source("waves").kind == "waves"
    assert loaded.dataset("waves").preparation.name == "waves"
    assert loaded.experiment("guess").model.options == {"units": 3}
    assert list(loaded.experiments_of("waves")) == ["guess"]
    assert loaded.experiments_of("other") == {}
    with pytest.raises(ValueError, match="frozen"):
        loaded.experiment("guess").dataset = "other"


@pytest.mark.parametrize(("new", "seeds"), [("seeds: 3, ", [0, 1, 2]), ("seeds: [7, 2], ", [7, 2]), ("", [0])])
def test_seeds_are_a_count_or_a_list_and_zero_if_not_said(file, new, seeds):
    assert load(file, ("seeds: [0], ", new)).experiment("guess").seeds == seeds


USUAL = ("name: waves}}", "name: waves}, seeds: 3, training: {method: none, rate: 0.1, order: shuffle}}")


def test_an_experiment_takes_what_its_data_set_says_of_its_method(file):
    guess = load(file, USUAL, ("seeds: [0], ", "")).experiment("guess")
    assert guess.training.options == {"rate": 0.1, "order": "shuffle"}
    assert guess.seeds == [0, 1, 2]


def test_what_an_experiment_says_itself_wins_option_by_option(file):
    guess = load(file, USUAL, ("{method: none}}", "{method: none, rate: 0.2}}")).experiment("guess")
    assert guess.training.options == {"rate": 0.2, "order": "shuffle"}
    assert guess.seeds == [0]


def test_an_experiment_with_another_method_takes_neither_options_nor_seeds(file):
    guess = load(file, USUAL, ("seeds: [0], ", ""), ("training: {method: none}", "training: {method: ridge}"))
    assert guess.experiment("guess").training.model_dump() == {"method": "ridge"}
    assert guess.experiment("guess").seeds == [0]


TEMPLATES = """
templates:
  net: {seeds: 4, model: {family: recurrent, name: gru, units: 32}}
  wet: {model: {dropout: 0.2}, training: {epochs: 40}}
  both: {like: [net, wet], model: {units: 16}}
"""


WITH_TEMPLATES = ("\nsources", f"{TEMPLATES}sources")


def test_an_entry_takes_from_templates_what_it_does_not_say(file):
    own = ("seeds: [0], model: {family: baselines, name: last_value}", "like: both, model: {name: lstm}")
    guess = load(file, WITH_TEMPLATES, own).experiment("guess")
    assert guess.model.model_dump() == {"family": "recurrent", "name": "lstm", "units": 16, "dropout": 0.2}
    assert guess.training.model_dump() == {"method": "none", "epochs": 40}
    assert guess.seeds == [0, 1, 2, 3]


def test_what_a_template_leaves_out_an_experiment_takes_from_its_data_set(file):
    like = ("seeds: [0], model: {family: baselines, name: last_value}, training: {method: none}", "like: both")
    guess = load(file, WITH_TEMPLATES, USUAL, like).experiment("guess")
    assert guess.training.model_dump() == {"method": "none", "rate": 0.1, "order": "shuffle", "epochs": 40}
    assert guess.seeds == [0, 1, 2, 3], "the template's"


def test_a_data_set_takes_from_templates_too(file):
    template = "\ntemplates: {short: {preparation: {name: waves, train: 9}, seeds: 2}}\nsources"
    dataset = load(file, ("\nsources", template), ("preparation: {name: waves}", "like: short")).dataset("waves")
    assert (dataset.preparation.options, dataset.seeds) == ({"train": 9}, [0, 1])


def test_a_template_that_is_like_itself_is_said(file):
    circle = ("\nsources", "\ntemplates: {a: {like: b}, b: {like: a}}\nsources")
    with pytest.raises(UsageError, match=r"^params\.yaml: templates\.a is like itself, by way of a, b$"):
        load(file, circle, ("guess: {", "guess: {like: a, "))


def test_a_trial_has_other_epochs_and_seeds_where_the_method_has_epochs(file):
    guess = load(file, ("{method: none}", "{method: none, epochs: 9, rate: 0.1}")).experiment("guess")
    trial = guess.trial(2, [5])
    assert (trial.training.options, trial.seeds) == ({"epochs": 2, "rate": 0.1}, [5])
    assert guess.trial(None, None) == guess
    with pytest.raises(UsageError, match="the training method none has no epochs; leave out --epochs"):
        load(file).experiment("guess").trial(2, None)


@pytest.mark.parametrize("kind", ["source", "dataset", "experiment"])
def test_an_unknown_name_lists_the_valid_ones(file, kind):
    name = "guess" if kind == "experiment" else "waves"
    with pytest.raises(UsageError, match=rf"must be one of: {name}\. Received: '{name}x'\. Did you mean {name}\?"):
        getattr(load(file), kind)(f"{name}x")


NAME = "(the name) must be small letters, digits and _, a letter first, at most 60 in all."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source: waves", "source: wavs", "datasets.waves.source must be one of: waves. Received: 'wavs'. Did you"),
        ("dataset: waves", "dataset: wavs", "experiments.guess.dataset must be one of: waves. Received: 'wavs'."),
        ("seeds:", "sedes:", "guess.sedes is not known here. Valid: calendar, dataset, like, model, seeds, training."),
        ("sources:", "sourcs:", "sourcs is not known here. Valid: datasets, experiments, files, sources, templates."),
        (
            "name: waves}}",
            "name: waves}, sees: 3}",
            "sees is not known here. Valid: like, preparation, seeds, source, train",
        ),
        ("method: none", "", "experiments.guess.training.method is missing"),
        ("seeds: [0]", "seeds: 0", "experiments.guess.seeds must be a valid list. Received: 0"),
        ("seeds: [0]", "seeds: true", "experiments.guess.seeds must be a valid list. Received: True"),
        ("seeds: [0]", "seeds: 1.5", "experiments.guess.seeds must be a valid list. Received: 1.5"),
        ("seeds: [0]", "seeds: [1.0]", "experiments.guess.seeds.0 must be a valid integer. Received: 1.0"),
        ("seeds: [0]", "seeds: [true]", "experiments.guess.seeds.0 must be a valid integer. Received: True"),
        ("seeds: [0]", "seeds: [0, -1]", "experiments.guess.seeds.1 must be greater than or equal to 0. Received: -1"),
        ("seeds: [0]", "seeds: [4294967296]", "experiments.guess.seeds.0 must be less than 4294967296."),
        ("seeds: [0]", "seeds: [1, 2, 1]", "experiments.guess.seeds must hold every seed once. Received: [1, 2, 1]"),
        ("seeds: [0]", "seeds: []", "experiments.guess.seeds must hold at least 1. Received: []"),
        ("{method: none}", "{method: none, rate: .inf}", "experiments.guess.training.rate must be a finite number."),
        ("{method: none}", "[none]", "experiments.guess.training must be a mapping. Received: ['none']"),
        ("{method: none}", "null", "experiments.guess.training must be a mapping. Received: None"),
        (", training: {method: none}", "", "experiments.guess.training is missing"),
        ("guess: {", "guess: {like: tall, ", "experiments.guess.like must be one of: (none). Received: 'tall'."),
        ("guess: {", "guess: {like: 3, ", "experiments.guess.like must name a template, or several. Received: 3"),
        ("sources:", "templates: {a: 3}\nsources:", "templates.a must be a mapping. Received: 3"),
        ("guess:", "Guess-1:", f"experiments.Guess-1 {NAME}"),
        ("guess:", "g" * 61 + ":", NAME),
        ("kind: waves", 'kind: "wa\\n\\nves"', "sources.waves.kind must be small letters"),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_what_is_valid(file, old, new, said):
    with pytest.raises(UsageError) as caught:
        load(file, (old, new))
    line = str(caught.value)
    assert line.startswith("params.yaml: ")
    assert said in line
    assert "\n" not in line
    assert len(line) < 500


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "hello", "# nothing", ""])
def test_the_whole_must_be_a_mapping(file, text):
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"^params\.yaml: the whole must be a mapping\. Received: "):
        params.load(file)


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), max_size=8)
known = st.sampled_from(["waves", "guess", "kind", "name", "source", "dataset", "seeds", "model", "family", "method"])
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | words | known,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(known | words, inner, max_size=4),
    max_leaves=12,
)
PLACES = [(), ("sources",), ("sources", "waves"), ("datasets",), ("datasets", "waves"), ("experiments",)]
PLACES += [("experiments", "guess"), *(("experiments", "guess", key) for key in ("seeds", "model", "training"))]


@given(place=st.sampled_from(PLACES), value=plain)
def test_whatever_stands_where_a_section_should_be_it_is_params_or_one_line(tmp_path_factory, place, value):
    file = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    file.write_text(GOOD, encoding="utf-8")
    data = inner = {"": plain_yaml.read(file)}
    *outer, last = ["", *place]
    for key in outer:
        inner = inner[key]
    inner[last] = value
    file.write_text(json.dumps(data[""]), encoding="utf-8")
    said = ""
    try:
        assert isinstance(params.load(file), Params)
    except UnrollError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 1000


def test_the_repositorys_file_stays_the_same_written_and_read_again(file):
    plain_yaml.write(plain_yaml.read(REPOSITORY / "params.yaml"), file)
    assert params.load(file) == params.load(REPOSITORY / "params.yaml")


def test_a_file_of_ones_own_is_a_source_and_is_not_hidden_among_the_others(tmp_path):
    path = tmp_path / "params.yaml"
    rest = "datasets: {}\nexperiments: {}\n"
    path.write_text(f"sources: {{}}\nfiles: {{meter: {{path: meter.csv}}}}\n{rest}", encoding="utf-8")
    wanted = params.load(path)
    assert wanted.source("meter").options["path"] == "meter.csv"
    assert wanted.source_stage("meter") == "file@meter"
    path.write_text(f"sources: {{meter: {{kind: local, path: meter.csv}}}}\n{rest}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"sources.meter: a file of your own belongs to `files`, where DVC sees"):
        params.load(path)
