"""Names and texts that steer a terminal, are markup on a page, formulas in a sheet, or hold a password."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import params, registry
from pipeline.config import plain_yaml
from pipeline.errors import printable, without_password
from pipeline.report import plots
from pipeline.report.page import page
from pipeline.report.results import load
from pipeline.data.sources import Context, download
from pipeline.workspace import Workspace
from pipeline.tracking import figures
from stages import evaluate, prepare, report, source, train
from stages.repro import dvc_graph
from stages.console import exits
from stages.results import doctor
from stages.results.show import lines, show
from tests.hostile.one_line import line

ROOT = Path(__file__).parents[2]

EVIL = [
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "</title></svg></style><script>alert(1)</script>",
    '=HYPERLINK("http://evil.invalid")',
    "+1+1",
    "@SUM(A1)",
    "-->",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "{{ 7*7 }}",
    "{% raw %}",
    "$\\frac$",
    "$x^$",
    "%s%n",
    "#010101",
    "\u65e5\u672c\u8a9e",
    "a" * 300,
]
HIDDEN = ["\x1b[31mred", "\x1b]0;title\x07", "\u202ertl", "\u2066x\u2069", "a\nb", "a\rb", "\0", "\x7f", "\x9b31m"]


class Page(HTMLParser):
    """The tags, attributes and texts of a page, as a browser finds them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.names, self.texts = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)


