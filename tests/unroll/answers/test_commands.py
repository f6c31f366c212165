"""A file of one's own by the commands: answered, forecast, compared, judged again; with few
and quick models."""

import contextlib
import functools
import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import unroll
from pipeline.errors import UnrollError, UsageError
from unroll.commands.main import invoke
from unroll.series import saved, user_data
from unroll.series.reading import detect

DAYS = 120
MODELS = ("last_value", "cycle_7", "ridge", "gru")


@contextlib.contextmanager
def quickly():
    """Networks of one seed, and models that are fitted in this process."""
    here = functools.partial(unroll.answer, in_process=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unroll.series.candidates.SEEDS", (0,))
        patch.setattr("unroll.answers.answering.answer_series", here)
        yield


def answered(folder, name, rows, *flags):
    """What `unroll answer` prints in a folder with the file of these rows."""
    rows.to_csv(folder / f"{name}.csv", index=False)
    with quickly():
        words = ["answer", f"{name}.csv", "--yes", *flags]
        if "--no-networks" not in flags:
            words += ["--models", "gru"]
        return printed(folder, *words, "--models", "ridge")


def printed(folder, *words):
    """What a command prints in a folder, on standard output."""
    output = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output):
        invoke([str(word) for word in words])
    return output.getvalue()


def sales(count=DAYS):
    random = np.random.default_rng(0)
    values = (
        100 + 10 * np.sin(2 * np.pi * np.arange(count) / 7) + random.normal(size=count)
    )
    return pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=count), "sales": values.round(3)}
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder in which a file was answered, and what was printed."""
    folder = tmp_path_factory.mktemp("shop")
    return folder, answered(folder, "shop", sales(), "--lookback", "14")


def test_one_command_in_an_empty_folder_ends_with_the_answer_and_again_at_once(
    shop, monkeypatch
):
    folder, text = shop
    assert text.startswith(
        "Reading shop.csv ...\ntext      utf-8, columns divided by ','"
    )
    assert text.endswith(
        "\nshop/ holds the rows, too: who is sent the folder gets them.\n"
        "Next: unroll predict shop\n"
    )
    sent = folder / "shop" / "rows_1.csv"
    assert sent.read_bytes() == (folder / "shop.csv").read_bytes()
    answer = unroll.load(folder / "shop")
    assert f"\nshop: {answer.sentence}\n" in text
    assert {path.name for path in folder.iterdir()} - {".unroll"} == {
        "shop.csv",
        "shop",
    }
    files = {"forecast.csv", "forecast.svg", "weeks.svg", "index.html"}
    assert {path.name for path in (folder / "shop").iterdir()} >= {
        *files,
        "answer.json",
        "forecasts.parquet",
    }
    page = (folder / "shop" / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3, "the forecast, the weeks, and why"

    monkeypatch.setattr("unroll.answers.answering.answer_series", None)
    again = printed(folder, "answer", "shop.csv").splitlines()
    assert again[1] == "shop/ has this answer already, made here or sent by somebody."
    assert again[2:] == text[text.index("\nshop: ") + 1 :].splitlines()
    data = json.loads(printed(folder, "answer", "shop.csv", "--json"))
    assert data["answer"] == answer.sentence
    assert {model["model"] for model in data["models"]} == {*MODELS}
    forecast = pd.read_csv(io.StringIO(printed(folder, "answer", "shop.csv", "--csv")))
    assert forecast.to_dict("records") == data["forecasts"]
    assert [*forecast] == ["unique_id", "ds", "y_hat", "lo-90", "hi-90"]


def test_a_folder_that_was_sent_forecasts_from_its_own_rows_and_says_so(
    shop, tmp_path, capsys
):
    there = printed(shop[0], "predict", "shop", "--csv")
    shutil.copytree(shop[0] / "shop", tmp_path / "sent" / "shop")
    capsys.readouterr()
    assert printed(tmp_path / "sent", "predict", "shop", "--csv") == there
    line = capsys.readouterr().err
    assert line.count("shop.csv is not there; its rows are those that shop/ holds") == 1
    again = printed(tmp_path / "sent", "answer", "shop")
    assert "shop/ has this answer already, made here or sent by somebody" in again
    with quickly():
        printed(
            tmp_path / "sent",
            "answer",
            "shop",
            "--name",
            "b",
            "--models",
            "ridge",
            "--yes",
        )
    assert printed(tmp_path / "sent", "predict", "b", "--csv").count("\n") == 8


def test_a_page_is_drawn_and_printed_without_reading_anything_twice(
    tmp_path, monkeypatch
):
    read = []
    usual = user_data.file_rows.read
    for module in (user_data.file_rows, detect.file_rows):
        monkeypatch.setattr(
            module, "read", lambda *given: read.append(given) or usual(*given)
        )
    for function in ("load", "rows_of"):
        monkeypatch.setattr(saved, function, None)
    answered(tmp_path, "shop", sales(), "--no-networks", "--xlsx", "next.xlsx")
    assert len(read) == 1
    assert (tmp_path / "shop" / "index.html").is_file()
    assert (tmp_path / "next.xlsx").is_file()


def test_an_answer_to_another_question_stays(shop, tmp_path):
    shutil.copytree(shop[0], tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "shop" / "answer.json").read_bytes()
    message = r"shop holds the answer for sales, 7 rows ahead\. Asked was sales, 3 rows ahead; pass --name with"
    for name in ("shop.csv", "shop"):
        with pytest.raises(UsageError, match=message):
            printed(tmp_path, "answer", name, "--horizon", "3", "--yes")
    message = r"shop holds the answer for the median\. Asked was the mean; pass --name"
    with pytest.raises(UsageError, match=message):
        printed(tmp_path, "answer", "shop", "--objective", "mean", "--yes")
    assert (tmp_path / "shop" / "answer.json").read_bytes() == before
    quick = ("--models", "ridge", "--no-networks", "--yes")
    with quickly():
        printed(tmp_path, "answer", "shop", "--name", "b", "--horizon", "3", *quick)
        printed(tmp_path, "answer", "shop", "--horizon", "7d", *quick)
    assert unroll.load(tmp_path / "b").rows_ahead == 3
    answer = unroll.load(tmp_path / "shop")
    assert "gru" not in answer.board.models, "the same question has other models"
    with pytest.raises(UsageError, match="3 rows ahead. .* pass replace_other=True"):
        answer.save(tmp_path / "b")
    answer.save(tmp_path / "b", replace_other=True)
    assert unroll.load(tmp_path / "b").rows_ahead == 7


def test_what_comes_next_is_forecast_further_and_from_new_rows(shop, tmp_path):
    folder, _ = shop
    forecast = pd.read_csv(folder / "shop" / "forecast.csv")
    same = pd.read_csv(
        io.StringIO(printed(folder, "predict", "shop", "--csv", "--level", "0.8"))
    )
    pd.testing.assert_frame_equal(same, forecast[[*same]])
    picture = tmp_path / "next.png"
    text = printed(folder, "predict", "shop/", "--horizon", "10", "--plot", picture)
    assert "After 2024-04-29, in shop.csv:" in text
    assert "From step 8 on, each forecast is made from the forecasts before it." in text
    assert text.count("\n2024-05-") == 9
    assert picture.read_bytes().startswith(b"\x89PNG")
    sales(DAYS + 2).to_csv(tmp_path / "new.csv", index=False)
    data = json.loads(
        printed(folder, "predict", "shop", "--data", tmp_path / "new.csv", "--json")
    )
    assert (data["origin"], data["forecasts"][0]["ds"]) == ("2024-05-01", "2024-05-02")


def test_a_buyer_gets_sums_and_orders_and_a_workbook(tmp_path, capsys):
    families = {"P0": "food", "P1": "food", "P2": "toys"}
    frames = []
    for number, (name, family) in enumerate(families.items()):
        rows = sales().assign(unique_id=name, family=family)
        frames.append(rows.assign(sales=(rows["sales"] + 10 * number).round()))
    rows = pd.concat(frames)
    wrong = rows.assign(family=["toys", *rows["family"][1:]])
    flags = ("--no-networks", "--by", "family", "--service-level", "95")
    message = "family of the series P0 is 'toys' and 'food'; a column of --by needs"
    with pytest.raises(UnrollError, match=message):
        answered(tmp_path, "wrong", wrong, *flags)
    text = answered(tmp_path, "shop", rows, *flags, "--xlsx", "order.xlsx")
    assert "\nFamily  Timestamp   Forecast  Low 90 %  High 90 %  Order 95 %\n" in text
    assert "\ntotal   2024-04-30" in text
    names = ["About", "Forecast", "Total", "Family", "What to order 95 %", "Last month"]
    assert [*pd.read_excel(tmp_path / "order.xlsx", sheet_name=None)] == names
    sums = pd.read_csv(
        io.StringIO(printed(tmp_path, "predict", "shop", "--csv", *flags[1:]))
    )
    columns = ["family", "ds", "y_hat", "lo-90", "hi-90", "order-95", "series"]
    assert [*sums.columns] == columns
    assert sums["family"].unique().tolist() == ["total", "food", "toys"]
    capsys.readouterr()
    drawn = ("--plot", "next.png", "--xlsx", "next.xlsx")
    text = printed(tmp_path, "predict", "shop", "--service-level", "95", *drawn)
    assert "\nTimestamp    Sum of forecasts  Sum of orders 95 %\n" in text
    assert "next.xlsx is written; a plot shows one series" in capsys.readouterr().err
    assert (tmp_path / "next.xlsx").is_file()


def test_two_models_of_an_answer_are_compared_by_its_rule(shop):
    folder, _ = shop
    answer = unroll.load(folder / "shop")
    text = printed(folder, "compare", "shop")
    assert text.startswith(f"shop: {answer.sentence}\n")
    assert text == printed(folder, "compare")
    judgement = json.loads(
        printed(folder, "compare", "shop/ridge", "shop/last_value", "--json")
    )
    assert judgement["change"] < -0.5
    titles = {
        answer.models.set_index("model")["title"][name]
        for name in ("ridge", "last_value")
    }
    assert {judgement["model"], judgement["champion"]} == titles
    assert (
        printed(folder, "compare", "shop/ridge", "shop/last_value")
        == f"{judgement['sentence']}\n"
    )


def test_an_answer_is_listed_and_compared(shop, tmp_path, capsys):
    folder, _ = shop
    answer = unroll.load(folder / "shop")
    assert printed(folder, "list").startswith(f"shop: {answer.sentence}\n")
    shutil.copytree(folder / "shop", tmp_path / "moved")
    [listed] = json.loads(printed(tmp_path, "list", "moved", "--json"))
    assert (listed["name"], listed["folder"]) == ("shop", "moved")
    assert (listed["answer"], listed["target"]) == (answer.sentence, "sales")
    shutil.copytree(tmp_path / "moved", tmp_path / "damaged")
    (tmp_path / "damaged" / "forecaster.npz").write_bytes(b"")
    assert printed(tmp_path, "list").startswith(f"moved: {answer.sentence}\n")
    assert "damaged/forecaster.npz has another SHA-256" in capsys.readouterr().err
    with pytest.raises(UnrollError, match="has another SHA-256"):
        printed(tmp_path, "list", "damaged")
    shutil.copytree(folder / "shop", tmp_path / "same")
    told = "models of two answers are not compared; `unroll compare moved same`"
    with pytest.raises(UsageError, match=told):
        printed(tmp_path, "compare", "moved/ridge", "same/ridge")
    pair = printed(tmp_path, "compare", "moved", "same")
    *_, verdict = pair.splitlines()
    assert pair.count(f"shop: {answer.sentence}\n") == 2
    assert " of shop had less error than the value 7 " in verdict
    compared = json.loads(printed(tmp_path, "compare", "moved", "same", "--json"))
    assert compared[0]["comparison"] == verdict
    facts = printed(folder, "show", "shop").splitlines()
    assert "  files: ../shop.csv" in facts
    assert "    lookback: 14" in facts


def test_what_somebody_else_asked_is_read_by_a_schema_and_no_link_is_followed(
    shop, tmp_path
):
    folder, _ = shop
    shutil.copytree(folder / "shop", tmp_path / "theirs")
    answer = tmp_path / "theirs" / "answer.json"
    found = json.loads(answer.read_text())
    answer.write_text(json.dumps(found | {"asked": []}))
    with pytest.raises(UnrollError, match=r"answer.json is damaged \(asked must be"):
        printed(tmp_path, "answer", "theirs")
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    answer.unlink()
    answer.symlink_to(tmp_path / "secret.json")
    with pytest.raises(UnrollError, match=r"answer.json is a link"):
        printed(tmp_path, "answer", "theirs")


def test_a_longer_forecast_says_that_its_intervals_were_not_tested(shop, capsys):
    folder, _ = shop
    longer = ("predict", "shop", "--horizon", "10")
    note = json.loads(printed(folder, *longer, "--json"))["note"]
    assert note.startswith("From step 8 on, ")
    assert note.endswith("they were not tested.")
    capsys.readouterr()
    assert printed(folder, *longer, "--csv").startswith("unique_id,ds,")
    assert note in capsys.readouterr().err


def test_new_rows_are_told_and_judged(shop, tmp_path, capsys):
    shutil.copytree(shop[0], tmp_path, dirs_exist_ok=True)
    sales(DAYS + 20).to_csv(tmp_path / "shop.csv", index=False)
    assert "After 2024-05-19" in printed(tmp_path, "predict", "shop")
    told = "hint: 17 % more rows have come since the answer; `unroll answer shop` judges the models on them, too"
    assert told in capsys.readouterr().err
    with quickly():
        assert "\n2024-05-20" in printed(tmp_path, "answer", "shop")
    printed(tmp_path, "predict", "shop")
    assert "hint" not in capsys.readouterr().err
    assert unroll.load(tmp_path / "shop").forecaster.fitted.windows.lookback == 14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("predict shop --data none.csv", "none.csv is not there"),
        ("predict shop --data .", ". is a folder; name a CSV, Parquet or .xlsx file"),
        ("predict shop --level 0.905", "the level must be 0.01 to 0.99"),
        ("predict shop --csv --json", "pass --csv or --json, not both"),
        ("predict shop --series a --series b", "name one --series"),
        ("predict shop --series a", "shop is one series; leave it out"),
        ("predict shop --horizon 5000", "horizon must be .*, 1 to 700, "),
        ("predict shop --horizon 36h", "a timestep is a day. Received: '36h'"),
        ("predict shop --plot next.docx", "--plot must name a .png, .svg or .pdf file"),
        (
            "predict shops",
            "'shops' is no answer here, nor in params.yaml. Did you mean shop?",
        ),
        ("predict shop --by family", "--by adds up several series, and here is one"),
        ("predict shop --by family --why", "leave --series and --why out"),
        ("predict shop --service-level 100", "--service-level must lie above 0 and"),
        ("predict shop --service-level 0.95", "--service-level is in percent: 95, not"),
        ("predict shop --xlsx next.xls", "--xlsx must name a .xlsx file"),
        ("predict shop --xlsx next.xlsx --why --model ridge", "leave --why out"),
        (
            "compare shop/rige shop/gru",
            "the model of shop must be one of: cycle_7, gru, last_value",
        ),
        ("compare shop/ridge", "`unroll compare shop/ridge shop/OTHER`"),
        ("tune shop/gru", "shop is the answer for a series of yours; the options"),
        ("show shop/gru", "`unroll compare shop` shows its models"),
        (
            "register shops",
            "'shops' is no answer here, nor in params.yaml. Did you mean shop?",
        ),
    ],
)
def test_what_cannot_be_done_gets_one_line(shop, arguments, message):
    with pytest.raises(UsageError, match=message):
        printed(shop[0], *arguments.split())


def shops():
    """Two shops of different size."""
    parts = [
        sales().assign(shop=name, sales=sales()["sales"] * factor)
        for name, factor in (("a", 1), ("b", 9))
    ]
    return pd.concat(parts)


def test_of_several_series_each_one_has_its_forecast(tmp_path):
    late = shops().query("shop == 'a'").tail(9).assign(shop="late")
    text = answered(tmp_path, "shops", pd.concat([shops(), late]), "--no-networks")
    assert "series    3, by shop: a, b, late" in text
    about = json.loads((tmp_path / "shops" / "answer.json").read_text("utf-8"))
    assert about["series_left_out"] == {}
    table = pd.read_csv(io.StringIO(printed(tmp_path, "predict", "shops", "--csv")))
    assert table.groupby("unique_id")["ds"].first().to_dict() == {
        "a": "2024-04-30",
        "b": "2024-04-30",
        "late": "2024-04-30",
    }
    late = printed(tmp_path, "predict", "shops", "--series", "late")
    forecaster = unroll.load(tmp_path / "shops").forecaster
    assert late.startswith(f"shops: {forecaster.why}\n")
    assert not (tmp_path / "shops" / "forecast.svg").exists()
    text = printed(
        tmp_path, "predict", "shops", "--series", "b", "--plot", tmp_path / "b.svg"
    )
    assert text.count("\n2024-") == 7
    for arguments, message in (
        (["--series", "c"], "--series must be one of: a, b, late"),
        (
            ["--plot", "all.svg"],
            "a plot shows one series, and there are 3; pass --series, such as --series a",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            printed(tmp_path, "predict", "shops", *arguments)


def test_what_is_known_beforehand_is_asked_for(tmp_path, capsys):
    every = sales(DAYS + 7)
    every["price"] = (3 + np.sin(np.arange(DAYS + 7) ** 2)).round(3)
    every["sales"] -= 10 * every["price"]
    known = ("--target", "sales", "--future", "price", "--no-networks")
    text = answered(tmp_path, "shop", every[:DAYS], *known)
    assert "No forecast yet: price must be known beforehand" in text, (
        "the answer stands"
    )
    assert text.endswith("Next: unroll predict shop --future FILE\n")
    cure = "Add the rows to come to the file, with an empty target, and"
    assert f"{cure} `unroll answer shop` draws it.\n\nFiles: shop/index.html\n" in text
    page = (tmp_path / "shop" / "index.html").read_text()
    assert "There is no forecast yet: price must be known beforehand" in page
    measured = (
        "own values of price; if these were measured, and you will have forecasts"
    )
    assert measured in text
    assert measured in page
    assert "column sales: which model forecasts it best?</title>" in page
    assert f"{cure} <code>unroll answer NAME</code> draws it here" in page
    every[DAYS:][["day", "price"]].to_csv(tmp_path / "plan.csv", index=False)
    table = pd.read_csv(
        io.StringIO(
            printed(tmp_path, "predict", "shop", "--csv", "--future", "plan.csv")
        )
    )
    assert np.corrcoef(table["y_hat"], every["sales"][DAYS:])[0, 1] > 0.9, (
        "by the prices of these days"
    )
    told = f"hint: shop/index.html has no forecast. {cure} `unroll answer shop` draws"
    assert told in capsys.readouterr().err
    further = ("predict", "shop", "--future", "plan.csv", "--horizon", "8")
    with pytest.raises(
        UnrollError,
        match="for a horizon of 7 timesteps, .* pass a --horizon of at most",
    ):
        printed(tmp_path, *further)
    assert json.loads(printed(tmp_path, "answer", "shop", "--json"))["forecasts"] == []
