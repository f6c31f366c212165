"""`unroll answer FILE`: the title's question, asked of a file of one's own, in an empty folder."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation import schema
from unroll import answer
from unroll.commands.main import invoke
from unroll.workspaces import own

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
        kept = {key: one for key, one in sections["experiments"].items() if key.removeprefix(f"{name}_") in MODELS}
        kept[f"{name}_gru"]["model"]["units"] = 2
        sections["datasets"][name]["training"] |= {"epochs": 2, "patience": 1}
        sections["forecasts"][name] = {"origins": 30, "refits": 1}
        return sections | {"experiments": kept}, comments

    monkeypatch.setattr("unroll.add.add.entries", fewer)


@pytest.mark.usefixtures("small")
def test_one_command_in_an_empty_folder_ends_with_the_answer_and_again_without_a_build(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    rows().to_csv("shop.csv", index=False)
    invoke(["answer", "shop.csv", "--yes", "--lookback", "14", "--jobs", "2"])
    said = capsys.readouterr().out
    assert "Made shop/ for this series" in said
    assert "30 origins, each model fitted 1 times; 2 weeks to compare on: a verdict wants 12" in said
    sentence = next(line for line in said.splitlines() if line.startswith(("So far", "Undecided so far")))
    assert "the best recurrent network, GRU(2) (3 seeds), has" in sentence
    assert sentence.endswith("Other seasons were not seen.")
    workspace = own.lay_out(tmp_path / "shop")
    assert [*params.load(workspace.params).datasets] == ["shop"]
    files = {path.name for path in (workspace.root / "answers" / "shop").iterdir()}
    assert files == {"forecast.csv", "forecast.svg", "weeks.svg", "index.html"}
    page = (workspace.root / "answers" / "shop" / "index.html").read_text(encoding="utf-8")
    assert f"<h1>{sentence}</h1>" in page
    assert page.count("<svg") == 2
    evaluation = schema.load(workspace.evaluation("shop"))
    assert evaluation.experiments["shop_ridge"].final["test"]["mae"].mean > 0

    invoke(["answer", "shop.csv", "--json"])
    again = json.loads(capsys.readouterr().out)
    assert again["answer"] == sentence
    ridge = next(row for row in again["models"] if row["name"] == "shop_ridge")
    assert ridge["mae"] == pytest.approx(evaluation.experiments["shop_ridge"].final["test"]["mae"].mean * 7, rel=0.5)
    assert [row["champion"] for row in again["models"]].count(True) == 1
    assert len(again["forecasts"]) == 7
    monkeypatch.chdir(workspace.root)
    invoke(["answer"])
    assert f"shop: {sentence}" in capsys.readouterr().out


def test_what_cannot_be_answered_gets_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no params.yaml here; name a file, such as `unroll answer"):
        invoke(["answer"])
    with pytest.raises(UsageError, match="meter.csv is not there; name a CSV or Parquet file"):
        invoke(["answer", "meter.csv"])
    with pytest.raises(UsageError, match="the level must be 0.5 to 0.99"):
        invoke(["answer", "meter.csv", "--level", "90"])
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        ((0, 0, 0), "So far no: ridge was ahead in 3 of 3 weeks"),
        ((1, 1, 1), "So far yes: GRU was ahead in 3 of 3 weeks"),
        ((0, 1, 0), "Undecided so far: ridge was ahead in 2 of 3 weeks"),
    ],
)
def test_few_weeks_are_graded_by_who_was_ahead_in_them(ahead, words, monkeypatch):
    errors = pd.DataFrame({"gru": [1.0 - 0.5 * won for won in ahead], "ridge": 0.8})
    monkeypatch.setattr(answer, "by_week", lambda *_: errors)
    compared = answer.answers.Answer("all", "gru", "ridge")
    about = type("Evaluation", (), {"dataset": type("About", (), {"name": "x", "weeks": 3})})
    sentence, _ = answer._so_far(None, about, compared, {"gru": "GRU", "ridge": "ridge"}, "9 % more")
    assert sentence.startswith(words)
    assert "the best recurrent network, GRU, has 9 % more error than ridge there" in sentence
