import json
import re

import pytest

from pipeline.errors import UnrollError, UsageError
from stages.evaluate import evaluate
from stages.results.compare import compare, show
from tests.support import fake_runs


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    made = fake_runs.build(tmp_path_factory.mktemp("workspace"))
    for name in ("sine_windows", "waves", "imdb"):
        evaluate(made, name)
    return made


@pytest.fixture
def printed(capsys, monkeypatch):
    """What a table looks like on a terminal, or elsewhere."""

    def call(tables, *, terminal, width=400):
        monkeypatch.setenv("FORCE_COLOR", "1" if terminal else "")
        monkeypatch.setenv("TERM", "xterm" if terminal else "dumb")
        monkeypatch.setenv("COLUMNS", str(width))
        show(tables)
        return capsys.readouterr().out

    return call


def experiments(table):
    return [row["experiment"]["text"].split()[0] for row in table["rows"]]


def test_none_means_everything_that_is_built_and_the_published_figures(workspace):
    tables = compare(workspace, [])
    assert [table["name"] for table in tables] == ["sine_windows", "sine_windows", "waves", "imdb", "claims"]
    assert len(tables[-1]["rows"]) == 6


def test_experiments_are_put_side_by_side_in_the_order_of_params_yaml(workspace):
    (table,) = compare(workspace, ["waves_node", "waves_last_value"])
    assert experiments(table)[:2] == ["waves_last_value", "waves_node"]
    assert "waves_perceptron" not in experiments(table)


def test_data_sets_and_experiments_may_be_mixed(workspace):
    tables = compare(workspace, ["imdb_rnn", "waves"])
    assert [table["name"] for table in tables] == ["waves", "imdb"]
    assert experiments(tables[1]) == ["imdb_rnn"]


def test_it_is_plain_data_with_the_values_behind_the_texts(workspace):
    (table,) = compare(workspace, ["waves"])
    assert json.loads(json.dumps(table)) == table
    row = next(row for row in table["rows"] if row["experiment"]["value"] == "waves_perceptron")
    assert len(row["test"]["value"]["values"]) == 3
    assert row["test"]["text"].count("±") == 1


def test_a_misspelt_name_lists_the_valid_ones(workspace):
    with pytest.raises(UsageError, match=r"must be one of 19 names\. Nearest: waves_node, "):
        compare(workspace, ["waves_nod"])


def test_what_was_asked_for_and_is_not_built_is_an_error(workspace):
    with pytest.raises(UnrollError, match="jena_gru is not built; `unroll repro evaluate@jena` builds it"):
        compare(workspace, ["jena_gru"])
    with pytest.raises(UnrollError, match="jena_hourly is not built"):
        compare(workspace, ["waves", "jena_hourly"])


def test_nothing_at_all_is_an_error(tmp_path):
    bare = fake_runs.build(
        tmp_path, without=("sine_extrapolation", "sine_windows", "waves", "imdb", "jena_hourly", "jena")
    )
    with pytest.raises(UnrollError, match="nothing is built yet"):
        compare(bare, [])


def test_plain_output_is_aligned_and_free_of_control_characters(workspace, printed):
    text = printed(compare(workspace, ["waves"]), terminal=False)
    lines = text.splitlines()
    assert "\x1b" not in text
    assert lines[0] == "waves: experiments"
    place = lines[1].index("Published")
    row = next(line for line in lines if line.startswith("waves_perceptron"))
    assert row[place:] == "1,000 ✗ does not hold"


def test_a_column_that_says_nothing_is_left_out(workspace, printed):
    tables = compare(workspace, ["waves"])
    for place, row in enumerate(tables[0]["rows"]):
        row["published"]["text"] = "\N{EN DASH}" if place else ""
    text = printed(tables, terminal=False)
    assert "Published" not in text
    assert "Parameters" in text


def test_a_terminal_gets_the_same_figures(workspace, printed):
    tables = compare(workspace, ["waves_node"])
    text = printed(tables, terminal=True)
    assert "\x1b" in text
    assert tables[0]["rows"][0]["test"]["text"] in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_narrow_terminal_shows_fewer_columns_and_breaks_no_name(workspace, printed, width):
    tables = compare(workspace, ["waves"])
    text = printed(tables, terminal=True, width=width)
    assert max(map(len, re.sub("\x1b\\[[0-9;]*m", "", text).splitlines())) <= width
    for row in tables[0]["rows"]:
        assert row["experiment"]["text"].split()[0] in text
    assert "Wider terminals show: " in " ".join(re.sub("\x1b\\[[0-9;]*m", "", text).split())


def test_names_are_not_read_as_markup(workspace, printed):
    tables = compare(workspace, ["waves_node"])
    tables[0]["title"] = "[red]name[/nothing]"
    tables[0]["rows"][0]["experiment"]["text"] = "[bold]e[/x]"
    for terminal in (True, False):
        text = printed(tables, terminal=terminal)
        assert "[red]name[/nothing]" in text
        assert "[bold]e[/x]" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_stand_ins_are_labelled(workspace, printed, terminal):
    text = printed(compare(workspace, ["imdb"]), terminal=terminal)
    assert "STAND-IN" in text
    assert text.count("stand-in") >= 3
