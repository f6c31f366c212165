import json
import re
import shutil
from dataclasses import replace

import pytest

import unroll
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import schema
from pipeline.report.result_tables import (
    ResultTable,
    TableCell,
    TableColumn,
    claims_table,
    plain,
)
from pipeline.report.wording import Pair
from pipeline.workspace import Workspace
from tests.support import REPOSITORY, fake_runs
from unroll.builds.demo import commit
from unroll.mlflow_tools.tracking import ui
from unroll.project import Project
from unroll.results.compare import Tables, claims, compare, show
from unroll.terminal import MOST_LINES, show_table


@pytest.fixture
def printed(capsys, monkeypatch):
    """What tables look like on a terminal, or elsewhere."""

    def call(shown, *, terminal, width=400):
        monkeypatch.setenv("FORCE_COLOR", "1" if terminal else "")
        monkeypatch.setenv("TERM", "xterm" if terminal else "dumb")
        monkeypatch.setenv("COLUMNS", str(width))
        show(shown)
        text = capsys.readouterr().out
        assert ("\x1b" in text) == terminal
        return re.sub("\x1b\\[[0-9;]*m", "", text)

    return call


def experiments(table):
    return [row["experiment"].text.split()[0] for row in table.rows]


def test_the_best_of_many_experiments_are_printed_and_no_claims_are_their_headings(
    printed,
):
    columns = (
        TableColumn("experiment", "Experiment", numeric=False),
        TableColumn("test", "Test"),
    )
    rows = tuple(
        {"experiment": TableCell(f"e{number}"), "test": TableCell("1")}
        for number in range(MOST_LINES + 3)
    )
    table = ResultTable("d", "d", "A caption.", columns, rows)
    text = printed(Tables([table]), terminal=False)
    assert f"e{MOST_LINES - 1} " in text
    assert f"e{MOST_LINES} " not in text
    assert "3 rows more are not shown; --json has them. A caption." in text
    assert "Published" in printed(Tables([claims_table([])]), terminal=False)


def test_none_means_everything_that_is_built_and_data_sets_and_experiments_may_be_mixed(
    evaluated,
):
    every = compare(Project(evaluated.root), [])
    few = compare(Project(evaluated.root), ["imdb/rnn", "waves"]).tables
    names = (
        ["sine_extrapolation"] * 2
        + ["sine_windows"] * 2
        + ["waves", "imdb", "jena_hourly", "claims"]
    )
    assert [table.name for table in every.tables] == names
    assert [table.name for table in few] == ["waves", "imdb"]
    assert experiments(few[1]) == ["rnn"]
    assert json.dumps(every.as_data(), allow_nan=False)
    of_document = claims(Project(evaluated.root), ["002"])
    assert of_document.title.startswith("002 ")
    assert 0 < len(of_document.rows) < len(claims(Project(evaluated.root)).rows)
    with pytest.raises(UsageError, match="`unroll compare waves` shows its figures"):
        claims(Project(evaluated.root), ["waves"])
    with pytest.raises(UsageError, match="the document must be one of: .*'999'"):
        claims(Project(evaluated.root), ["999"])