def station(columns):
    """A CSV file with these columns beside the stamps and the target."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["t", "v", *columns])
    random = np.random.default_rng(0)
    for hour in range(120):
        values = random.normal(size=1 + len(columns)).round(3)
        writer.writerow([f"2020-01-{1 + hour // 24:02d}T{hour % 24:02d}:00", *values])
    return buffer.getvalue()


FILE = "a b \u00e9\u65e5 -x.csv"


def own(workspace, unit, quantity):
    """Write params.yaml for a series of the user's own, in a file with an odd name."""
    preparation = {"name": "series", "file": FILE, "stamp": "t", "target": "v", "train": 60, "validation": 30}
    preparation |= {"lookback": 4, "delay": 1, "unit": unit, "quantity": quantity}
    whole = {
        "sources": {"mine": {"kind": "local", "path": FILE}},
        "datasets": {"mine": {"source": "mine", "preparation": preparation}},
        "experiments": {
            "guess": {
                "dataset": "mine",
                "seeds": [0],
                "model": {"family": "baselines", "name": "last_value"},
                "training": {"method": "none"},
            }
        },
    }
    plain_yaml.write(whole, workspace.params)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Every evil text as a column, and some as unit, quantity and claim, from the file to the page."""
    workspace = Workspace(tmp_path_factory.mktemp("evil"))
    workspace.params.parent.joinpath(FILE).write_text(station([*EVIL, *HIDDEN]), encoding="utf-8")
    own(workspace, "".join(EVIL[:3]) + "$x^$", EVIL[3])
    claim = {"document": EVIL[0], "words": EVIL[2], "experiment": "guess", "metric": "final.test.mae", "note": EVIL[3]}
    workspace.claims.write_text(json.dumps([claim | {"value": 1.0}]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "file:///dev/null/nowhere")
        source.source(workspace, "mine")
        prepare.prepare(workspace, "mine")
        train.train(workspace, "guess")
        evaluate.evaluate(workspace, "mine")
        report.report(workspace)
    return workspace


def test_the_page_shows_evil_texts_and_runs_none(built):
    text = built.report.read_bytes().decode()
    found = Page(text)
    assert not {"script", "img", "iframe", "object", "link", "a href"} & found.tags
    assert not [name for name in found.names if name.startswith("on")]
    whole = "".join(found.texts)
    for evil in EVIL[:14]:
        assert evil in whole
    assert page(load(built)) == text


def test_no_cell_that_unroll_writes_is_a_formula(built):
    """A sheet runs what begins with one of these signs; a number may begin with a minus."""
    for file in built.root.glob("**/*.csv"):
        if file.name != FILE:
            cells = [cell for row in csv.reader(file.read_text(encoding="utf-8").splitlines()) for cell in row]
            assert cells
            assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-[^0-9]", cell)]


def test_show_prints_what_a_file_holds_as_escapes(built):
    said = list(lines(show(built, "mine")))
    assert all(each.isprintable() for each in said)
    assert any("\\x1b[31mred" in each for each in said)


@pytest.mark.parametrize("label", ["$\\frac$", "$x^$", "\u65e5\u672c\u8a9e", "".join(EVIL), "".join(HIDDEN)])
def test_any_label_can_be_drawn(label, tmp_path):
    text = plots._scatter([1.0, 2.0], [1.0, 2.0], label, "salt", label)
    assert Page(text).tags == {"svg", "title", *Page(plots._scatter([1.0, 2.0], [1.0, 2.0], "", "salt", "")).tags}
    (tmp_path / "predictions.csv").write_text("index,truth,a\n0,1,2\n1,2,3\n", encoding="utf-8")
    about = {"kind": "forecast", "unit": label, "quantity": label, "layout": "windows"}
    figures.predictions(tmp_path / "predictions.csv", about, "a", "title", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize("text", [*HIDDEN, "\udcff"])
def test_what_steers_a_terminal_is_printed_as_an_escape(text, capsys, monkeypatch, tmp_path):
    assert printable(text).isprintable()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@a")

    def command():
        (tmp_path / text.replace("\0", "")).joinpath("nothing").read_bytes()

    assert exits.run(command) == 1
    said = capsys.readouterr().err
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    kept = (tmp_path / ".unroll" / "failures" / "train@a.txt").read_text(encoding="utf-8")
    assert kept[:-1].isprintable()


def test_what_everybody_sees_stays_as_it_is():
    text = "T (\u00b0C), m\u00b2, na\u00efve, \u65e5\u672c, 20\N{NO-BREAK SPACE}%, \N{EN DASH}, \U0001f642"
    assert printable(text) == text


def test_a_line_is_never_endless(capsys):
    assert exits.run(lambda: Path("x" * 100_000).read_bytes()) == 1
    assert len(capsys.readouterr().err) < 5000


FOLDERS = ["a b", "a\nb", "-rf", "\u00e9\u65e5", "\x1b[31m", "%s", "$(touch sprung)", "`x`;x", "'", '"', "x" * 200, "*"]


def test_workspaces_in_odd_folders(tmp_path, sections):
    for name in [*FOLDERS, "\udcff"]:
        workspace = Workspace(tmp_path / name)
        workspace.root.mkdir()
        plain_yaml.write(sections, workspace.params)
        workspace.claims.write_text("[]", encoding="utf-8")
        source.source(workspace, "sine")
        prepare.prepare(workspace, "sine")
        findings = [doctor._look(check, getattr(doctor, f"_{check}"), workspace) for check in ("params", "folder")]
        assert [finding.ok for finding in findings] == [True, True]
        assert (workspace.prepared("sine") / "arrays.npz").is_file()
    assert not list(tmp_path.rglob("sprung"))


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "utf-8"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_path_is_printed_whatever_the_terminal_has_letters_for(tmp_path, sections, locale):
    folder = tmp_path / "\u00e9\n\udcff\x1b[31m"
    folder.mkdir()
    sections["sources"] = {"sine": {"kind": "sine", "points": 5, "test_points": 5}}
    plain_yaml.write({"sources": sections["sources"], "datasets": {}, "experiments": {}}, folder / "params.yaml")
    command = [sys.executable, "-m", "stages", "--root", str(folder), "source", "sine"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | locale
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    if "utf-8" in locale.values():  # for a program that reads on
        assert done.stdout == os.fsencode(folder / "data" / "raw" / "sine") + b"\n"


ADDRESSES = [
    "https://me:secret@host/x",
    "https://me:se@secret@host/x",
    "https://me:sec/secret@host/x",
    "https:/me:secret@host",
    "//me:secret@host",
    "ftp://me:secret@host",
    "file://me:secret@host/etc",
    "http://me:secret@host/x",
    "https://secret@host",
    "https://me:secret@host:99999/",
    "https://me:secret@[::1",
    "https://me:secret@h\nost/",
    "https://me:secret@\udcff/",
    "https://me:secret@a..b/",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_password_is_shown(address, tmp_path, monkeypatch):
    """Neither of an address in params.yaml, which is refused, nor of a mirror, which may have one."""
    assert "secret" not in without_password(f"{address} failed")
    section = {"files": {"a": {"url": address, "bytes": 1}}}
    assert "secret" not in line(registry.options, download.produce, section, "sources.x")

    def absent(*_):
        raise download.AbsentError(f"nothing at {address}")

    monkeypatch.setattr(download, "_download", absent)
    context = Context("x", tmp_path, tmp_path, address, lambda *_: None)
    assert "secret" not in line(download.fetch, "a", None, tmp_path / "a", context)
    monkeypatch.setenv("UNROLL_MIRROR", address.replace("\n", "").replace("\udcff", ""))
    assert "secret" not in doctor._look("mirror", doctor._mirror, Workspace(tmp_path)).text


@pytest.mark.parametrize(
    "mirror", ["\n", "a\nb", "-rf", "~", "x" * 300, "\x1b[31m", "file:///etc", "\udcff", "http://host/"]
)
def test_a_mirror_that_is_no_folder_is_one_line(mirror, tmp_path):
    context = Context("x", tmp_path, tmp_path, mirror, lambda *_: None)
    assert line(download.fetch, "a", None, tmp_path / "a", context)


def test_a_mirror_in_an_odd_folder(tmp_path):
    for name in [*FOLDERS, "\udcff"]:
        folder = tmp_path / name / "x"
        folder.mkdir(parents=True)
        (folder / "a").write_bytes(b"1")
        context = Context("x", tmp_path, tmp_path, str(tmp_path / name), lambda *_: None)
        download.fetch("a", None, tmp_path / "got", context, size=1)
        assert (tmp_path / "got").read_bytes() == b"1"


def test_a_folder_that_dvc_has_no_name_for(tmp_path):
    assert "whose name is not UTF-8; rename" in line(dvc_graph.read, tmp_path / "\udcff")
