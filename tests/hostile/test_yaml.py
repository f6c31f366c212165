"""params.yaml and claims.yaml that aren't plain data, or not what they seem."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.errors import UsageError
from stages.results.doctor import doctor
from tests.hostile.one_line import line, result_or_line

ROOT = Path(__file__).parents[2]

DEEP = {
    "lists": "[" * 100_000,
    "closed lists": "[" * 100_000 + "]" * 100_000,
    "mappings": "{a: " * 100_000,
    "lists in blocks": "- " * 100_000,
    "keys": "? " * 100_000,
    "mappings in blocks": "\n".join(" " * level + "a:" for level in range(2000)),
    "keys that are lists": "{[" * 50_000,
}

# In a process of its own: it would be this one that the operating system ends.
LOAD = """
import sys
from pathlib import Path
from pipeline import params
from pipeline.errors import UsageError
for name in sys.argv[1:]:
    try:
        params.load(Path(name))
    except UsageError as error:
        print(error)
"""


def test_no_depth_ends_the_process(tmp_path):
    for number, text in enumerate(DEEP.values()):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
    names = [f"{number}.yaml" for number in range(len(DEEP))]
    command = [sys.executable, "-c", LOAD, *names]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(DEEP)
    for name, said in zip(DEEP, lines, strict=True):
        assert "is not plain YAML: it is nested more than 30 deep" in said, name


@pytest.fixture
def refused(tmp_path):
    def refused(content, load=params.load):
        file = tmp_path / "params.yaml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        said = line(load, file)
        assert "\n" not in said
        assert said.isprintable()
        return said

    return refused


def bomb(first, again):
    """Nine times nine times ... of one value."""
    return "\n".join([first, *(again(old, new) for old, new in itertools.pairwise("abcdefghij"))])


def test_a_billion_laughs(refused):
    laughs = bomb("a: &a [x, x]", lambda old, new: f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]")
    assert "too large; write out what its anchors" in refused(laughs)
    assert "too large; write out what its anchors" in refused(laughs.replace("[", "{k: [").replace("]", "]}"))


def test_a_billion_merged_keys(refused):
    """Took minutes and gigabytes: each level merges the pairs of nine mappings without looking for equal keys."""
    merged = bomb("a: &a {x: 1, y: 2}", lambda old, new: f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 9)}]}}")
    assert "line 2 is not plain YAML: it merges mappings (<<); write out what is merged" in refused(merged)


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "&a [*a]", "? &a [*a]\n: 1"])
def test_what_holds_itself(refused, text):
    refused(text)


def test_what_merges_is_text_in_quotes(tmp_path):
    (tmp_path / "params.yaml").write_text("'<<': 1", encoding="utf-8")
    assert plain_yaml.read(tmp_path / "params.yaml") == {"<<": 1}


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.mkdir [sprung]",
        "!!python/object/new:os.mkdir [sprung]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!<tag:yaml.org,2002:python/object/apply:os.mkdir> [sprung]",
        "!!map {}",
        "!!omap [a: 1]",
        "!!bool maybe",
        '!!int ""',
        '!!float ""',
        "!!str {a: 1}",
        "!!timestamp soon",
        "!local 1",
        "! 1",
    ],
)
def test_no_tag_is_carried_out(refused, tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "is not plain YAML: the tag " in refused(f"a: {tag}")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_tag_by_another_name(refused):
    """`%TAG` gives a harmless sign the meaning of a dangerous one."""
    assert "the tag tag:yaml.org,2002:python" in refused("%TAG ! tag:yaml.org,2002:python/\n---\na: !module:os")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"a: 1\0",
        b"\xff\xfe" + "a: 1".encode("utf-16-le"),
        "a: 1".encode("utf-16-be"),
        "a: 1".encode("utf-32"),
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbfa: 1",
        bytes(range(256)),
        b"\x1b[31ma: 1",
        b"\x7fELF\2\1\1",
        b"PK\3\4",
        b"a: \xc3",
        b"\xed\xa0\x80",
        b"%YAML 9.9\n---\na: 1",
        b"%YAML 99999999999999999999.9\n---\na: 1",
        b"--- a\n--- b",
        b"a: 0x" + b"f" * 100_000,
        b"a: " + b"9" * 4000,
        b"a: 1e999999999",
        b"a: 2020-13-45",
        b"a: 12:99:99",
        b"a: =",
        b"a: [1, 2",
        b"a: |9\n b",
        b"? [a]\n: 1",
        b'"' + b"k" * 5000 + b'": 1',
        b"a: *" + b"x" * 5000,
        b'a: "\\ud800"',
        b'a: "\\U00110000"',
    ],
)
def test_what_is_no_text_or_no_value_is_one_line(refused, content):
    assert len(refused(content)) < 500
    assert len(refused(content, params.load_claims)) < 500


@pytest.mark.parametrize("character", ["\\e[2J", "\\a", "\\b", "\\x7f", "\\N", "\\u202e", "\\u2066"])
def test_nothing_that_steers_a_terminal_gets_in(refused, character):
    assert "a must not hold control characters" in refused(f'a: "x{character}"')
    assert "must not hold control characters" in refused(f'"x{character}": 1')


def test_a_file_of_hundred_megabytes_is_not_read(tmp_path):
    file = tmp_path / "params.yaml"
    with file.open("wb") as opened:
        opened.truncate(100 * 1024**2)
    assert "must have at most 8,388,608 bytes. Received: 104,857,600" in line(params.load, file)


def test_a_small_file_of_very_many_values_is_refused_before_they_are_made(refused):
    assert "holds more than 100,000 values" in refused("a:\n" + "- 1\n" * 200_001)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "params.yaml")
    assert "params.yaml cannot be read: it is not a file" in line(params.load, tmp_path / "params.yaml")
    (tmp_path / "claims.yaml").symlink_to("/dev/zero")
    assert "claims.yaml cannot be read: it is not a file" in line(params.load_claims, tmp_path / "claims.yaml")


def test_a_link_to_itself(tmp_path):
    (tmp_path / "params.yaml").symlink_to("params.yaml")
    assert "cannot be read" in line(params.load, tmp_path / "params.yaml")


def test_doctor_says_it_among_the_rest(workspace):
    workspace.params.write_text("a: !!python/name:os.system", encoding="utf-8")
    workspace.claims.write_text("[" * 1000, encoding="utf-8")
    found = {finding.check: finding for finding in result_or_line(doctor, workspace)}
    assert "the tag tag:yaml.org,2002:python/name:os.system" in found["params.yaml"].text
    assert not found["claims.yaml"].ok
    assert found["folder"].check == "folder"


def test_the_real_files_are_plain():
    assert params.load(ROOT / "params.yaml").experiments
    assert params.load_claims(ROOT / "claims.yaml")
    with pytest.raises(UsageError, match="must be a list of claims"):
        params.load_claims(ROOT / "params.yaml")