def test_options_that_were_edited_since_their_training_are_named(evaluated, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(evaluated.root, root)
    now = plain_yaml.read(root / "params.yaml")
    entries = now["experiments"]["waves"]
    whole = now["datasets"]["waves"]
    first = next(iter(entries))
    edited = {**entries, first: {**entries[first], "seeds": 17}}

    def said(experiments, dataset):
        sections = {"experiments.waves": experiments, "datasets.waves": dataset}
        files = {"params.yaml": sections}
        lock = {"stages": {"train@waves": {"cmd": "unroll train", "params": files}}}
        (root / "dvc.lock").write_text(plain_yaml.dumped(lock), encoding="utf-8")
        [table] = compare(Project(root), ["waves"]).tables
        return table.caption

    assert "have changed" not in said(entries, whole)
    assert f"The options of {first} in params.yaml have changed" in said(edited, whole)
    other_data = said(entries, {**whole, "preparation": {"name": "another"}})
    assert "The options of all experiments in params.yaml have changed" in other_data
    of_older_unroll = said({**entries, first: {"no_such_option": 1}}, whole)
    assert "The options of all experiments in params.yaml" in of_older_unroll
    (root / "dvc.lock").write_text("stages: [", encoding="utf-8")
    [table] = compare(Project(root), ["waves"]).tables
    assert "have changed" not in table.caption


def test_a_name_twice_is_refused_and_a_data_set_stands_for_all_its_experiments(
    evaluated,
):
    with pytest.raises(UsageError, match="waves/perceptron is named twice"):
        compare(Project(evaluated.root), ["waves/perceptron", "waves/perceptron"])
    [alone] = compare(Project(evaluated.root), ["waves"]).tables
    [both] = compare(Project(evaluated.root), ["waves", "waves/perceptron"]).tables
    assert len(both.rows) == len(alone.rows)


def test_a_published_cell_says_what_its_number_is_compared_with():
    rows = claims(Project(REPOSITORY), ["000", "003"]).rows
    texts = " ".join(plain(row["published"]) for row in rows)
    assert re.search(r"below [\d.]+ \(that of zero\)", texts)
    assert "2.2 (times that of perceptron, rounded: 1.6 to 2.8)" in texts


def test_the_best_comes_first_with_the_values_behind_the_texts_and_the_answer(
    evaluated,
):
    (table,) = compare(Project(evaluated.root), ["waves"]).tables
    assert experiments(table)[0] == "noise"
    assert re.fullmatch(
        r"Does recurrence help in untuned networks\? The question is open: "
        r"SimpleRNN.* and perceptron.* are not compared, because there are too few seeds",
        *table.answers,
    )
    cell = next(
        row["test"] for row in table.rows if row["experiment"].value == "perceptron"
    )
    assert len(cell.value["values"]) == 3
    assert plain(cell).count("±") == 1


@pytest.mark.parametrize(
    ("dataset", "network", "opponent", "notes"),
    [
        ("jena_hourly_exact", "tuned_min_gru", "tuned_mlp", []),
        ("jena_hourly_exact", "tuned_gru", "tuned_mlp", ["these two networks"]),
        ("jena_hourly_exact", "gru", "tuned_mlp", ["untuned"]),
        ("weather_96", "gru", "least_squares", ["untuned", "too short"]),
    ],
)
def test_cautions_stand_beside_the_answer_of_two_experiments(
    dataset, network, opponent, notes
):
    pair = [f"{dataset}/{network}", f"{dataset}/{opponent}"]
    shown = compare(Project(REPOSITORY), pair)
    assert shown.as_data()[0]["comparison"]["notes"] == notes
    assert "; ".join(notes) in shown.pair.line
    assert ("Too short: " in shown.tables[0].caption) == ("too short" in notes)


def test_why_two_experiments_are_not_compared_begins_with_the_rows_that_are_too_few():
    evaluation = schema.load(Workspace(REPOSITORY).evaluation("weather"))
    short = evaluation.model_copy(update={"blocks": {"test": 3}})
    pair = Pair(short, "weather/gru", "weather/dense")
    assert pair.comparison is None
    assert pair.unknown == (
        "the test rows are fewer than four weeks, or than four horizons if a horizon is "
        "longer"
    )


def test_a_published_figure_belongs_to_the_options_that_it_was_published_for(
    evaluated, tmp_path
):
    def published():
        (table,) = compare(Project(folder), ["waves"]).tables
        assert table.columns[-1].title == "Published"
        return {row["experiment"].text: row["published"].text for row in table.rows}

    def edit(file, old, new):
        text = (folder / file).read_text()
        assert text.count(old) == 1
        (folder / file).write_text(text.replace(old, new))

    folder = tmp_path / "copy"
    shutil.copytree(evaluated.root, folder)
    outside_git = published()
    assert outside_git["perceptron"] == "1,000 (rounded: 999.5 to 1000.5) does not hold"
    assert outside_git["node"] == ""
    commit(REPOSITORY, folder, "all")
    assert published() == outside_git
    edit("params.yaml", "node: {like: by_hand, seeds: 1", "node: {like: by_hand")
    assert published() == outside_git, "another experiment was edited"
    edit("templates.yaml", "method: by_hand", "method: by_hand, epochs: 3")
    assert published() == outside_git | {"perceptron": ""}
    edit("templates.yaml", "method: by_hand, epochs: 3", "method: by_hand")
    assert published() == outside_git
    edit("params.yaml", "waves: {kind: waves}", "waves: {kind: waves, train: 60}")
    assert published() == dict.fromkeys(outside_git, "")


def test_two_experiments_are_compared_in_a_line_and_in_numbers(evaluated, printed):
    names = ["waves/last_value", "waves/perceptron"]
    shown = compare(Project(evaluated.root), names)
    (table,) = shown.as_data()
    pair = table["comparison"]
    expected = unroll.open(evaluated.root).compare(*names)
    assert [pair["experiment"], pair["against"]] == names
    assert (pair["outcome"], pair["change"]) == (expected.outcome, expected.change)
    assert pair["words"] == str(expected)
    asked = f"Does {names[0]} help, compared with {names[1]}? It hurts: "
    assert f"{asked}{expected.amount}" in printed(shown, terminal=False)
    names = ["waves/node", "waves/perceptron"]
    (table,) = compare(Project(evaluated.root), names).as_data()
    assert table["comparison"]["outcome"] == "open"
    few = "node has fewer than 3 seeds; `seeds: 3` in params.yaml gives more"
    assert table["comparison"]["words"] == f"open, because {few}"
    with pytest.raises(UnrollError, match=f"are not compared, because {few}"):
        unroll.open(evaluated.root).compare(*names)
    assert (
        compare(Project(evaluated.root), ["imdb/rnn", "imdb/majority"])
        .tables[0]
        .stand_in
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["waves/node", "imdb/rnn"], "belong to two data sets"),
        (["waves_nodes", "waves/perceptron"], "waves/node"),
        (["jena/gru"], "not built; .* repro evaluate@jena` builds it"),
    ],
)
def test_what_cannot_be_compared_is_refused(evaluated, names, words):
    with pytest.raises((UsageError, UnrollError), match=words):
        compare(Project(evaluated.root), names)


