import dataclasses
import html.parser
import re
from xml.etree import ElementTree as ET

import pytest

from pipeline.config import params
from pipeline.data.dataset import Scale
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, claims
from pipeline.plots.svg import standalone, svg
from pipeline.report.dataset_tables import dataset_tables
from pipeline.report.formatting import DASH
from pipeline.report.page import page
from pipeline.report.plots import loss_curves, predictions
from pipeline.report.results import load
from stages.evaluate import evaluate
from tests.support import fake_runs

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    made = fake_runs.build(tmp_path_factory.mktemp("workspace"))
    for name in params.load(made.params).datasets:
        if name != "jena":
            evaluate(made, name)
    failures = made.scratch / "failures"
    failures.mkdir(parents=True)
    text = f"jena: <script>alert(1)</script> in {made.root}/data cannot be read;\ntry again"
    (failures / "source@jena.txt").write_text(text, encoding="utf-8")
    return made


def read(workspace):
    return load(workspace, params.load(workspace.params))


def only(results, name):
    """The results of one data set: its plots take less time to draw than all of them."""
    return dataclasses.replace(results, built=[one for one in results.built if one.name == name])


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

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_well_formed_and_its_links_lead_somewhere(text):
    found = Checker(text)
    assert found.open == []
    ids = [value for _, key, value in found.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    for _, key, value in found.attributes:
        if key in {"href", "xlink:href"}:
            assert value.startswith("#")
            assert value[1:] in ids
    for reference_ in re.findall(r"url\(([^)]*)\)", text):
        assert reference_.strip("#\"'") in ids


def test_the_page_asks_nobody_for_anything_and_runs_its_own_script_alone(text):
    found = Checker(text)
    assert found.tags.count("script") == 1
    assert not {"link", "iframe", "object", "img", "image", "foreignobject"} & set(found.tags)
    assert not [key for _, key, _ in found.attributes if key.startswith("on") or key == "src"]
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_the_page_is_small_and_holds_no_place_of_this_machine(text, workspace):
    assert len(text.encode()) < 150_000
    assert str(workspace.root) not in text


def test_plots_and_tables_can_be_read_aloud(text):
    found = Checker(text)
    assert found.tags.count("svg") == found.attributes.count(("svg", "role", "img")) > 10
    assert text.count("<title>") == found.tags.count("svg") + 1
    assert found.tags.count("caption") == found.tags.count("table")
    assert found.attributes.count(("th", "scope", "row")) > 10


def test_two_builds_have_the_same_bytes(workspace, text):
    assert page(read(workspace)) == text


def test_hostile_texts_are_shown_not_run(workspace):
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\x1b[2J\x85"
    published = claims.load(workspace.claims)
    hostile = [claim.model_copy(update={"words": evil, "note": evil, "document": evil}) for claim in published]
    results = read(workspace)
    one = results.built[2]
    about = {"facts": {evil: [evil, {evil: evil}]}, "floors": {evil: 1.0}, "scale": Scale(unit=evil, quantity=evil)}
    evaluation = one.evaluation.model_copy(update={"dataset": one.about.model_copy(update=about)})
    verdicts = [dataclasses.replace(v, claim=c) for v, c in zip(results.verdicts, hostile, strict=True)]
    built = [dataclasses.replace(one, evaluation=evaluation)]
    broken = dataclasses.replace(results, built=built, verdicts=verdicts, scaled=evil)
    text = page(broken)
    found = Checker(text)
    assert (found.tags.count("script"), found.tags.count("img")) == (1, 0)
    assert any("<script>" in each for each in found.texts)
    assert {character for character in text if not character.isprintable()} == {"\n"}


def test_a_failure_is_shown_with_its_stage_escaped_and_without_absolute_paths(text):
    assert "<code>source@jena</code> failed: jena: &lt;script&gt;alert(1)&lt;/script&gt; in data cannot" in text
    assert "jena_gru</p>" in text


def test_figures_of_an_earlier_build_say_so(workspace, text):
    """A stage that fails leaves what was built before it where it is; it is not passed off as new."""
    failure = workspace.scratch / "failures" / "train@waves_node.txt"
    failure.write_text("unroll: no room left\n", encoding="utf-8")
    try:
        results = read(workspace)
    finally:
        failure.unlink()
    assert [one.name for one in results.built if one.stale] == ["waves"]
    shown = page(only(results, "waves"))
    assert "<b>Of an earlier build.</b> train@waves_node failed: unroll: no room left" in shown
    assert shown.count("Of an earlier build.") == 2
    assert "Of an earlier build." not in text


def test_what_is_missing_for_unknown_reasons_says_how_to_build_it(tmp_path):
    workspace = fake_runs.build(tmp_path / "nothing", without=tuple(params_names()))
    results = read(workspace)
    assert results.built == []
    assert {one.name for one in results.missing} == set(params_names())
    assert all("unroll repro" in one.reason for one in results.missing)
    assert "Not built" in page(results)


def params_names():
    return ["sine_extrapolation", "sine_windows", "waves", "imdb", "jena_hourly", "jena"]


def test_every_table_plot_and_row_of_a_stand_in_is_labelled(text):
    section = re.search(r'<section id="imdb">.*?</section>', text, re.DOTALL).group()
    captions = re.findall(r"<caption>.*?</caption>|<figcaption>.*?</figcaption>|<h2>.*?</h2>", section)
    assert len(captions) >= 5
    assert all(">stand-in<" in caption for caption in captions)
    rows = re.findall(r'<th scope="row">.*?</th>', section, re.DOTALL)
    assert len(rows) == 3 + 2, "of all figures and, but for a summary, of the ranking"
    assert all("stand-in" in row for row in rows)
    assert "Stand-in data." in text


def test_generated_data_that_are_the_real_thing_are_not_labelled(text):
    section = re.search(r'<section id="waves">.*?</section>', text, re.DOTALL).group()
    assert "stand-in" not in section


def test_without_stand_ins_there_is_no_banner(results):
    assert "Stand-in data." not in page(only(results, "sine_windows"))


def test_a_scaled_workspace_says_so_first(workspace):
    marker = workspace.scratch / "scaled.txt"
    marker.write_text("At most 3 epochs.\n", encoding="utf-8")
    try:
        results = read(workspace)
    finally:
        marker.unlink()
    assert {verdict.outcome for verdict in results.verdicts} == {"scaled down", "stand-in", "not built"}
    assert "<b>Scaled down.</b> At most 3 epochs." in page(only(results, "sine_windows"))


def test_names_come_in_the_order_of_params_yaml(results):
    assert [one.name for one in results.built] == params_names()[:-1]


@pytest.mark.parametrize(
    ("dataset", "name", "word"), [("waves", "waves_perceptron", "perceptron"), ("imdb", "imdb_rnn", "imdb_rnn")]
)
def test_an_experiment_that_params_yaml_no_longer_has_is_nowhere(workspace, dataset, name, word):
    text = workspace.params.read_text(encoding="utf-8")
    less = re.sub(rf"  {name}:\n.*\n", "", text)
    assert less != text
    workspace.params.write_text(less, encoding="utf-8")
    try:
        results = read(workspace)
    finally:
        workspace.params.write_text(text, encoding="utf-8")
    shown = page(only(results, dataset))
    assert name not in shown
    assert word not in shown.replace("_<wbr>", "_")
    assert results.unused == 1
    assert "1 more in claims.yaml is of experiments" in shown


@pytest.mark.parametrize(
    ("table", "old", "new", "said"),
    [
        ("reliability", "imdb_rnn", "imdb_rnm", "it has no imdb_rnm, or nothing else has"),
        ("reliability", "share", "shape", "it has no column share"),
    ],
)
def test_a_damaged_table_is_named(workspace, table, old, new, said):
    path = workspace.evaluation("imdb") / "tables" / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        with pytest.raises(UnrollError, match=rf"{table}\.csv is damaged \(.*({said})"):
            page(only(read(workspace), "imdb"))
    finally:
        path.write_text(text, encoding="utf-8")


def test_an_experiment_that_is_not_evaluated_yet_is_listed_as_not_built(workspace):
    text = workspace.params.read_text(encoding="utf-8")
    model = "{family: dense, name: mlp}"
    added = f"  waves_new:\n    {{dataset: waves, seeds: [0], model: {model}, training: {{method: none}}}}\n"
    workspace.params.write_text(text + added, encoding="utf-8")
    try:
        results = read(workspace)
    finally:
        workspace.params.write_text(text, encoding="utf-8")
    assert [one.name for one in results.missing] == ["waves_new", "jena"]


def table_of(results, name, place=0):
    one = next(one for one in results.built if one.name == name)
    table = dataset_tables(results, one)[place]
    return {row["experiment"].text: row for row in table.rows}, table


def test_others_are_compared_with_the_strongest_that_has_no_recurrence(results):
    rows, table = table_of(results, "waves")
    one = next(one for one in results.built if one.name == "waves")
    scores = {name: entry.best or entry.final for name, entry in one.experiments.items() if not entry.recurrent}
    strongest = min(scores, key=lambda name: scores[name]["validation"]["mse"].mean)
    assert f"Test MSE against {strongest}" in [column.title for column in table.columns]
    assert rows[strongest]["against"].text == DASH
    found = rows["waves_last_value"]["against"]
    assert found.value["mean"] == one.evaluation.difference("test", "waves_last_value", strongest).mean
    assert found.small.endswith(("better", "worse", "cannot tell"))
    assert answers.answer(one.evaluation).opponent == strongest


def test_the_unit_of_the_data_is_a_column_of_its_own(results):
    rows, table = table_of(results, "jena_hourly")
    assert "Test MAE in °C" in [column.title for column in table.columns]
    assert rows["jena_hourly_gru"]["unit"].text.endswith("°C")
    assert "unit" not in [column.key for column in table_of(results, "waves")[1].columns]


def test_floors_published_figures_parts_and_the_free_run_are_there(results):
    rows, table = table_of(results, "waves")
    assert rows["noise variance"]["test"].text == "8.33e-4"
    assert table.kinds == ("baseline", "", "", "floor")
    (mark,) = rows["waves_perceptron"]["published"].marks
    assert (mark.text, mark.tone) == ("1,000", "does not hold")
    rows, _ = table_of(results, "sine_extrapolation", 1)
    assert rows["sine_extrapolation_dense"]["group_inside"].value["values"]
    rows, _ = table_of(results, "sine_windows", 1)
    assert 0 < rows["sine_windows_lstm"]["horizon"].value["mean"] <= 200


def test_a_summary_shows_its_parameters_and_no_figures(results):
    rows, _ = table_of(results, "imdb")
    assert rows["imdb_summary"]["parameters"].value > 0
    assert {rows["imdb_summary"][key].text for key in ("validation", "test", "against")} == {DASH}


def test_a_plot_has_no_date_and_no_colour_of_its_own(results):
    one = results.built[2]
    shown = loss_curves(one, "waves_last_value")["waves_perceptron"]
    assert shown.startswith("<svg viewBox=")
    assert "Loss of waves_perceptron by epoch, 3 seeds; the first ends at: train 0." in shown
    assert "var(--main)" in shown
    assert not re.findall(r"#[0-9a-f]{6}\b", shown)
    assert "date" not in shown.lower()


def test_coordinates_are_rounded_and_labels_are_not():
    def draw(axes):
        axes.plot([0, 1], [0, 0.0123])
        axes.set_yticks([0.0, 0.0123], ["zero", "0.0123"])

    text = svg(draw, (2, 2), "t", "salt")
    assert ">0.0123</text>" in text
    assert not re.search(r'd="[^"]*\d\.\d\d', text)
    alone = ET.fromstring(standalone(text))  # noqa: S314 - it is our own
    assert alone.tag == "{http://www.w3.org/2000/svg}svg"
    assert "--main" in alone.find("{*}style").text, "a file of its own has its own colours"


def test_plots_of_one_page_share_no_id(results):
    one = results.built[0]
    shown = [*loss_curves(one, None).values(), *predictions(one).values()]
    ids = [each for text in shown for each in re.findall(r' id="([^"]*)"', text)]
    assert ids
    assert len(ids) == len(set(ids))
