"""The flow of `unroll answer`, with a stand-in for the library: what is asked, kept,
and said at once."""

import inspect
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import typer

from pipeline.errors import UnrollError, UsageError
from pipeline.locks import alone
from tests.support import REPOSITORY
from tests.support.answered import answered
from unroll.answers import answering, show_answer
from unroll.commands.main import invoke
from unroll.series import answer as answers
from unroll.series.options import Arguments, argument, naming_flags
from unroll.series.user_data import keep


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a file of two columns."""
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=60)
    load = [day * day % 17 for day in range(60)]
    wind = [day % 7 for day in range(60)]
    pd.DataFrame({"day": days, "load": load, "wind": wind}).to_csv(
        "meter.csv", index=False
    )
    return tmp_path


@pytest.fixture(scope="module")
def usual():
    """A real answer, which stands for each that would be made."""
    days = pd.date_range("2024-01-01", periods=60)
    load = [day * day % 17 for day in range(60)]
    return answered(pd.DataFrame({"day": days, "load": load}), models="last_value")


@pytest.fixture
def library(monkeypatch, usual):
    """The calls of the library, which here computes nothing."""
    calls = []

    def make(profile, question, *, name, **_):
        paths = profile.file.paths
        calls.append((name, [path.name for path in paths], question.asked.given))
        changed = {
            "name": name,
            "files": keep(profile.file, usual.folder),
            "asked": question.asked,
            "target": question.target,
            "horizon": question.horizon,
        }
        return replace(usual, findings=usual.findings.model_copy(update=changed))

    monkeypatch.setattr(answering, "answer_series", make)
    monkeypatch.setattr(answering.answer_page, "write", lambda *_: None)
    monkeypatch.setattr(show_answer, "show", lambda *_: None)
    return calls


def answer(*flags):
    invoke(["answer", "meter.csv", *flags])


def test_the_same_question_is_answered_at_once_and_without_options_it_is_the_one_of_before(
    here, library
):
    answer("--target", "load", "--horizon", "7")
    for flags in (["--target", "load", "--horizon", "7"], [], ["--yes"]):
        answer(*flags)
    invoke(["answer", "meter"])
    assert library == [("meter", ["meter.csv"], {"target": "load", "horizon": 7})]
    with (here / "meter.csv").open("a") as file:
        file.write("2024-03-01,5,1\n")
    invoke(["answer", "meter"])
    answer("--target", "load", "--horizon", "7", "--no-networks", "--minutes", "2")
    assert [options for *_, options in library[1:]] == [
        {"target": "load", "horizon": 7},
        {"target": "load", "horizon": 7, "networks": False, "minutes": 2.0},
    ]


@pytest.mark.parametrize("file", ["answer.json", "forecaster.json"])
def test_a_damaged_answer_is_made_anew(here, library, capsys, file):
    answer("--target", "load", "--horizon", "7")
    (here / "meter" / file).write_text("{}")
    answer("--target", "load", "--horizon", "7")
    assert f"meter/{file}" in capsys.readouterr().out
    assert [options for *_, options in library] == 2 * [
        {"target": "load", "horizon": 7}
    ]


@pytest.mark.usefixtures("here")
def test_other_code_answers_anew(library, monkeypatch):
    answer("--yes")
    monkeypatch.setattr(answering.fingerprint, "package", lambda: "9.9.9 abc")
    answer("--yes")
    assert len(library) == 2


@pytest.mark.usefixtures("library")
def test_a_folder_of_something_else_stays_as_it_is(here):
    (here / "meter").mkdir()
    (here / "meter" / "notes.txt").write_text("mine")
    with pytest.raises(
        UsageError,
        match="meter exists and is no answer of Unroll's; pass --name with another",
    ):
        answer("--yes")
    answer("--yes", "--name", "other")
    (here / "new").mkdir()
    (here / "meter.csv").rename(here / "new" / "meter.csv")
    with pytest.raises(
        UsageError, match="other holds the answer for meter.csv; pass --name"
    ):
        invoke(["answer", "new/meter.csv", "--yes", "--name", "other"])
    assert [path.name for path in (here / "meter").iterdir()] == ["notes.txt"]


def test_what_fails_leaves_no_folder_and_what_is_stopped_goes_on(
    here, library, monkeypatch
):
    def failing(error):
        def make(*_, **__):
            raise error

        return make

    with monkeypatch.context() as patch:
        patch.setattr(answering, "answer_series", failing(UnrollError("too few rows")))
        with pytest.raises(UnrollError, match="too few rows"):
            answer("--yes")
        assert not (here / "meter").exists()
        patch.setattr(answering, "answer_series", failing(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            answer("--target", "wind", "--horizon", "2")
    assert [path.name for path in (here / "meter").iterdir()] == [".lock"]
    with pytest.raises(
        UsageError, match="'meter' is no answer here, nor in params.yaml"
    ):
        invoke(["predict", "meter"])
    answer("--target", "wind", "--horizon", "2")
    with monkeypatch.context() as patch:
        patch.setattr(answering, "answer_series", failing(UsageError("no such model")))
        with pytest.raises(UsageError, match="no such model"):
            answer("--target", "wind", "--horizon", "2", "--models", "nonsense")
    answer()
    expected = {"target": "wind", "horizon": 2}
    assert library == [("meter", ["meter.csv"], expected)], "what failed is forgotten"


@pytest.mark.usefixtures("library", "here")
def test_files_beside_the_name_of_an_answer_are_refused():
    answer("--yes")
    with pytest.raises(UsageError, match=r"meter is an answer, .* leave out new.csv"):
        invoke(["answer", "meter", "new.csv"])


def test_one_call_works_in_a_folder_and_one_that_was_killed_early_does_not_bar_it(
    here, library
):
    with (
        alone(here / "meter" / ".lock", ""),
        pytest.raises(UnrollError, match="another process answers in .*meter; wait"),
    ):
        answer("--yes")
    assert (here / "meter").is_dir(), "it is the other's"
    answer("--yes")
    assert len(library) == 1


@pytest.mark.usefixtures("library")
def test_nothing_is_written_behind_a_link_in_an_answer_that_was_sent(here):
    (here / "elsewhere").mkdir()
    (here / "meter").mkdir()
    (here / "meter" / "answer.json").write_text("{}")
    (here / "meter" / ".lock").symlink_to(here / "elsewhere")
    with pytest.raises(UnrollError, match=r"meter/.lock is a link"):
        answer("--yes")
    assert not any((here / "elsewhere").iterdir())


def test_what_is_open_is_asked_on_a_terminal_and_refused_elsewhere(
    here, library, monkeypatch
):
    with pytest.raises(
        UsageError,
        match=r"pass --target load --horizon 6 or other values, or --yes to take these",
    ):
        answer()
    assert [path.name for path in here.iterdir()] == ["meter.csv"]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    replies = {
        "What is to be forecast? (load, wind)": "wind",
        "How many rows ahead? (a row is a day)": "9",
    }

    def prompt(question, value_proc, **_):
        wrong = "-1" if "rows" in question else "wand"
        with pytest.raises(typer.BadParameter, match=f"'{wrong}' is no"):
            value_proc(wrong)
        return value_proc(replies.pop(question))

    monkeypatch.setattr("typer.prompt", prompt)
    answer("--lookback", "14")
    assert library == [
        ("meter", ["meter.csv"], {"target": "wind", "horizon": 9, "lookback": 14})
    ]
    assert not replies


@pytest.mark.usefixtures("here")
def test_the_only_column_is_taken_without_a_question(library):
    pd.read_csv("meter.csv")[["day", "load"]].to_csv("meter.csv", index=False)
    with pytest.raises(UsageError, match="pass --target load --horizon 6 or other"):
        answer()
    answer("--horizon", "7")
    assert library == [("meter", ["meter.csv"], {"horizon": 7})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "answer other.csv",
            "other.csv is not there; name a CSV, Parquet or .xlsx file",
        ),
        ("answer metre.csv", r"metre.csv is not there; .* Did you mean meter.csv\?"),
        ("predict meter", "`unroll answer meter.csv` makes an answer"),
        ("answer .", r"\. is a folder; name a CSV, Parquet or .xlsx file"),
        (
            "answer meter.csv --level 80",
            "the level must be .*, such as 0.8. Received: 80",
        ),
        ("answer meter.csv --csv --json", "pass --csv or --json, not both"),
        (
            "answer meter.csv --name ../x --yes",
            "pass --name with small letters, digits and _, a letter first, up to",
        ),
        (
            "answer meter.csv --target lod --horizon 2 --name a",
            "must be one of: load, wind",
        ),
        ("answer waves", "waves is not there; name a CSV, Parquet or .xlsx file"),
    ],
)
def test_what_cannot_be_done_gets_one_line_and_leaves_nothing(here, arguments, message):
    with pytest.raises(UnrollError, match=message):
        invoke(arguments.split())
    assert [path.name for path in here.iterdir() if path.name != ".unroll"] == [
        "meter.csv"
    ]


@pytest.mark.usefixtures("here")
def test_the_first_line_comes_before_all_that_takes_long_to_import():
    code = "import sys; sys.modules['numpy'] = None; from unroll.commands.main import invoke; invoke(sys.argv[1:])"
    command = [sys.executable, "-c", code, "answer", "meter.csv", "--yes"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "Reading meter.csv ...\n"
    assert "import of numpy halted" in done.stderr


def test_every_option_of_the_library_is_one_of_the_command():
    known = {*inspect.signature(answers.answer).parameters}
    assert known >= {*Arguments.model_fields}
    assert known - {*Arguments.model_fields} == {
        *["data", "question", "say", "in_process"]
    }


@pytest.mark.parametrize(
    ("name", "value", "keyword", "flag"),
    [
        ("horizon", None, "horizon=", "--horizon"),
        ("time_zone", None, "time_zone=", "--time-zone"),
        ("step", 4, "step=4", "--step 4"),
        ("decimal", ",", "decimal=','", "--decimal ,"),
        ("missing", "<1 '", """missing="<1 '\"""", """--missing '<1 '"'"''"""),
        ("day_first", True, "day_first=True", "--day-first"),
        ("day_first", False, "day_first=False", "--month-first"),
    ],
)
def test_an_option_has_the_name_that_its_reader_types(name, value, keyword, flag):
    assert argument(name, value) == keyword
    with naming_flags():
        assert argument(name, value) == flag
    assert argument(name, value) == keyword
