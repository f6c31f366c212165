import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.config.params import Claim, Params

REPOSITORY = Path(__file__).parents[2]

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


def refused(file, text, error=UsageError, load=params.load):
    """The one line that loading `text` gives."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(error) as caught:
        load(file)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 500
    return line


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def test_sections_names_and_options(file):
    file.write_text(changed("name: last_value", "name: last_value, units: 3"), encoding="utf-8")
    loaded = params.load(file)
    assert loaded.source("waves").kind == "waves"
    assert loaded.dataset("waves").preparation.name == "waves"
    assert loaded.experiment("guess").model.options == {"units": 3}
    assert list(loaded.experiments_of("waves")) == ["guess"]
    assert loaded.experiments_of("other") == {}


def test_values_cannot_be_changed(file):
    file.write_text(GOOD, encoding="utf-8")
    with pytest.raises(ValueError, match="frozen"):
        params.load(file).experiment("guess").dataset = "other"


@pytest.mark.parametrize("kind", ["source", "dataset", "experiment"])
def test_an_unknown_name_lists_the_valid_ones(file, kind):
    file.write_text(GOOD, encoding="utf-8")
    name = "guess" if kind == "experiment" else "waves"
    with pytest.raises(UsageError, match=rf"must be one of: {name}\. Received: '{name}x'\. Did you mean {name}\?"):
        getattr(params.load(file), kind)(f"{name}x")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source: waves", "source: wavs", "datasets.waves.source must be one of: waves. Received: 'wavs'."),
        (
            "dataset: waves",
            "dataset: wavs",
            "guess.dataset must be one of: waves. Received: 'wavs'. Did you mean waves?",
        ),
        (
            "seeds:",
            "sedes:",
            "guess.sedes is not known here. Valid: dataset, model, seeds, training. Did you mean seeds?",
        ),
        ("sources:", "sourcs:", "sourcs is not known here. Valid: datasets, experiments, sources. Did you"),
        ("seeds: [0], ", "", "experiments.guess.seeds is missing"),
        ("method: none", "", "experiments.guess.training.method is missing"),
        ("seeds: [0]", "seeds: 0", "experiments.guess.seeds must be a valid list. Received: 0"),
        ("seeds: [0]", "seeds: [a]", "experiments.guess.seeds.0 must be a valid integer. Received: 'a'"),
        ("seeds: [0]", "seeds: [1.0]", "experiments.guess.seeds.0 must be a valid integer. Received: 1.0"),
        ("seeds: [0]", "seeds: [true]", "experiments.guess.seeds.0 must be a valid integer. Received: True"),
        ("seeds: [0]", "seeds: [0, -1]", "experiments.guess.seeds.1 must be greater than or equal to 0. Received: -1"),
        ("seeds: [0]", "seeds: [4294967296]", "experiments.guess.seeds.0 must be less than 4294967296."),
        ("seeds: [0]", "seeds: [1, 2, 1]", "experiments.guess.seeds must hold every seed once. Received: [1, 2, 1]"),
        ("seeds: [0]", "seeds: []", "experiments.guess.seeds must hold at least 1. Received: []"),
        ("seeds: [0]", "seeds: [.nan]", "experiments.guess.seeds.0 must be a finite number. Received: nan"),
        ("{method: none}", "{method: none, rate: .inf}", "experiments.guess.training.rate must be a finite number."),
        ("{method: none}", "{method: none, rate: 99999999999999999999}", "training.rate must be below 2**63"),
        ("{method: none}", "[none]", "experiments.guess.training must be a mapping. Received: ['none']"),
        ("{method: none}", "null", "experiments.guess.training must be a mapping. Received: None"),
        ("guess:", "Guess-1:", "experiments.Guess-1 (the name) must be small letters, digits and _, a letter first"),
        (
            "guess:",
            "g" * 61 + ":",
            "(the name) must be small letters, digits and _, a letter first, at most 60 in all.",
        ),
        ("guess:", "7:", "experiments: the key 7 must be text; put it in quotes"),
        ("guess:", "[a]:", "experiments: the key ('a',) must be text; put it in quotes"),
        ("kind: waves", "kind: 2020-01-01", "sources.waves.kind must be text or a number, but YAML reads date; put"),
        ("kind: waves", 'kind: "wa\\n\\nves"', "sources.waves.kind must be small letters"),
        ("kind: waves", 'kind: "\\e[2J"', r"sources.waves.kind must not hold control characters. Received: '\x1b[2J'"),
        ("waves: {kind", '"\\u202e": {kind', r"sources: the key '\u202e' must not hold control characters"),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_what_is_valid(file, old, new, said):
    assert refused(file, changed(old, new)).startswith("params.yaml: ")
    assert said in refused(file, changed(old, new))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "sources: {}\n", 'params.yaml, line 8 is not plain YAML: found duplicate key "sources"'),
        (changed("seeds: [0]", "seeds: [0], seeds: [1]"), 'line 7 is not plain YAML: found duplicate key "seeds"'),
        ("sources: [1, 2\n", "params.yaml, line 2 is not plain YAML"),
        ("sources:\n\twaves: 1\n", "params.yaml, line 2 is not plain YAML"),
        ("sources: {waves: *none}", "line 1 is not plain YAML: found undefined alias"),
        ("sources: !!python/object/apply:os.mkdir [hacked]\n", "line 1 is not plain YAML: the tag tag:yaml"),
        ("a: !!binary aGk=", "line 1 is not plain YAML: the tag tag:yaml.org,2002:binary is not for values; put text"),
        ("a: !!set {a}", "line 1 is not plain YAML: the tag tag:yaml.org,2002:set is not for values"),
        ("a: !!bool maybe", "line 1 is not plain YAML: the tag tag:yaml.org,2002:bool is not for values"),
        ('a: !!int ""', "line 1 is not plain YAML: the tag tag:yaml.org,2002:int is not for values"),
        ("a: &a {b: 1}\nc: {<<: *a}", "line 2 is not plain YAML: it merges mappings (<<); write out what is merged"),
        ("sources: !waves {}\n", "line 1 is not plain YAML: the tag !waves is not"),
        (GOOD + "---\n" + GOOD, "line 8 is not plain YAML: but found another document"),
        ("? {a: b}\n: c\n", "line 1 is not plain YAML: found unhashable key"),
        ("a: \0", "params.yaml is not plain YAML: unacceptable character"),
        ("a: 2020-13-45", "params.yaml is not plain YAML: month must be in 1..12"),
        ("a: " + "9" * 5000, "params.yaml is not plain YAML: Exceeds the limit"),
        ("[" * 200 + "]" * 200, "line 1 is not plain YAML: it is nested more than 30 deep"),
        ("- 1\n- 2\n", "params.yaml: the whole must be a mapping. Received: [1, 2]"),
        ("hello", "params.yaml: the whole must be a mapping. Received: 'hello'"),
        ("# nothing", "params.yaml: the whole must be a mapping. Received: None"),
        ("", "params.yaml: the whole must be a mapping. Received: None"),
        ("sources: {}", "params.yaml: datasets is missing"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(file, monkeypatch, text, said):
    monkeypatch.chdir(file.parent)
    assert said in refused(file, text)
    assert list(file.parent.iterdir()) == [file]  # no tag was carried out


def test_anchors_are_fine_but_not_bombs(file):
    shared = changed("model: {", "model: &shared {").replace("guess:", "first:")
    file.write_text(shared + shared.splitlines()[-1].replace("first:", "second:").split("&")[0]
                    + "*shared, training: {method: none}}\n", encoding="utf-8")  # fmt: skip
    loaded = params.load(file)
    assert loaded.experiment("first").model == loaded.experiment("second").model
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n"
    assert "too large; write out what its anchors" in refused(file, bomb)
    assert "too large; write out what its anchors" in refused(file, "sources: &a {x: *a}")


def test_a_file_that_cannot_be_read(file, tmp_path):
    with pytest.raises(UnrollError, match=r"params\.yaml is missing; run this in the folder that holds it") as missing:
        params.load(file)
    assert not isinstance(missing.value, UsageError)
    with pytest.raises(UnrollError, match="cannot be read: it is not a file"):
        params.load(tmp_path)
    file.write_bytes(b"sources: \xff")
    with pytest.raises(UsageError, match=r"params\.yaml must be UTF-8; byte 9 is not"):
        params.load(file)


def test_a_byte_order_mark_is_harmless(file):
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert list(params.load(file).experiments) == ["guess"]


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), max_size=8)
known = st.sampled_from(["waves", "guess", "kind", "name", "source", "dataset", "seeds", "model", "family", "method"])
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | words | known,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(known | words, inner, max_size=4),
    max_leaves=12,
)


def sections(data):
    """Nested data, half of it where a section should be."""
    good = {
        "sources": {"waves": {"kind": "waves"}},
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": {
            "guess": {
                "dataset": "waves",
                "seeds": [0],
                "model": {"family": "a", "name": "b"},
                "training": {"method": "c"},
            }
        },
    }
    places = [(), ("sources",), ("sources", "waves"), ("datasets",), ("datasets", "waves"), ("experiments",)]
    places += [("experiments", "guess"), *(("experiments", "guess", key) for key in ("seeds", "model", "training"))]
    place = data.draw(st.sampled_from(places))
    value = data.draw(plain)
    if not place:
        return value
    whole = inner = deepcopy(good)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return whole


def one_line_or(load, file, kind):
    """Whether `load` gives something of this kind, or an error of one short line."""
    try:
        return isinstance(load(file), kind)
    except UnrollError as error:
        return "\n" not in str(error) and len(str(error)) < 1000


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_the_data_it_is_params_or_one_line(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    file.write_text(json.dumps(sections(data)), encoding="utf-8")
    for load, kind in ((params.load, Params), (params.load_claims, list)):
        assert one_line_or(load, file, kind)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from(list("ab:- \n\t[]{}&*!#|>'\"%@`?,.0~")), max_size=40))
def test_whatever_the_text_it_is_plain_data_or_one_line(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "scribbled.yaml"
    file.write_text(text, encoding="utf-8")
    assert one_line_or(plain_yaml.read, file, object)


numbers = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
finite = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(data=st.dictionaries(words, finite, max_size=4))
def test_dump_gives_back_what_it_was_given_in_order(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "dumped.yaml"
    plain_yaml.write(data, file)
    again = plain_yaml.read(file)
    assert again == data
    assert json.dumps(again) == json.dumps(data)  # 1 is not 1.0, and the order is kept


def test_dump_writes_blocks_and_no_anchors(file):
    model = {"family": "recurrent", "units": [1, 2]}
    plain_yaml.write({"b": {"model": model}, "a": {"model": model}, "text": "003"}, file)
    model = "  model:\n    family: recurrent\n    units:\n    - 1\n    - 2\n"
    assert file.read_text(encoding="utf-8") == f"b:\n{model}a:\n{model}text: '003'\n"


def test_dump_that_fails_keeps_the_old_file(file):
    file.write_text("old", encoding="utf-8")
    with pytest.raises(Exception, match="cannot represent"):
        plain_yaml.write({"a": object()}, file)
    assert file.read_text(encoding="utf-8") == "old"
    assert list(file.parent.iterdir()) == [file]


def test_the_committed_files_are_valid_and_come_back_from_dump(file):
    whole = params.load(REPOSITORY / "params.yaml")
    plain_yaml.write(plain_yaml.read(REPOSITORY / "params.yaml"), file)
    assert params.load(file) == whole
    claims = params.load_claims(REPOSITORY / "claims.yaml")
    named = {name for claim in claims for name in (claim.experiment, claim.against or claim.experiment)}
    assert named <= set(whole.experiments)


CLAIM = '{document: "003", words: about 0.02, experiment: guess, metric: final.test.mse, value: 0.02}'


def test_claims(file):
    file.write_text(
        f"- {CLAIM}\n- {CLAIM.replace('value: 0.02', 'against: other, relation: below, tolerance: 0.1')}\n"
        f"- {CLAIM.replace('value: 0.02', 'value: [null, 32]')}\n",
        encoding="utf-8",
    )
    figure, comparison, shape = params.load_claims(file)
    assert isinstance(figure, Claim)
    assert (figure.value, figure.relation, figure.tolerance, figure.note) == (0.02, "about", 0, "")
    assert (comparison.value, comparison.against, comparison.relation) == (None, "other", "below")
    assert shape.value == [None, 32]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value:", "valeu:", "claim 2: valeu is not known here. Valid: against, document, experiment, metric"),
        ("metric: final.test.mse, ", "", "claims.yaml: claim 2: metric is missing"),
        (", value: 0.02", "", "claims.yaml: claim 2: the whole must have either value or against, and not both."),
        ("value: 0.02", "value: 1, against: b", "the whole must have either value or against, and not both."),
        ("value: 0.02", "value: many", "2: value must be a valid number or must be a valid list. Received: 'many'"),
        ("value: 0.02", "value: .nan", "claims.yaml: item 2.value must be a finite number. Received: nan"),
        ("value: 0.02", "value: 1, tolerance: -1", "claim 2: tolerance must be greater than or equal to 0."),
        (
            "value: 0.02",
            "value: 1, relation: over",
            "2: relation must be 'about', 'below' or 'above'. Received: 'over'",
        ),
        ('"003"', "3", "claims.yaml: claim 2: document must be a valid string. Received: 3"),
        (CLAIM, "hello", "claims.yaml: claim 2: the whole must be a mapping. Received: 'hello'"),
    ],
)
def test_a_mistake_in_a_claim_is_one_line_with_its_place(tmp_path, old, new, said):
    assert old in CLAIM
    text = f"- {CLAIM}\n- {CLAIM.replace(old, new)}\n"
    assert said in refused(tmp_path / "claims.yaml", text, load=params.load_claims)


def test_claims_must_be_a_list(tmp_path):
    line = refused(tmp_path / "claims.yaml", CLAIM, load=params.load_claims)
    assert line == "claims.yaml: the whole must be a list of claims. Received: dict"
