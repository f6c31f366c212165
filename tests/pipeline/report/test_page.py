import dataclasses
import html.parser
import re

import pytest
from pipeline.report.dataset_tables import dataset_tables

from pipeline.config import params
from pipeline.data.dataset import Scale
from pipeline.errors import UnrollError
from pipeline.evaluation import answers
from pipeline.evaluation.outcome import Outcome
from pipeline.report.charts import Answer
from pipeline.report.formatting import DASH
from pipeline.report.page import page, sentence
from pipeline.report.results import load

YES, NO, UNSURE = Outcome.YES, Outcome.NO, Outcome.UNSURE
VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}


@pytest.fixture(scope="module")
def workspace(evaluated):
    folder = evaluated.scratch / "failures"
    folder.mkdir(parents=True, exist_ok=True)
    text = f"jena: <script>alert(1)</script> in {evaluated.root}/data cannot be read;\ntry again"
    (folder / "source@jena.txt").write_text(text, encoding="utf-8")
    yield evaluated
    (folder / "source@jena.txt").unlink()


@pytest.fixture
def edit():
    """Write another text into a file, for one test."""
    before = {}

    def edit(path, old, new):
        before[path] = path.read_text(encoding="utf-8") if path.exists() else None
        text = (before[path] or "").replace(old, new, 1)
        assert text != before[path]
        path.write_text(text or new, encoding="utf-8")

    yield edit
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")


def read(workspace):
    return load(workspace, params.load(workspace.params))


def named(results, name):
    return next(one for one in results.built if one.name == name)


def only(results, name, **other):
    """The page of one data set: its plots take less time to draw than all of them."""
    return page(dataclasses.replace(results, **{"built": [named(results, name)]} | other))


@pytest.fixture(scope="module")
def results(workspace):
    return read(workspace)


@pytest.fixture(scope="module")
def text(results):
    return page(results)


