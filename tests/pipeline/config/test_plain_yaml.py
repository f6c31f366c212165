import json
import shutil

import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.config import params, plain_yaml
from pipeline.errors import UnrollError, UsageError
from tests.support import REPOSITORY


@pytest.fixture
def file(tmp_path):
    return tmp_path / "params.yaml"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: {}\n", r'params\.yaml, line 3 is not plain YAML: found duplicate key "a"$'),
        ("a: [1, 2\n", r"params\.yaml, line 2 is not plain YAML"),
        ("a: !!python/object/apply:os.mkdir [hacked]\n", r"line 1 is not plain YAML"),
        ("a: 1\n---\nb: 2", r"line 2 is not plain YAML: but found another document"),
        ("a: 2020-13-45", r"params\.yaml is not plain YAML: month must be in 1\.\.12"),
        ("a: 2020-01-01", r"a must be text or a number, but YAML reads date; put it in quotes"),
        ("a: [{b: .nan}]", r"a\.item 1\.b must be a finite number\. Received: nan"),
        ("a: {7: b}", r"a: the key 7 must be text; put it in quotes"),
    ],
)
def test_what_is_no_plain_yaml_is_one_line_with_its_place(file, monkeypatch, text, line):
    monkeypatch.chdir(file.parent)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=line) as caught:
        plain_yaml.read(file)
    assert "\n" not in str(caught.value)
    assert list(file.parent.iterdir()) == [file]  # no tag was carried out


def test_a_file_that_cannot_be_read(file, tmp_path):
    with pytest.raises(UnrollError, match=r"params\.yaml is missing; run this in the folder that holds it") as missing:
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
    assert json.dumps(plain_yaml.read(file)) == json.dumps(data)  # 1 is not 1.0, and the order is kept


@pytest.mark.parametrize(
    ("override", "name"),
    [("experiments.waves_lstm.model.units=16", "waves_lstm"), ("+experiments.jena_gru.model.units=16", "jena_gru")],
    ids=["what an entry says", "what it takes from a template"],
)
def test_dvc_changes_one_line_of_the_repositorys_file_and_one_option_of_one_experiment(file, override, name):
    shutil.copy(REPOSITORY / "params.yaml", file)
    before = params.load(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    apply_overrides(file, [override])
    edited = file.read_text(encoding="utf-8").splitlines()
    changed = [old for old, new in zip(lines, edited, strict=True) if old != new]
    assert [line.partition(":")[0] for line in changed] == [f"  {name}"]
    after = params.load(file)
    assert after.experiments[name].model.options == before.experiments[name].model.options | {"units": 16}
    assert {key for key in after.experiments if after.experiments[key] != before.experiments[key]} == {name}
    assert after.datasets == before.datasets


@pytest.mark.parametrize("text", ["b: {}\na:\n  x: 1\n", "a:\n  x: 1\nb: {}\n", "a:\n  x: 1\n"])
def test_entries_are_added_whatever_the_order_of_sections(file, text):
    file.write_text(text, encoding="utf-8")
    file.write_text(plain_yaml.added(file, {"b": {"z": 3}, "a": {"y": 2}}, {}), encoding="utf-8")
    assert plain_yaml.read(file) == {"a": {"x": 1, "y": 2}, "b": {"z": 3}}


def test_an_entry_is_replaced_in_braces_and_nothing_else(file):
    text = "experiments:\n  a: {like: x}  # of a\n  # of b\n  b: {like: [x, y]}\n  # of c\n  c:\n    like: x\nz: 1\n"
    file.write_text(text, encoding="utf-8")
    entry = {"like": "w", "model": {"hidden": [4, 2]}, "converged": False}
    written = plain_yaml.replaced(file, "b", entry)
    block = "  b:\n    like: w\n    model: {hidden: [4, 2]}\n    converged: false\n"
    assert written == text.replace("  b: {like: [x, y]}\n", block)
    file.write_text(written, encoding="utf-8")
    assert plain_yaml.replaced(file, "c", {"like": "y"}) == written.replace("    like: x\n", "    like: y\n")


def test_an_entry_that_ends_in_nothing_ends_there(file):
    text = "experiments:\n  a:\n    like: x\n    share:\n  b: {like: y}\n"
    file.write_text(text, encoding="utf-8")
    assert plain_yaml.replaced(file, "a", {"like": "z"}) == "experiments:\n  a:\n    like: z\n  b: {like: y}\n"
    assert plain_yaml.removed(file, {"experiments": ["a"]}) == "experiments:\n  b: {like: y}\n"
