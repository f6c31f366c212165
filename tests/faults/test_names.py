"""Names and options that are misspelt or wrong: one line that says what is valid. Evil ones are shown as text."""

import json
from html.parser import HTMLParser

import pytest


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("tain waves_linear", "No such command 'tain'. Did you mean 'train'? Valid: add, claims,"),
        ("train waves_linear --epoch 3", "No such option: --epoch"),
        ("train waves_liner", "Did you mean waves_linear?"),
        ("source sinus", "the source must be one of: own, sine, waves. Received: 'sinus'. Did you mean sine?"),
        ("evaluate wave", "the data set must be one of: own, sine, waves. Received: 'wave'. Did you mean waves?"),
        ("show waves_liner", "Did you mean waves_linear?"),
    ],
)
def test_a_misspelt_name_or_option_of_a_command(lab, command, says):
    lab.refuses(command, says, code=2)


@pytest.mark.parametrize(
    ("place", "value", "command", "says"),
    [
        ("experiments.waves_node.modle", {}, "train waves_node", "experiments.waves_node.modle is not known here."),
        ("experiments.waves_node.training.method", "by_hands", "train waves_node", "Did you mean by_hand?"),
        ("experiments.waves_node.training.epoch", 3, "train waves_node", "training.epoch is not known here."),
        ("experiments.waves_node.training.epochs", "3", "train waves_node", "must be a valid integer. Received: '3'"),
        ("experiments.waves_node.training.learning_rate", -1.0, "train waves_node", "must be greater than 0"),
        ("experiments.waves_node.training.learning_rate", float("nan"), "train waves_node", "a finite number"),
        ("sources.sine.kind", "sin", "source sine", "Did you mean sine?"),
        ("datasets.own.preparation.target", "valeu", "prepare own", "has no column 'valeu'. It has: time, value"),
        ("datasets.own.preparation.file", "mine.csv", "prepare own", "has no 'mine.csv'. It has: own.csv"),
    ],
)
def test_a_wrong_word_or_number_in_params(lab, place, value, command, says):
    lab.change(place, value)
    lab.refuses(command, says, code=2)
    assert lab.run(command).line.startswith("unroll: params.yaml: ")


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        (None, "params.yaml is missing; run this in the folder that holds it", 1),
        ("sources: {waves: [\n", "params.yaml, line 2 is not plain YAML", 2),
        ("sources: !!python/object/apply:os.mkdir [sprung]", "params.yaml, line 1 is not plain YAML", 2),
        ("", "params.yaml: the whole must be a mapping", 2),
    ],
)
def test_params_that_cannot_be_read(lab, text, says, code):
    lab.workspace.params.unlink()
    if text is not None:
        lab.workspace.params.write_text(text)
    lab.refuses("train waves_node", says, code)
    lab.refuses("repro", says, code)


EVIL = ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "</style></svg><iframe>", "{{ 7*7 }}", "&lt;"]


class Page(HTMLParser):
    """The tags, attributes and texts of a page, as a browser finds them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.scripts = set(), set(), "", 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.scripts += tag == "script"
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


def test_the_page_shows_evil_texts_and_runs_none(lab):
    """Columns of a file, units, quantities and notes come from anywhere."""
    text = (lab.root / "own.csv").read_text().replace("value", json.dumps(EVIL[0]))
    (lab.root / "own.csv").write_text(text)
    for option, evil in {"target": EVIL[0], "unit": EVIL[1], "quantity": EVIL[2]}.items():
        lab.change(f"datasets.own.preparation.{option}", evil)
    claim = {"document": EVIL[0], "words": EVIL[3], "note": EVIL[4], "experiment": "own_last_value"}
    lab.workspace.claims.write_text(json.dumps([claim | {"metric": "final.test.mae", "value": "1.0", "width": 2.0}]))
    lab.succeeds("source own", "prepare own", "train own_last_value", "evaluate own", "report")
    page = Page(lab.workspace.report.read_text(encoding="utf-8"))
    assert page.scripts == 1, "its own"
    assert not {"img", "iframe", "object", "link"} & page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert [evil for evil in EVIL if evil not in page.text] == []