class Checker(html.parser.HTMLParser):
    """Collects tags and texts, and fails on an element that is not closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_well_formed_asks_nobody_for_anything_and_can_be_read_aloud(text, workspace):
    found = Checker(text)
    ids = [value for _, key, value in found.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    links = [value for _, key, value in found.attributes if key in {"href", "xlink:href"}]
    assert {link.removeprefix("#") for link in [*links, *re.findall(r"url\(([^)]*)\)", text)]} <= {*ids}
    assert all(link.startswith("#") for link in links)
    assert found.tags.count("script") == found.tags.count("style") == 1
    assert not {"link", "iframe", "object", "img", "image", "foreignobject"} & set(found.tags)
    assert not [key for _, key, _ in found.attributes if key.startswith("on") or key == "src"]
    assert not re.search("@import|https?://", text)
    assert "default-src 'none'; script-src 'sha256-" in text
    assert str(workspace.root) not in text
    assert found.tags.count("svg") == found.attributes.count(("svg", "role", "img")) > 10
    assert text.count("<title>") == found.tags.count("svg") + 1
    assert found.tags.count("caption") == found.tags.count("table")
    assert found.attributes.count(("th", "scope", "row")) > 10


def section(text, name):
    return re.search(rf'<section id="{name}" .*?</section>', text, re.DOTALL).group()


def test_hostile_texts_are_shown_not_run(results):
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\x1b[2J\x85"
    words = dict.fromkeys(("words", "note", "document"), evil)
    verdicts = [dataclasses.replace(one, claim=one.claim.model_copy(update=words)) for one in results.verdicts]
    one = named(results, "waves")
    about = {"facts": {evil: [evil, {evil: evil}]}, "floors": {evil: 1.0}, "scale": Scale(unit=evil, quantity=evil)}
    evaluation = one.evaluation.model_copy(update={"dataset": one.about.model_copy(update=about)})
    built = [dataclasses.replace(one, evaluation=evaluation)]
    text = only(results, "waves", built=built, verdicts=verdicts, scaled=evil)
    assert "<code>source@jena</code> failed: jena: &lt;script&gt;alert(1)&lt;/script&gt; in data cannot" in text
    found = Checker(text)
    assert (found.tags.count("script"), found.tags.count("img")) == (1, 0)
    assert any("<script>" in each for each in found.texts)
    assert {character for character in text if not character.isprintable()} == {"\n"}


def test_figures_of_an_earlier_build_say_so(workspace, text, edit):
    edit(workspace.scratch / "failures" / "train@waves_node.txt", "", "unroll: no room left\n")
    results = read(workspace)
    assert [one.name for one in results.built if one.stale] == ["waves"]
    shown = only(results, "waves")
    assert "<b>Of an earlier build.</b> train@waves_node failed: unroll: no room left" in shown
    assert shown.count("Of an earlier build.") == 2
    assert "Of an earlier build." not in text


def test_every_table_plot_and_row_of_a_stand_in_is_labelled_and_nothing_else_is(results, text):
    imdb = section(text, "imdb")
    captions = re.findall(r"<caption>.*?</caption>|<figcaption>.*?</figcaption>|<h2>.*?</h2>", imdb)
    assert len(captions) >= 5
    assert all(">stand-in<" in caption for caption in captions)
    rows = re.findall(r'<th scope="row">.*?</th>', imdb, re.DOTALL)
    assert len(rows) == 3 + 2, "of all figures and, but for a summary, of the ranking"
    assert all("stand-in" in row for row in rows)
    assert "Stand-in data." in text
    assert "stand-in" not in section(text, "waves")
    assert "Stand-in data." not in only(results, "waves", built=[])


def test_a_scaled_workspace_says_so_first(workspace, edit):
    edit(workspace.scratch / "scaled.txt", "", "At most 3 epochs.\n")
    results = read(workspace)
    assert {verdict.outcome for verdict in results.verdicts} == {"scaled down", "stand-in", "not built"}
    assert "<b>Scaled down.</b> At most 3 epochs." in only(results, "waves", built=[])


def test_an_experiment_that_params_yaml_no_longer_has_is_nowhere(workspace, edit):
    text = workspace.params.read_text(encoding="utf-8")
    edit(workspace.params, re.search(r"  imdb_rnn:\n.*\n", text).group(), "")
    results = read(workspace)
    shown = only(results, "imdb")
    assert "imdb_rnn" not in shown.replace("_<wbr>", "_")
    assert results.unused == 1
    assert "1 more in claims.yaml is of experiments" in shown


@pytest.mark.parametrize(("path", "column"), [("tables/predictions.csv", "truth"), ("history.csv", "epoch")])
def test_a_damaged_table_is_named(workspace, edit, path, column):
    edit(workspace.evaluation("waves") / path, column, "other")
    with pytest.raises(UnrollError, match=rf"{path.rpartition('/')[2]} is damaged \(it has no column {column}"):
        only(read(workspace), "waves")


def table_of(results, name, place=0):
    table = dataset_tables(results, named(results, name))[place]
    return {row["experiment"].text: row for row in table.rows}, table


def test_others_are_compared_with_the_strongest_that_has_no_recurrence(results):
    (rows, table), one = table_of(results, "waves"), named(results, "waves")
    scores = {name: entry.chosen["validation"] for name, entry in one.experiments.items() if not entry.recurrent}
    strongest = min(scores, key=lambda name: scores[name]["mse"].mean)
    assert strongest == answers.answer(one.evaluation).opponent == "waves_perceptron"
    assert f"without recurrence is {strongest}, chosen" in table.caption
    assert rows[strongest]["against"].text == DASH
    found = rows["waves_last_value"]["against"]
    assert found.value["mean"] == one.evaluation.difference("test", "waves_last_value", strongest).mean
    assert found.text.endswith(("better", "worse", "cannot tell"))


def test_units_floors_published_figures_parts_and_the_free_run_have_their_columns_and_rows(results):
    rows, table = table_of(results, "jena_hourly")
    assert "Test MAE in °C" in [column.title for column in table.columns]
    assert rows["jena_hourly_gru"]["unit"].text.endswith("°C")
    rows, table = table_of(results, "waves")
    assert "unit" not in [column.key for column in table.columns]
    assert rows["noise variance"]["test"].text == "8.33e-4"
    assert table.kinds == ("floor", "", "", "baseline")
    (mark,) = rows["waves_perceptron"]["published"].marks
    assert (mark.text, mark.tone) == ("1,000", "does not hold")
    rows, _ = table_of(results, "sine_extrapolation", 1)
    assert rows["sine_extrapolation_dense"]["group_inside"].value["values"]
    rows, _ = table_of(results, "sine_windows", 1)
    assert 0 < rows["sine_windows_lstm"]["horizon"].value["mean"] <= 200
    rows, _ = table_of(results, "imdb")
    assert rows["imdb_summary"]["parameters"].value > 0
    assert {rows["imdb_summary"][key].text for key in ("validation", "test", "against")} == {DASH}


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([YES] * 4 + [NO] * 7 + [UNSURE] * 3, "helps on 4 of 14 questions, not on 7; on 3 we cannot tell"),
        ([YES, Outcome.NOT_ASKED], "helps on 1 of 1 question"),
        ([UNSURE, UNSURE], "helps on none of 2 questions; on 2 we cannot tell"),
        ([Outcome.STAND_IN], "No figure here is a result"),
        ([], "Nothing is built yet"),
    ],
)
def test_all_answers_in_one_sentence(outcomes, words):
    assert sentence([asked(outcome) for outcome in outcomes]).endswith(words)


def test_tuned_networks_are_counted_apart():
    answers = [asked(YES), asked(NO), asked(NO), asked(YES, "tuned networks"), asked(UNSURE, "tuned networks")]
    assert sentence(answers).endswith("helps on 1 of 3 questions, not on 2; tuned, on 1 of 2")


def asked(outcome, networks=""):
    return Answer("", networks, outcome, None, None, "")
