"""params.yaml: plain YAML, templates, options that are a function's keywords; a mistake
is one line with its place."""

import json
import re
import shutil

import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.config import params, plain_yaml
from pipeline.errors import UnrollError, UsageError
from tests.support import REPOSITORY

GOOD = """
sources:
  waves: {kind: waves}
datasets:
  waves: {source: waves, preparation: {name: waves}}
experiments:
  waves:
    guess: {seeds: [0], model: {family: baselines, name: last_value}, training: {method: none}}
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "params.yaml"


def load(file, *changes, templates="{}"):
    text = GOOD
    file.with_name("templates.yaml").write_text(templates, encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return params.load(file)


WHOLE = (
    "seeds: [0], model: {family: baselines, name: last_value}, training: {method: none}"
)
MODEL = "seeds: [0], model: {family: baselines, name: last_value}"
USUAL = (
    "name: waves}}",
    "name: waves}, seeds: 3, training: {method: none, rate: 0.1, order: shuffle}}",
)
TEMPLATES = """
net: {seeds: 4, model: {family: recurrent, name: gru, units: 32}}
wet: {model: {dropout: 0.2}, training: {epochs: 40}}
both: {like: [net, wet], model: {units: 16}}
short: {preparation: {name: waves, train: 9}, training: {method: none, rate: 1}}
"""
GRU = {"family": "recurrent", "name": "gru", "units": 16, "dropout": 0.2}


@pytest.mark.parametrize(
    ("changes", "model", "training", "seeds"),
    [
        ([("seeds: [0], ", "seeds: 3, ")], {}, {}, [0, 1, 2]),
        ([("seeds: [0], ", "")], {}, {}, [0]),
        (
            [USUAL, ("seeds: [0], ", "")],
            {},
            {"rate": 0.1, "order": "shuffle"},
            [0, 1, 2],
        ),
        (
            [USUAL, ("{method: none}}", "{method: none, rate: 0.2}}")],
            {},
            {"rate": 0.2, "order": "shuffle"},
            [0],
        ),
        (
            [USUAL, ("seeds: [0], ", ""), ("g: {method: none}", "g: {method: x}")],
            {},
            {"method": "x"},
            [0],
        ),
        (
            [(MODEL, "like: both, model: {name: lstm}")],
            GRU | {"name": "lstm"},
            {"epochs": 40},
            range(4),
        ),
        (
            [USUAL, (WHOLE, "like: both")],
            GRU,
            {"rate": 0.1, "order": "shuffle", "epochs": 40},
            range(4),
        ),
        ([("preparation: {name: waves}", "like: short")], {}, {"rate": 1}, [0]),
    ],
)
def test_an_experiment_takes_what_it_does_not_say_from_templates_then_from_its_data_set(
    file, changes, model, training, seeds
):
    guess = load(file, *changes, templates=TEMPLATES).experiment("waves/guess")
    assert guess.model.model_dump() == (
        model or {"family": "baselines", "name": "last_value"}
    )
    assert guess.training.model_dump() == {"method": "none"} | training
    assert guess.seeds == list(seeds)


def test_an_experiment_may_be_like_another_one_but_no_template_like_itself(file):
    more = "  waves:\n    again: {like: waves/guess, share: 0.5}\n    guess"
    again = load(
        file, ("  waves:\n    guess", more), ("seeds: [0]", "seeds: 3")
    ).experiment("waves/again")
    assert (again.model.name, again.seeds, again.share) == (
        "last_value",
        [0, 1, 2],
        0.5,
    )
    with pytest.raises(
        UsageError, match=r"^params\.yaml: a is like itself, by way of a, b$"
    ):
        load(
            file,
            ("guess: {", "guess: {like: a, "),
            templates="{a: {like: b}, b: {like: a}}",
        )


def test_templates_are_a_mapping(file):
    with pytest.raises(UsageError, match=r"^templates\.yaml must be a mapping"):
        load(file, templates="[]")


def test_a_trial_has_other_epochs_and_seeds_where_the_method_has_epochs(file):
    guess = load(
        file, ("{method: none}", "{method: none, epochs: 9, rate: 0.1}")
    ).experiment("waves/guess")
    trial = guess.trial(2, [5])
    assert (trial.training.options, trial.seeds) == ({"epochs": 2, "rate": 0.1}, [5])
    assert guess.trial(None, None) == guess
    with pytest.raises(
        UsageError, match="the training method none has no epochs; leave out --epochs"
    ):
        load(file).experiment("waves/guess").trial(2, None)


NAME = (
    "(the name) must be small letters, digits and _, a letter first, at most 60 in all."
)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "source: waves",
            "source: wavs",
            "datasets.waves.source must be one of: waves. Received: 'wavs'. Did you",
        ),
        (
            "seeds:",
            "sedes:",
            "waves.guess.sedes is not known here. Valid: calendar, converged, dataset, features, in_unit,",
        ),
        (
            "sources:",
            "sourcs:",
            "sourcs is not known here. Valid: datasets, experiments, files, project, sources",
        ),
        ("method: none", "", "experiments.waves.guess.training.method is missing"),
        (
            "seeds: [0]",
            "seeds: [0, -1]",
            "experiments.waves.guess.seeds.1 must be greater than or equal to 0. Received: -1",
        ),
        (
            "seeds: [0]",
            "seeds: 20240101",
            "experiments.waves.guess.seeds must be a number of seeds up to 10,000, or a list. Received: 20240101",
        ),
        (
            "seeds: [0]",
            "seeds: [1, 2, 1]",
            "experiments.waves.guess.seeds must hold every seed once. Received: [1, 2, 1]",
        ),
        (
            "guess: {",
            "guess: {like: tall, ",
            "experiments.waves.guess.like must be one of: waves/guess. Received: 'tall'.",
        ),
        (
            "guess: {",
            "guess: {like: jena/gru, ",
            "guess.like must be one of: waves/guess. Received: 'jena/gru'",
        ),
        (
            "  waves:\n    guess",
            "  waevs:\n    guess",
            "the data set under `experiments` must be one of: waves. Received: 'waevs'",
        ),
        (f"{{{WHOLE}}}", "5", "waves.guess must be a mapping. Received: "),
        (f"guess: {{{WHOLE}}}", "5", "waves must be a mapping. Received: "),
        ("guess:", "Guess-1:", f"experiments.waves.Guess-1 {NAME}"),
        ("guess:", "7:", "experiments.waves.7 (the name) must be a valid string"),
        (
            "guess: {",
            "guess: {share: .nan, ",
            "waves.guess.share must be a finite number. Received: nan",
        ),
        (
            "kind: waves",
            "kind: 2020-01-01",
            "sources.waves.kind must be a valid string. Received: datetime.date(2020",
        ),
        (
            "kind: waves",
            'kind: "wa\\n\\nves"',
            "sources.waves.kind must be small letters",
        ),
        (
            "kind: waves",
            "kind: local, path: a.csv",
            "sources.waves: a file of your own belongs to `files`",
        ),
        (GOOD, "- 1\n- 2\n", "the whole must be a mapping. Received: "),
        (GOOD, "", "the whole must be a mapping. Received: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_what_is_valid(file, old, new, line):
    with pytest.raises(
        UsageError, match=rf"^params\.yaml: .*{re.escape(line)}.{{,400}}$"
    ):
        load(file, (old, new))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "a: 1\nb: 2\na: {}\n",
            r'params\.yaml, line 3 is not plain YAML: found duplicate key "a"$',
        ),
        ("a: [1, 2\n", r"params\.yaml, line 2 is not plain YAML"),
        ("a: !!python/object/apply:os.mkdir [hacked]\n", r"line 1 is not plain YAML"),
        ("a: 1\n---\nb: 2", r"line 2 is not plain YAML: but found another document"),
        ("a: 2020-13-45", r"params\.yaml is not plain YAML: month must be in 1\.\.12"),
    ],
)
def test_what_is_no_plain_yaml_is_one_line_with_its_place(
    file, monkeypatch, text, line
):
    monkeypatch.chdir(file.parent)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=line) as caught:
        plain_yaml.read(file)
    assert "\n" not in str(caught.value)
    assert list(file.parent.iterdir()) == [file]  # no tag was carried out


def test_a_file_that_cannot_be_read(file, tmp_path):
    with pytest.raises(
        UnrollError,
        match=r"params\.yaml is missing; run this in the folder that holds it",
    ) as missing:
        plain_yaml.read(file)
    assert not isinstance(missing.value, UsageError)
    with pytest.raises(UnrollError, match="cannot be read: Is a directory"):
        plain_yaml.read(tmp_path)
    file.write_bytes(b"sources: \xff")
    with pytest.raises(UsageError, match=r"params\.yaml must be UTF-8; byte 9 is not"):
        plain_yaml.read(file)
    file.write_bytes(b"\xef\xbb\xbfa: 1")  # a byte order mark is harmless
    assert plain_yaml.read(file) == {"a": 1}


def test_what_is_written_comes_back_in_order(file):
    texts = ["", "né", "yes", "null", "~", "1", "1e3", "2020-01-01"]
    texts += ["a: b", "# no", " x ", "*a", "- b", "'", '"', "a" * 200]
    values = [1, 1.0, 0.1 + 0.2, 10**30, True, None, {}, []]
    data = {"z": texts, "a": values, "1": {text: {"b": [[]]} for text in texts}}
    plain_yaml.write(data, file)
    # 1 is not 1.0, and the order is kept
    assert json.dumps(plain_yaml.read(file)) == json.dumps(data)


def test_dvc_changes_one_line_of_the_repositorys_file_and_one_option_for_each_experiment(
    file,
):
    """What an entry says, and what it takes from a template."""
    for name in ("params.yaml", "templates.yaml"):
        shutil.copy(REPOSITORY / name, file.with_name(name))
    before = params.load(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    apply_overrides(
        file,
        [
            "experiments.waves.lstm.model.units=16",
            "+experiments.jena_hourly.gru.model.units=16",
        ],
    )
    edited = file.read_text(encoding="utf-8").splitlines()
    changed = [
        old.partition(":")[0].strip()
        for old, new in zip(lines, edited, strict=True)
        if old != new
    ]
    assert sorted(changed) == ["gru", "lstm"]
    after = params.load(file)
    names = ["waves/lstm", "jena_hourly/gru"]
    for name in names:
        assert after.runs[name].model.options == before.runs[name].model.options | {
            "units": 16
        }
    assert [key for key in after.runs if after.runs[key] != before.runs[key]] == names
    assert after.datasets == before.datasets