def test_where_nothing_is_built_there_is_one_line(tmp_path, monkeypatch):
    empty = fake_runs.build(
        tmp_path,
        without={
            "sine_extrapolation",
            "sine_windows",
            "waves",
            "imdb",
            "jena_hourly",
            "jena",
        },
    )
    with pytest.raises(UnrollError, match="nothing is built yet"):
        compare(Project(empty.root), [])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UnrollError, match="nothing is built here; run `unroll demo`"):
        ui(empty, 5000)


@pytest.mark.parametrize("width", [40, 80, 400])
def test_a_narrow_terminal_shows_fewer_columns_and_breaks_no_name(
    evaluated, printed, width
):
    shown = compare(Project(evaluated.root), ["waves"])
    text = printed(shown, terminal=True, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert all(name in text for name in experiments(shown.tables[0]))
    if width == 400:
        (table,) = shown.as_data()
        assert all(
            cell["text"] in text for row in table["rows"] for cell in row.values()
        )
    else:
        before = text.partition("A wider ")[0]
        heading = " ".join(text.split("─")[0].splitlines()[-3:])
        assert "Change" in heading, "the difference stays"
        assert ("Interval" in heading) == (width == 80), "and its interval"
        assert "A wider terminal also shows " in " ".join(text.split())
        assert "Published" in before, "the last column stays, or stands below its row"


def test_a_pipe_has_the_width_that_columns_names(monkeypatch, capsys):
    cells = [["waves/gru", "a remark of many words " * 5]]
    show_table(["Experiment", "Remark"], cells)
    assert max(map(len, capsys.readouterr().out.splitlines())) > 100
    monkeypatch.setenv("COLUMNS", "60")
    show_table(["Experiment", "Remark"], cells)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


@pytest.mark.parametrize("terminal", [True, False])
def test_names_are_not_read_as_markup_and_stand_ins_are_labelled(
    evaluated, printed, terminal
):
    (table,) = compare(Project(evaluated.root), ["imdb"]).tables
    row = {**table.rows[0], "experiment": TableCell("[bold]e[/x]")}
    text = printed(Tables([replace(table, rows=(row,))]), terminal=terminal)
    assert "[bold]e[/x]" in text
    assert "STAND-IN" in text
