"""The figures of README.md and docs/results.md come from results/evaluations/, those of
speed from bench/results.json.

`python -m tests.test_readme` writes them between the pages' marks.
"""

import re
import runpy
import tomllib
from collections import Counter
from functools import cache, partial
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from bench import figures_file as performance
from pipeline.config import params
from pipeline.config.model_card import card
from pipeline.config.params import own_name
from pipeline.errors import UsageError
from pipeline.evaluation import verdict_rule
from pipeline.evaluation.claims import counted, judge
from pipeline.evaluation.intervals import SEARCHED
from pipeline.evaluation.verdict_rule import change_text
from pipeline.evaluation.verdicts import Note, compare, strongest
from pipeline.files import read_json
from pipeline.report.built_results import error_text, load, paragraphs
from pipeline.report.formatting import capital, in_words
from pipeline.report.page import as_html
from pipeline.report.result_tables import headlines_table, plain
from pipeline.report.titles import explained
from pipeline.report.wording import AnswerText, sentence
from pipeline.workspace import Workspace
from unroll.builds.demo import CHOSEN

ROOT = Path(__file__).resolve().parents[1]


@cache
def results():
    return load(Workspace(ROOT), params.load_all(ROOT / "params.yaml"))


@cache
def texts():
    """Data set -> its answers as on the page."""
    return {
        data.name: [AnswerText(data, answer) for answer in data.answers]
        for data in results().built
    }


def paragraph(data):
    """What a data set says: its answers, and how many published figures hold, in
    sentences to be read aloud."""
    every = texts()[data.name]
    for text in [text for text in every if text.tuned] or every:
        notes = "; ".join(text.beside)
        word = f"**{capital(text.answer.outcome)}**"
        said = f"{word} ({notes})" if notes else word
        yield f"{said}. {short_sentence(text)}."
    # All answers of a data set have one opponent, so one band; 0 has no width to tell.
    band = data.answers[0].band
    if band not in (verdict_rule.BAND, 0.0):
        yield f"The band is ±{100 * band:.1f} %."
    yield f"(`{data.name}`)"


def short_sentence(text):
    """The sentence of an answer, without the options of the two models."""
    return re.sub(r"9\d % interval: ", "", text.sentence(short=True))


