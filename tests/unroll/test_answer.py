"""`unroll answer FILE`: the title's question, asked of a file of one's own, in an empty folder."""

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import unroll
from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation import schema
from pipeline.evaluation.verdicts import Lack
from series import plot
from unroll.commands.main import invoke
from unroll.results import answer
from unroll.workspaces import make

DAYS = 120
MODELS = ("last_value", "cycle_7", "ridge", "gru")


def rows(count=DAYS):
    random = np.random.default_rng(0)
    sales = 100 + 10 * np.sin(2 * np.pi * np.arange(count) / 7) + random.normal(size=count)
    return pd.DataFrame({"day": pd.date_range("2024-01-01", periods=count), "sales": sales.round(3)})


@pytest.fixture
def small(monkeypatch):
    """Few models, brief trainings; the rest is as typed."""
    from unroll.add import entries

    usual = entries.entries

    def fewer(name, *arguments):
        sections, comments = usual(name, *arguments)
        experiments = {model: sections["experiments"][name][model] for model in MODELS}
        experiments["gru"]["model"]["units"] = 2
        sections["datasets"][name]["training"] |= {"epochs": 2, "patience": 1}
        sections["forecasts"][name] = {"origins": 30, "refits": 1}
        return sections | {"experiments": {name: experiments}}, comments

    monkeypatch.setattr("unroll.add.add.entries", fewer)


@pytest.mark.usefixtures("small")
def test_one_command_in_an_empty_folder_ends_with_the_answer_and_again_without_a_build(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    rows().to_csv("shop.csv", index=False)
    invoke(["answer", "shop.csv", "--yes", "--lookback", "14", "--jobs", "2"])
    printed = capsys.readouterr().out
    assert "Made shop/ for this series" in printed
    assert "The last 2 weeks compare the models: a verdict takes 12 weeks, so you get what these say." in printed
    sentence = next(line for line in printed.splitlines() if line.startswith(("So far", "Undecided so far")))
    assert "the best recurrent network (GRU(2), 3 seeds)" in sentence
    assert sentence.endswith("Other seasons were not seen.")
    assert "about a year of rows without gaps; this file has 17 weeks, and 2 weeks to compare on.\n" in printed
    assert printed.endswith("\nNext: unroll --root shop predict shop --plot next.png\n")
    workspace = make.own(tmp_path / "shop")
    assert [*params.load(workspace.params).datasets] == ["shop"]
    files = {path.name for path in (workspace.root / "answers" / "shop").iterdir()}
    assert files == {"forecast.csv", "forecast.svg", "weeks.svg", "index.html"}
    page = (workspace.root / "answers" / "shop" / "index.html").read_text(encoding="utf-8")
    assert f"<h1>{sentence}</h1>" in page
    assert page.count("<svg") == 2
    evaluation = schema.load(workspace.evaluation("shop"))
    assert evaluation.experiments["ridge"].final["test"]["mae"].mean > 0

    invoke(["answer", "shop.csv", "--json"])
    again = json.loads(capsys.readouterr().out)
    assert again["answer"] == sentence
    ridge = next(row for row in again["models"] if row["name"] == "ridge")
    assert ridge["mae"] == pytest.approx(evaluation.experiments["ridge"].final["test"]["mae"].mean * 7, rel=0.5)
    assert [row["champion"] for row in again["models"]].count(True) == 1
    assert len(again["forecasts"]) == 7
    assert (again["span"], again["members"]) == ("2 weeks", [])
    assert "of 2 weeks" in sentence
    table = pd.read_parquet(workspace.evaluation("shop") / "tables" / "forecasts.parquet")
    days = table.cutoff.drop_duplicates().sort_values()
    later = table[(table.cutoff >= days.iloc[len(days) // 2]) & (table.model == "ridge")]
    assert (later.y_hat - later.y).abs().mean() == pytest.approx(ridge["mae"]), "as the documentation computes it"
    (in_python,) = unroll.open(workspace.root).answer("shop")
    assert in_python.sentence == sentence
    for flags, message in ((["--horizon", "3"], "--horizon 7"), (["--target", "profit"], "--target sales")):
        with pytest.raises(UsageError, match=f"shop was added with {message}; --name with a new one asks another"):
            invoke(["answer", "shop.csv", *flags])
    monkeypatch.chdir(workspace.root)
    for command, words in (("answer", "shop:"), ("compare", "help?"), ("compare shop", "help?")):
        invoke(command.split())
        assert f"{words} {sentence}" in capsys.readouterr().out
    invoke(["compare", "shop/ridge", "--json"])
    (table,) = json.loads(capsys.readouterr().out)
    assert [row["mae"]["value"] for row in table["rows"]] == [ridge["mae"]]


def test_a_file_that_cannot_be_added_leaves_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows().to_csv("sales.csv", index=False)
    with pytest.raises(UsageError, match="--future"):
        invoke(["answer", "sales.csv", "--yes", "--future", "price"])
    assert [path.name for path in tmp_path.iterdir()] == ["sales.csv"]
    assert "Made" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        (
            [Lack("weeks", 51, 13), Lack("seeds", 12, 3)],
            "Set forecasts.shop.origins: 714 and datasets.shop.seeds: 12 in params.yaml, and ask again; about 3.9",
        ),
        ([Lack("seeds", 6, 3)], "Set datasets.shop.seeds: 6 in params.yaml, and ask again."),
        ([], ""),
    ],
)
def test_what_would_decide_is_told_as_settings(lacks, words):
    config = SimpleNamespace(forecast=lambda _: SimpleNamespace(origins=182))
    hint = answer.settings(config, "shop", lacks, 182 / 91, 365)
    assert hint.removesuffix(" years of rows are needed, and this file has 1.0.") == words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "there is no params.yaml here; name a file, such as `unroll answer"),
        ("meter.csv", "meter.csv is not there; name a CSV or Parquet file"),
        (".", r"\. is a folder; name a CSV or Parquet file"),
        ("meter.csv --level 90", "the level must be 0.5 to 0.99"),
    ],
)
def test_what_cannot_be_answered_gets_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        invoke(["answer", *arguments.split()])
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("network_leads", "words"),
    [
        ((0, 0, 0), "So far no: ridge was ahead of GRU in 3 of 3 weeks"),
        ((1, 1, 1), "So far yes: GRU was ahead of ridge in 3 of 3 weeks"),
        ((0, 1, 0), "Undecided so far: ridge was ahead of GRU in 2 of 3 weeks"),
        ((1,), "So far yes: GRU was ahead of ridge over the last 4 days"),
    ],
)
def test_few_weeks_are_graded_by_who_was_ahead_in_them(network_leads, words):
    assert answer.so_far(network_leads, "GRU", "ridge", "weeks", "4 days") == words


