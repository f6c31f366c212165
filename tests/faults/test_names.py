"""Names and options of params.yaml that are misspelt or wrong: one line that says what is valid."""

import pytest


@pytest.mark.parametrize(
    ("place", "value", "command", "says"),
    [
        ("experiments.waves_node.modle", {}, "train waves_node", "experiments.waves_node.modle is not known here."),
        ("experiments.waves_node.training.method", "by_hands", "train waves_node", "Did you mean by_hand?"),
        ("experiments.waves_node.training.epochs", "3", "train waves_node", "must be a valid integer. Received: '3'"),
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