def listed(texts):
    """Texts with commas, and "and" before the last one."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last


def said_of(outcome, count):
    """How many claims have an outcome, such as "3 say little"."""
    one, many = OUTCOMES[outcome]
    return f"{in_words(count)} {one if count == 1 else many}"


OUTCOMES = {
    "holds": ("holds", "hold"),
    "says little": ("says little", "say little"),
    "does not hold": ("does not hold", "do not hold"),
    "cannot tell": ("is undecided (cannot tell)", "are undecided (cannot tell)"),
    "not built": (
        "is of an experiment that is not built",
        "are of experiments that are not built",
    ),
    "yes": ("is answered yes", "are answered yes"),
    "no": ("is answered no", "are answered no"),
}
"""An outcome -> its words for one claim and for several."""


def kinds_that_hold():
    """What the claims that hold are about, with their numbers."""
    kinds = Counter()
    for verdict in results().verdicts:
        claim = verdict.claim
        if verdict.outcome != "holds":
            continue
        if claim.against:
            kinds["comparisons"] += 1
        elif not isinstance(claim.value, str):
            kinds["counts"] += 1
        elif card(results().params.experiment(claim.experiment).model).kind == "naive":
            kinds["figures of models that learn nothing"] += 1
        else:
            kinds["figures of trained models"] += 1
    return [f"{count} {kind}" for kind, count in kinds.most_common()]


def headlines():
    """How many claims hold, and the best known figures beside the rebuilt ones."""
    counts = counted(results().verdicts)
    shown = [said_of(outcome, count) for outcome, count in counts.items()]
    total = sum(counts.values())
    yield f"These seven texts make {total} claims. {listed(shown[:3])}. Of the others, {listed(shown[3:])}."
    yield f"Those that hold are {listed(kinds_that_hold())}.\n"
    yield "| | figure | published | rebuilt | verdict | why |"
    yield "| --- | --- | ---: | ---: | --- | --- |"
    for row in headlines_table(results()).rows:
        cells = [plain(row[key]) for key in ("published", "rebuilt")]
        document = row["document"].text
        figure = row["figure"].text
        word = row["verdict"].outcome
        why = row["reason"].text
        yield f"| {document} | {figure} | {' | '.join(cells)} | {word} | {why} |"


def answers():
    """The answers about tuned networks, a line each, and the number of each word."""
    every = [text.answer for of_data in texts().values() for text in of_data]
    yield f"{sentence(every)}.\n"
    yield "| question | answer | our best with recurrence | our best without | change in error |"
    yield "| --- | --- | --- | --- | ---: |"
    names = []
    for data in results().built:
        for text in texts()[data.name]:
            if not text.tuned or data.about.stand_in:
                continue
            notes = [note for note in text.beside if note in SHOWN]
            said = ", ".join([f"**{text.answer.outcome}**", *notes])
            models = [data.named(name, short=True) for name in text.answer.compared]
            names += models
            effect = text.effect.replace(" error", "")
            question = f"{data.question} (`{data.name}`)"
            yield f"| {question} | {said} | {' | '.join(models)} | {effect} |"
    yield f"\n{explained(names)} {example()}"


def example():
    """What a change in error means, by the shares of wrong answers on reviews."""
    [data] = [data for data in results().built if data.name == "imdb"]
    network, opponent = (
        100 * np.mean(data.evaluation.errors("test", name))
        for name in data.answers[0].compared
    )
    return (
        "On reviews the error is the share of wrong answers: "
        f"{network:.1f} of 100 with recurrence, {opponent:.1f} without."
    )


SHOWN = (Note.ONE_SEARCH, Note.NOT_TOLD, Note.TOO_SHORT, Note.NOT_CONVERGED)
"""The notes that stand in README; the page shows all."""

FASTER = ("sine_windowed", "imdb_lstm", "jena_gru_dropout")
"""One workload of each kind of document."""


def speed():
    """How many times Unroll's time others take with the same settings, median over the
    rounds."""
    measured = read_json(ROOT / "bench" / "results.json")
    groups = performance.grouped(measured["peers"]["rows"])
    slower = [
        (rows_of[side]["ratio"]["median"], work, phase, side)
        for (work, phase), rows_of in groups.items()
        for side in rows_of
        if side != "unroll" and rows_of[side]["ratio"]["median"] < 1
    ]
    said = (
        "The table has others' time divided by Unroll's, measured on "
        f"{measured['peers']['date']} with the same batches and weights, on one thread "
        "([all](docs/performance.md))."
    )
    for ratio, work, phase, side in sorted(slower):
        word = {"train": "training", "evaluate": "prediction"}[phase]
        said += (
            f" At {word} of `{work}`, which is not in the table, {side} is faster: "
            f"it takes {ratio:.2g} of Unroll's time."
        )
    yield said
    yield ""
    yield "| work | train: the documents' way | fastest peer | predict: the documents' way | fastest peer |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for work in FASTER:
        cells = []
        for phase in ("train", "evaluate"):
            rows = groups[work, phase]
            documents = rows["documents"]["ratio"]["median"]
            best = performance.fastest(rows)
            ratio = best["ratio"]["median"]
            cells += [f"{documents:.3g}", f"{ratio:.3g} ({best['side']})"]
        yield f"| {work} | {' | '.join(cells)} |"


def panels():
    """The scaled errors (MASE) of panels of short series beside those of published systems.

    Tourism's yearly set is another one there."""
    rows = dict(read_json(ROOT / "bench" / "results.json")["panels"]["panels"])
    rows.pop("tourism_yearly")
    leads = [
        row["mase"] < min(own["mase"] for own in row["published"].values())
        for row in rows.values()
    ]
    behind = [
        row["wql"] > min(own["wql"] for own in row["published"].values())
        for row in rows.values()
    ]
    yield (
        f"On {in_words(sum(leads))} of {in_words(len(leads))} panels of short series, "
        "Unroll's MASE (mean absolute scaled error) is smaller than that of all 21 systems "
        "of [chronos_zeroshot](docs/performance.md#panels-of-short-series). Unroll learns "
        "from each panel, and pretrained networks do not. By WQL (weighted quantile loss), "
        f"a published system is ahead on {in_words(sum(behind))}. "
        f"The table has {in_words(len(IN_README))} panels, by MASE:\n"
    )
    yield "| MASE | Unroll | best pretrained | best statistical | seasonal naive |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in IN_README:
        own = rows[name]
        others = own["published"]
        cells = [
            f"{others[kind]['mase']:.3f} ({others[kind]['name']})"
            for kind in ("network", "statistical")
        ]
        said = " | ".join([f"{own['mase']:.3f}", *cells])
        label = name.replace("_", ", ").capitalize()
        yield f"| {label} | {said} | {others['naive']['mase']:.3f} |"