def test_models_that_are_no_worse_than_those_compared_are_named():
    maes = {"gru": 5.0, "ridge": 5.5, "ets": 4.0, "last_value": 5.04, "lstm": 3.0, "mlp": 6.0, "weighted_median": 4.5}
    models = [answer.ModelScore(name, name, mae, None, None, None, None, champion=False) for name, mae in maes.items()]
    entries = {name: SimpleNamespace(recurrent=name in {"gru", "lstm"}) for name in maes}
    hint = partial(answer.as_good_as, models, SimpleNamespace(experiments=entries))
    others = "ets (4), last_value (5.04), weighted_median (4.5)."
    assert hint({"gru", "ridge"}) == f"No worse there (5), but not the best before: {others}"
    assert hint({"lstm", "ets"}) == ""


def test_what_was_not_measured_is_not_drawn(tmp_path, monkeypatch):
    usual, drawn = Axes.plot, []
    monkeypatch.setattr(Axes, "plot", lambda axes, x, y, **keys: drawn.append([*y]) or usual(axes, x, y, **keys))
    days = pd.date_range("2024-01-01", periods=5)
    forecast = pd.DataFrame({"stamp": days[3:], "forecast": [4.0, 5.0], "low": [3.0, 4.0], "high": [5.0, 6.0]})
    measured = np.array([1, np.nan, 3])
    plot.write(tmp_path / "next.svg", days[:3], measured, forecast, label="sales", title="shop")
    assert drawn == [[1.0, 3.0], [4.0, 5.0]]


def test_a_single_week_has_a_whole_number(tmp_path):
    errors = pd.DataFrame({"gru": [2.0], "ridge": [1.0]}, pd.Index([1], name="weeks"))
    plot.by_week(tmp_path / "weeks.svg", errors, {"gru": "GRU", "ridge": "ridge"}, unit="")
    drawn = (tmp_path / "weeks.svg").read_text(encoding="utf-8")
    assert "<!-- 1 -->" in drawn
    assert "<!-- 0.99" not in drawn
    assert "<!-- 1.0" not in drawn.partition("matplotlib.axis_2")[0]


@pytest.mark.parametrize(
    ("first", "last", "origins", "weeks", "months", "words"),
    [
        ("2024-03-16", "2024-03-23", 8, 0, 0, "4 days"),
        ("2023-07-01", "2023-12-30", 182, 13, 0, "13 weeks"),
        ("2019-01-01", "2022-12-01", 48, 104, 1, "24 months"),
        ("2000-01-01", "2011-01-01", 12, 313, 12, "6 years"),
    ],
)
def test_what_compares_is_said_in_the_file_s_own_unit(first, last, origins, weeks, months, words):
    ends = np.datetime64(first), np.datetime64(last)
    assert answer.later_half(*ends, origins, weeks, months) == words
