import dataclasses
import html.parser
import itertools
import re
from collections import Counter

import pytest

from pipeline.config import params
from pipeline.data.dataset import Scale
from pipeline.evaluation import verdicts
from pipeline.evaluation.scores import evaluate
from pipeline.evaluation.verdict_rule import Word
from pipeline.evaluation.verdicts import Answer, Networks, Note
from pipeline.report import charts
from pipeline.report.built_results import Evaluated, error_text, load
from pipeline.report.charts import Axis
from pipeline.report.formatting import DASH, capital
from pipeline.report.page import as_html, page
from pipeline.report.result_tables import dataset_tables, scores_table
from pipeline.report.wording import AnswerText, sentence
from tests.pipeline.evaluation.scored import of, params_of, small

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}


PROSE = """## The waves

<!-- waves: a mark -->
**Yes.** What is made of results.
<!-- end of waves -->

A node with `tanh` **cannot** *ever* <hold> two
waves ([why](decisions/opponents.md)), see [the rule](x.md).

- One
  point.
- Another.

## Other

<!-- end of imdb -->
Words."""


@pytest.fixture(scope="module")
def workspace(evaluated):
    failures = evaluated.scratch / "failures"
    jena = f"jena: <script>alert(1)</script> in {evaluated.root}/data cannot be read;\ntry again"
    texts = {
        failures / "source@jena.txt": jena,
        failures / "train@waves.txt": "unroll: no room left\n",
        evaluated.paragraphs: PROSE,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    yield evaluated
    for path in texts:
        path.unlink()


def named(results, name):
    return next(dataset for dataset in results.built if dataset.name == name)


def only(results, name, **other):
    """The page of one data set: its plots take less time to draw than all of them."""
    return page(
        dataclasses.replace(results, **{"built": [named(results, name)]} | other)
    )


@pytest.fixture(scope="module")
def results(workspace):
    return load(workspace, params.load(workspace.params))


@pytest.fixture(scope="module")
def text(results):
    return page(results)


class Checker(html.parser.HTMLParser):
    """Collects tags and texts, and fails on an element that is not closed where it
    should be."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.tags = []
        self.attributes = []
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


def test_the_page_is_well_formed_asks_nobody_for_anything_and_can_be_read_aloud(
    text, workspace
):
    checked = Checker(text)
    ids = [value for _, key, value in checked.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    links = [
        value for _, key, value in checked.attributes if key in {"href", "xlink:href"}
    ]
    assert {
        link.removeprefix("#")
        for link in [*links, *re.findall(r"url\(([^)]*)\)", text)]
    } <= {*ids}
    assert all(link.startswith("#") for link in links)
    assert checked.tags.count("script") == checked.tags.count("style") == 1
    assert not {"link", "iframe", "object", "img", "image", "foreignobject"} & set(
        checked.tags
    )
    assert not [
        key for _, key, _ in checked.attributes if key.startswith("on") or key == "src"
    ]
    assert not re.search("@import|https?://", text)
    assert "default-src 'none'; script-src 'sha256-" in text
    assert str(workspace.root) not in text
    assert (
        checked.tags.count("svg")
        == checked.attributes.count(("svg", "role", "img"))
        > 5
    )
    assert text.count("<title>") == checked.tags.count("svg") + 1
    assert checked.tags.count("caption") == checked.tags.count("table")
    assert checked.attributes.count(("th", "scope", "row")) > 10


def section(text, name):
    return re.search(rf'<section id="{name}" .*?</section>', text, re.DOTALL).group()


def test_hostile_texts_are_shown_not_run(results):
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\x1b[2J\x85"
    words = dict.fromkeys(("words", "note", "document"), evil)
    verdicts = [
        dataclasses.replace(each, claim=each.claim.model_copy(update=words))
        for each in results.verdicts
    ]
    waves = named(results, "waves")
    about = {
        "facts": {evil: [evil, {evil: evil}], "plain": [True, 1000, {"a": 0.5}]},
        "floors": {evil: 1.0},
        "scale": Scale(unit=evil, quantity=evil),
    }
    evaluation = waves.evaluation.model_copy(
        update={"dataset": waves.about.model_copy(update=about)}
    )
    built = [dataclasses.replace(waves, evaluation=evaluation)]
    text = only(results, "waves", built=built, verdicts=verdicts)
    assert (
        "<code>source@jena</code> failed: jena: &lt;script&gt;alert(1)&lt;/script&gt; in data cannot"
        in text
    )
    assert "<dt>plain</dt><dd>yes, 1,000, a 0.5</dd>" in text
    checked = Checker(text)
    assert (checked.tags.count("script"), checked.tags.count("img")) == (1, 0)
    assert "&lt;script&gt;alert(&#39;x&#39;)" in text
    assert {character for character in text if not character.isprintable()} == {"\n"}


def test_figures_of_an_earlier_build_say_so(results, text):
    assert [dataset.name for dataset in results.built if dataset.stale] == ["waves"]
    banner = "<b>These figures are of an earlier build.</b> train@waves failed: unroll: no room left"
    assert banner in section(text, "waves")
    assert text.count("of an earlier build.") == 1


def test_every_table_plot_and_row_of_a_stand_in_is_labelled_and_nothing_else_is(
    results, text
):
    imdb = section(text, "imdb")
    captions = re.findall(
        r"<caption>.*?</caption>|<figcaption>.*?</figcaption>|<h2>.*?</h2>", imdb
    )
    assert len(captions) >= 3
    assert all(">stand-in<" in caption for caption in captions)
    rows = re.findall(r'<th scope="row">.*?</th>', imdb, re.DOTALL)
    assert len(rows) == 4, "two claims, and the ranking but for a summary"
    assert all("stand-in" in row for row in rows)
    assert "Stand-in data." in text
    assert "stand-in" not in section(text, "waves")
    assert "Stand-in data." not in only(results, "waves", built=[])


def test_an_experiment_that_params_yaml_no_longer_has_is_nowhere(workspace):
    config = params.load(workspace.params)
    imdb = {**config.experiments["imdb"]}
    del imdb["rnn"]
    fewer = config.model_copy(
        update={"experiments": config.experiments | {"imdb": imdb}}
    )
    shown = only(load(workspace, fewer), "imdb")
    assert "imdb/rnn" not in shown.replace("_<wbr>", "_")
    assert "1 more in claims.yaml is of experiments" in shown


def table_of(results, name, index=0):
    table = dataset_tables(named(results, name))[index]
    return {row["experiment"].text: row for row in table.rows}, table


def test_others_are_compared_with_the_strongest_that_has_no_recurrence(results):
    rows, table = table_of(results, "waves")
    evaluation = named(results, "waves").evaluation
    best = named(results, "waves").titles["perceptron"]
    assert f"against {best}, chosen before the test as the best" in table.caption
    assert rows["perceptron"]["against"].text == DASH
    expected = verdicts.compare(evaluation, "last_value", "perceptron")
    band = f"±{100 * expected.band:.2g} %"
    assert f"A change within {band} does not matter" in table.caption
    compared = rows["last_value"]
    assert compared["against"].value == expected.change
    assert compared["interval"].value == [expected.low, expected.high]
    assert compared["word"].value == expected.outcome == "hurts"
    assert compared["word"].text == "more error", "there is no recurrence in it"


def test_units_floors_groups_and_the_free_run_have_their_columns_and_rows(
    results,
):
    rows, table = table_of(results, "jena_hourly")
    assert "Test MAE in its unit" in [column.title for column in table.columns]
    assert rows["gru"]["unit"].text.endswith("°C")
    rows, table = table_of(results, "waves")
    assert "unit" not in [column.key for column in table.columns]
    assert rows["noise variance"]["test"].text == "8.33e-4"
    rows, _ = table_of(results, "sine_extrapolation", 1)
    assert rows["dense"]["group_inside"].value["values"]
    rows, _ = table_of(results, "sine_windows", 1)
    assert 0 < rows["lstm"]["horizon"].value["mean"] <= 200


def test_the_best_comes_first_by_the_weights_that_validation_chose(results):
    for dataset in results.built:
        rows = table_of(results, dataset.name)[0]
        entries = [dataset.experiments[name] for name in rows if name in dataset.whole]
        means = [
            (entry.best or entry.final)["test"][dataset.about.metric].mean
            for entry in entries
            if entry.final
        ]
        assert means == sorted(means, reverse=dataset.about.metric == "accuracy")


def test_a_score_far_better_than_every_network_does_not_stretch_the_axis():
    values = {
        name: [value + off for value in range(4)]
        for name, off in (("base", 1e-15), ("net", 0.1))
    }
    runs = {
        name: of({"final_train": [each], "final_test": [each]})
        for name, each in values.items()
    }
    network = params_of(model={"family": "recurrent", "name": "gru"})
    evaluation = evaluate(small(), runs, {"base": params_of(), "net": network})
    axis, marks = charts.ranking(Evaluated("d", evaluation), runs)
    assert marks["base"][0] < axis.low < marks["net"][1]
    assert 0.0009 < axis.low < 0.001, "a tenth of the network's, and a margin"


def test_a_change_that_goes_beyond_the_axis_is_marked_at_its_ends(results):
    waves = named(results, "waves")
    figures = {"change": 4.0, "low": -0.5, "high": 9.0, "relative": True}
    far = answer(Word.OPEN).model_copy(
        update=figures | {"network": "node", "opponent": "perceptron"}
    )
    text = only(results, "waves", built=[dataclasses.replace(waves, answers=[far])])
    drawn = re.search(r'class="strip zero.*?</span>', text, re.DOTALL).group()
    assert re.findall('class="(.*?)"', drawn) == [
        "strip zero open",
        "band",
        "bar",
        "cut low",
        "cut high",
        "dot beyond",
    ]
    assert 'dot beyond" style="left:100.0%"' in drawn


def test_numbers_of_an_axis_are_round_and_apart():
    axes = (
        Axis(0.0017, 0.0032, log=True),
        Axis(1e-7, 0.2, log=True),
        Axis(0, 1, kind="share"),
        Axis(1, 7, kind="whole"),
    )
    for axis in axes:
        places = [place for place, _ in axis.ticks]
        assert len(places) >= 2
        assert all(
            later - earlier > charts.APART
            for earlier, later in itertools.pairwise(places)
        )
    assert [words for _, words in axes[2].ticks] == [
        "0 %",
        "25 %",
        "50 %",
        "75 %",
        "100 %",
    ]


def test_the_picture_of_an_answer_shows_who_is_compared_and_the_best_of_each_other_kind(
    results,
):
    waves = named(results, "waves")
    models = [*table_of(results, "waves")[0]]
    names = [name for name in models if name in waves.experiments]
    standing = charts.standing(waves, names)
    assert standing == ["node", "perceptron", "last_value"]
    axis, marks = charts.ranking(waves, standing)
    dots = [axis.inside(marks[name][0]) for name in standing]
    assert dots == sorted(dots), "the best first"
    assert axis.label == "Test MSE, log: left is better"
    text = section(only(results, "waves"), "waves")
    shown = re.search(r'<ul class="strips">.*?</ul>', text, re.DOTALL).group()
    assert re.findall(r'class="strong">(.*?)<', shown) == ["SimpleRNN()", "Perceptron"]
    assert shown.count(f'class="one" style="left:{dots[1]}%"') == 3


def test_models_of_the_same_short_title_have_their_full_titles(results):
    waves = named(results, "waves")
    same = dict.fromkeys(["node", "perceptron"], "GRU(32)")
    alike = dataclasses.replace(waves, short={**waves.short, **same})
    text = section(only(results, "waves", built=[alike]), "waves")
    shown = re.search(r'<ul class="strips">.*?</ul>', text, re.DOTALL).group()
    titles = [capital(waves.titles[name]) for name in same]
    assert re.findall(r'class="strong">(.*?)<', shown) == titles


def test_a_model_that_was_trained_on_a_part_of_the_rows_is_in_no_ranking(results):
    waves = named(results, "waves")
    entries = waves.experiments | {
        "node": waves.experiments["node"].model_copy(update={"share": 0.5})
    }
    part = dataclasses.replace(
        waves, evaluation=waves.evaluation.model_copy(update={"experiments": entries})
    )
    text = only(results, "waves", built=[part])
    ranked = re.search(r'<table class="ranked">.*?</table>', text, re.DOTALL).group()
    assert ">perceptron<" in ranked
    assert ">node<" not in ranked


def test_a_document_leads_to_each_of_its_figures(results, text):
    places = re.search(r'<ul class="places">.*?</ul>', text, re.DOTALL).group()
    by_document = {
        re.search(r"<b>(\d+)", line).group(1): {
            name: int(figures)
            for name, figures in re.findall(r'href="#(\w+)">[^<]*</a> \((\d+)\)', line)
        }
        for line in places.split("<li>")[1:]
    }
    pairs = [
        (verdict.claim.document, verdict.dataset.name)
        for verdict in results.verdicts
        if verdict.dataset
    ]
    assert pairs
    assert by_document == {
        document: dict(Counter(name for other, name in pairs if other == document))
        for document, _ in pairs
    }


def test_a_question_has_the_paragraph_of_the_results_page_unless_it_is_no_result(
    results, text
):
    waves = named(results, "waves").paragraph
    assert (waves[:6], named(results, "imdb").paragraph) == ("A node", "")
    assert as_html(waves) == (
        "<p>A node with <code>tanh</code> <b>cannot</b> <em>ever</em> &lt;hold&gt; two\nwaves, see the rule.</p>"
        "<ul><li>One\n  point.</li><li>Another.</li></ul>"
    )
    assert "<b>cannot</b> <em>ever</em> &lt;hold&gt;" in section(text, "waves")


def answer(outcome, networks=Networks.UNTUNED, notes=()):
    return Answer(networks=networks, outcome=outcome, notes=list(notes))


TUNED = Networks.TUNED


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            [answer(word, TUNED) for word in (Word.OPEN, Word.SAME, Word.OPEN)]
            + [answer(Word.HURTS), answer(Word.NOT_ASKED)],
            "tuned networks, it makes no difference that matters in one; two are open",
        ),
        ([answer(Word.HELPS)], "help? One question is asked. It helps"),
        (
            [answer(Word.OPEN, notes=[Note.STAND_IN]), answer(Word.HURTS, TUNED)],
            "help? One question about tuned networks is asked. It hurts",
        ),
        ([answer(Word.OPEN, notes=[Note.STAND_IN])], "No figure here is a result"),
        ([], "Nothing is built yet"),
    ],
)
def test_all_answers_in_one_sentence(answers, words):
    assert sentence(answers).endswith(words)


def test_an_answer_in_a_line_says_its_word_what_stands_beside_it_and_the_change(
    results,
):
    names = {
        "gru": "GRU(2), best of 12 trials",
        "ridge": "ridge regression on the last 4 steps",
    }
    dataset = dataclasses.replace(named(results, "waves"), titles=names)
    figures = {"change": 0.02, "low": 0.01, "high": 0.03}
    same = answer(Word.SAME, notes=[Note.TOO_SHORT]).model_copy(
        update=figures | {"network": "gru", "opponent": "ridge"}
    )
    assert AnswerText(dataset, same).line == (
        "Does recurrence help in untuned networks? "
        "It makes no difference that matters (slightly more error; too short): "
        "GRU(2), best of 12 trials, had 2.0 % more error than ridge regression on the "
        "last 4 steps (95 % interval: +1.0 to +3.0 %)"
    )
    entries = dataset.experiments
    searched = entries["perceptron"].model_copy(update={"trials": 8})
    evaluation = dataset.evaluation.model_copy(
        update={"experiments": entries | {"ridge": searched}}
    )
    beside_tuned = dataclasses.replace(dataset, evaluation=evaluation)
    assert AnswerText(beside_tuned, same).line.startswith(
        "Does recurrence help in untuned networks, against a tuned opponent? It makes"
    )
    less = same.model_copy(update={"low": -0.03, "high": -0.01})
    either = same.model_copy(update={"low": -0.03, "high": 0.01})
    beside = [AnswerText(dataset, one).beside for one in (less, either)]
    assert beside == [["slightly less error", "too short"], ["too short"]]


def test_a_model_that_is_told_the_formula_stands_in_the_sentence_with_its_error(
    results,
):
    waves = named(results, "waves")
    told = answer(Word.HELPS, TUNED, notes=[Note.NOT_TOLD]).model_copy(
        update={
            "change": -0.2,
            "low": -0.3,
            "high": -0.1,
            "network": "node",
            "opponent": "perceptron",
            "told": "last_value",
        }
    )
    said = AnswerText(waves, told).line
    assert "It helps (among models that are not told the formula)" in said
    error = error_text(waves, "last_value")
    assert said.endswith(f", which is told the formula of the series, had {error}")


def test_a_model_of_several_searches_has_a_title_and_a_row_of_its_own(results):
    waves = named(results, "waves")
    evaluation = waves.evaluation.model_copy(deep=True)
    again = evaluation.experiments["node"].model_copy(update={"repeats": "node"})
    evaluation.experiments["node_2"] = again
    for name in ("node", "node_2"):
        evaluation.rows["test"].setdefault(str(waves.opponent), {})[name] = 1e-4
    found = {"node": {"node": 0.1, "node_2": 0.2}}
    one = answer(Word.OPEN, TUNED).model_copy(
        update={"network": "node", "opponent": "last_value", "searches": found}
    )
    dataset = dataclasses.replace(
        waves,
        evaluation=evaluation,
        titles={**waves.titles, "last_value": "last value"},
        short={**waves.short, "node": "GRU(2)", "node_2": "GRU(3)"},
        plural={**waves.plural, "node": "GRUs"},
        answers=[one],
    )
    start = "GRUs of two searches and last value are not compared"
    assert AnswerText(dataset, one).sentence().startswith(start)
    behind = "GRUs of two searches: GRU(2) (MSE 0.100), GRU(3) (MSE 0.200)"
    assert dataset.behind == [behind]
    table = scores_table(dataset, dataset.experiments, "last_value")
    assert table.searches.startswith(f"{behind}. They are compared by the mean of")
    rows = {row["experiment"].text: row for row in table.rows}
    mean = rows["GRUs of two searches"]
    assert mean["experiment"].small == "node"
    single = [rows[name]["test_best"].value["mean"] for name in ("node", "node_2")]
    assert mean["test_best"].value == pytest.approx(sum(single) / 2)
    assert mean["word"].value == dataset.comparisons["node"].outcome
    assert {rows[name]["word"].text for name in ("node", "node_2")} == {DASH}