IN_README = ("m1_monthly", "m3_monthly", "tourism_monthly")
"""A panel of each competition."""


def lstm_and_gru():
    """Of each data set with both, the best LSTM and the best GRU on validation."""
    rows = []
    words = Counter()
    for data in results().built:
        entries = data.evaluation.experiments
        best = [
            strongest(
                data.evaluation,
                [name for name, entry in entries.items() if entry.model == kind],
            )
            for kind in ("lstm", "gru")
        ]
        comparison = None if None in best else compare(data.evaluation, *best)
        if comparison is None or data.about.stand_in:
            continue
        change, ends = change_text(comparison.change, comparison.low, comparison.high)
        if not comparison.relative:
            change, ends = comparison.amount.rstrip(")").split(" error (")
        names = " | ".join(data.named(name, short=True) for name in best)
        counts = ", ".join(f"{entries[name].parameters:,}" for name in best)
        words[comparison.outcome] += 1
        rows.append(f"| {data.question} | {names} | {change} ({ends}) | {counts} |")
    yield f"Of {len(rows)} comparisons the LSTM is better in {words['helps']}, and the GRU in {words['hurts']}."
    yield f"In {words['no difference that matters']} they make no difference that matters; {words['open']} are open.\n"
    yield "| question | LSTM | GRU | error of the LSTM, against the GRU's | parameters |"
    yield "| --- | --- | --- | ---: | ---: |"
    yield from rows


TABLES = {
    ("README.md", "headlines", "results/evaluations/"): headlines,
    ("README.md", "results", "results/evaluations/"): answers,
    ("README.md", "speed", "bench/results.json"): speed,
    ("README.md", "panels", "bench/results.json"): panels,
    ("docs/results.md", "lstm and gru", "results/evaluations/"): lstm_and_gru,
}
TABLES |= {
    ("docs/results.md", data.name, "results/evaluations/"): partial(paragraph, data)
    for data in results().built
    if not data.about.stand_in
}
"""Page, name of the table, and where its figures come from -> what makes it."""


FIGURE = re.compile(
    r"<!-- (?P<model>\w+)(?: against (?P<other>\w+)| (?P<back>\d+) back)? -->[^<]*<!-- -->"
)
"""A figure in a paragraph of docs/results.md: a model's error on test, its change
against another model, or its gradient so many timesteps back."""


def share_of_gradient(data, model, back):
    """The gradient of a timestep, as a share of that of the last one."""
    table = data.numbers("gradients", "back", model).set_index("back")
    percent = float(f"{100 * table[model][back] / table[model][0]:.2g}")
    return f"{percent:.5f}".rstrip("0").rstrip(".") + " %"


def with_figures(data, text):
    """A paragraph with the figures of the last build."""

    def figure(match):
        marks = match[0].partition("-->")[0]
        words = error_text(data, match["model"])
        if match["other"]:
            change = compare(data.evaluation, match["model"], match["other"]).change
            more = "less" if change < 0 else "more"
            words = f"{100 * abs(change):.2g} % {more} error"
        if match["back"]:
            words = share_of_gradient(data, match["model"], int(match["back"]))
        return f"{marks}-->{words}<!-- -->"

    return FIGURE.sub(figure, text)


def parts(page, name, origin):
    """What is before the mark, between the marks and after."""
    text = (ROOT / page).read_text(encoding="utf-8")
    begin = f"<!-- {name}: made by tests/test_readme.py from {origin} -->\n"
    end = f"<!-- end of {name} -->"
    assert text.count(begin) == text.count(end) == 1, (
        f"{page} needs one place for {name}, in marks as the others have"
    )
    before, _, rest = text.partition(begin)
    inside, _, after = rest.partition(end)
    return before + begin, inside, end + after


def test_every_figure_is_that_of_the_last_build_and_the_last_bench():
    for (page, name, origin), table in TABLES.items():
        assert parts(page, name, origin)[1].strip() == "\n".join(table()), (page, name)


def test_every_marked_figure_of_a_paragraph_is_that_of_the_last_build():
    explained = paragraphs(Workspace(ROOT))
    for data in results().built:
        text = explained.get(data.name, "")
        assert text == with_figures(data, text), data.name
        assert "\n<!--" not in text, "such a line would end the paragraph"


def test_no_figure_of_a_recurrent_network_holds_beside_a_simple_model():
    """A simple model of the same rows makes such a figure say little."""
    for verdict in results().verdicts:
        claim = verdict.claim
        if verdict.outcome != "holds" or claim.kind != "figure":
            continue
        built = next(b.evaluation for b in results().built if b.name == claim.dataset)
        if not built.experiments[own_name(claim.experiment)].recurrent:
            continue
        for name, entry in built.experiments.items():
            if entry.share < 1 or entry.kind not in ("naive", "statistical"):
                continue
            beside = claim.model_copy(update={"beside": [f"{claim.dataset}/{name}"]})
            try:
                outcome = judge(beside, {claim.dataset: built}).outcome
            except UsageError:  # this model has no such figure
                continue
            assert outcome == "holds", (claim.words, name)


def test_the_readme_names_each_band_that_is_not_the_usual_one():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for data in results().built:
        for answer in data.answers:
            if answer.band not in (verdict_rule.BAND, 0.0):
                assert f"(±{100 * answer.band:.1f} %)" in text, data.name
    assert f"hold the {100 * SEARCHED:g} % interval" in text


def test_version_changelog_and_citation_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]["version"]
    changes = (ROOT / "docs/CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    headings = [line for line in changes if line[:3] == "## "]
    released = [line for line in headings if line != "## Next"]
    assert released[0].split()[1] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(
        encoding="utf-8"
    )


def test_the_picture_shows_the_answers_that_are_committed():
    page = runpy.run_path(str(ROOT / "tools/picture.py"))
    assert page["shown"]().encode() in page["PICTURE"].read_bytes(), (
        "run `make picture`"
    )


def test_the_page_has_the_paragraphs_that_are_committed():
    page = (ROOT / "results" / "index.html").read_text(encoding="utf-8")
    for name, text in paragraphs(Workspace(ROOT)).items():
        assert as_html(text) in page, f"{name}: run `unroll repro`"


def test_the_recording_shows_the_answers_that_are_committed():
    svg = ET.parse(ROOT / "docs" / "demo.svg").getroot()
    shown = "".join(svg.itertext()).replace("\xa0", " ")
    for name in CHOSEN:
        for text in texts()[name]:
            # A cell of the table may break the line behind each word.
            word = text.answer.outcome.split()[0]
            words = text.effect.partition(" to ")[0].split()
            effect = r"[\s\S]{,120}?".join(map(re.escape, words))
            row = rf"{name} +(tuned|untuned).*\s{word}.*{effect}"
            assert re.search(row, shown), f"{name}: run `make recording`"


if __name__ == "__main__":
    for key, make in TABLES.items():
        before, _, after = parts(*key)
        (ROOT / key[0]).write_text(
            before + "\n".join(make()) + "\n" + after, encoding="utf-8"
        )
    page = ROOT / "docs" / "results.md"
    whole = page.read_text(encoding="utf-8")
    explained = paragraphs(Workspace(ROOT))
    for data in results().built:
        text = explained[data.name]
        whole = whole.replace(text, with_figures(data, text))
    page.write_text(whole, encoding="utf-8")
