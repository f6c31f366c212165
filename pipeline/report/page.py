"""The page: one file that makes no requests, and can be read without its script."""

import base64
import hashlib
import html
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import printable
from pipeline.evaluation.claims import Outcome, counted
from pipeline.evaluation.intervals import SEARCHED
from pipeline.evaluation.playable import PlayableNetwork
from pipeline.evaluation.verdict_rule import Word
from pipeline.files import read_checked, read_table
from pipeline.report import charts
from pipeline.report.built_results import Evaluated, Results, error_text
from pipeline.report.formatting import capital, number, short, title
from pipeline.report.result_tables import (
    SIGNS,
    band_sentence,
    change_sentence,
    claims_table,
    groups_table,
    heading,
    headlines_table,
    scores_table,
)
from pipeline.report.titles import explained
from pipeline.report.wording import NOTES, WITHOUT_QUESTION, AnswerText, sentence

FOLDER = Path(__file__).parent

MEANINGS: dict[str, str] = {
    Word.HELPS: "With recurrence there is less error: the whole interval lies below the band.",
    Word.HURTS: "With recurrence there is more error: the whole interval lies above the band.",
    WITHOUT_QUESTION[Word.HELPS]: "A model has less error than the chosen one without "
    "recurrence: the whole interval lies below the band.",
    WITHOUT_QUESTION[Word.HURTS]: "A model has more error than the chosen one without "
    "recurrence: the whole interval lies above the band.",
    Word.SAME: "The whole interval lies within the band: 5 % of the error, or of its "
    "part above the floor, the least error that a formula attains.",
    Word.OPEN: "The interval crosses an edge of the band, so a change that matters is "
    "possible, and one that does not, too.",
    "search": "One of up to five independent choices of a model's options. Validation "
    "chooses among drawn options, before the test is looked at.",
    Word.NOT_ASKED: "There is no past to learn from, or nothing to compare with.",
    **NOTES,
    Outcome.HOLDS: "The published figure lies in the interval of one more run, up to "
    "its rounding. Of two models, the interval of the difference lies on the stated side "
    "of 0, or within the stated distance. Counts and shapes are equal.",
    Outcome.YES: "The document asks, and the rebuild says so.",
    Outcome.NO: "The document asks, and the rebuild says the opposite.",
    Outcome.LITTLE: "The figure holds, but a simple baseline gets it, too.",
    Outcome.FAILS: "The rebuild contradicts the document.",
    Outcome.UNSURE: "The interval is too wide: wider than a limit that was set before the "
    "build, or with values for and against the claim. Or there are fewer than three seeds.",
    Outcome.NOT_BUILT: "Nothing is trained for it yet.",
    Outcome.STAND_IN: "The data are generated in place of the real ones, so the figure "
    "is no result.",
}
"""Word of an answer or outcome -> its meaning, in a sentence for readers."""

INLINE = {
    # Comments say where a figure comes from (tests/test_readme.py).
    r"&lt;!--.*?--&gt;": "",
    # A link alone in brackets is dropped, since the page links to no other page.
    r" \(\[[^]]*\]\([^)]*\)\)": "",
    r"\[([^]]*)\]\([^)]*\)": r"\1",
    r"`([^`]*)`": r"<code>\1</code>",
    r"\*\*([^*]*)\*\*": r"<b>\1</b>",
    r"\*([^*]*)\*": r"<em>\1</em>",
}
"""Pattern of Markdown within a line -> HTML."""

PARTS = re.compile(r"(.*?)(?:: | (?=\S+ \w+ ahead)|, (?=\d+ rows ahead))(.*)")
"""A question: how it begins, and what tells it from others that begin so."""

SEEDS = 3
"""Most seeds of each network in a page."""


def page(results: Results) -> str:
    """Return the HTML of the page. The same results give the same bytes."""
    import jinja2
    from markupsafe import Markup, escape

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        # A long name may break after an underscore.
        "breakable": lambda name: escape(name).replace("_", Markup("_<wbr>")),
        "capital": capital,
        "counted": counted,
        "error_text": error_text,
        "heading": heading,
        "measure": title,
        "number": number,
        "short": short,
        "prose": lambda markdown: Markup(as_html(markdown)),  # noqa: S704 -- escaped there
    }
    networks = playable(results.built)
    answers = [
        AnswerText(dataset, answer)
        for dataset in results.built
        for answer in dataset.answers
    ]
    words = [*Word]
    script = printable(_ours("page.js", "play.js"), kept="\n")
    text = environment.get_template("page.html.j2").render(
        style=Markup(_ours("page.css", "play.css")),  # noqa: S704 -- our own files
        script=Markup(script),  # noqa: S704
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        signs=SIGNS,
        results=results,
        sentence=sentence([text.answer for text in answers]),
        answers=sorted(answers, key=lambda text: words.index(text.answer.outcome)),
        changes=charts.CHANGES,
        searched=SEARCHED,
        headlines=headlines_table(results),
        unbuilt=claims_table(
            [verdict for verdict in results.verdicts if verdict.dataset is None]
        ),
        explained=explained(
            text.dataset.named(name)
            for text in answers
            if text.tuned
            for name in text.answer.compared
        ),
        menu=menu(results.built),
        sections=[_section(results, dataset, networks) for dataset in results.built],
        meanings=MEANINGS,
        drawn=next(iter(networks), ""),
    )
    return printable(f"{text}\n", kept="\n")


def menu(
    built: Iterable[Evaluated],
) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the menu: a heading, and the items below it.

    Neighbours whose questions begin alike share a heading, and their items say what
    differs. The heading of any other item is "". An item is the name of a data set, its
    words, and what stands below them.
    """
    items = [(PARTS.fullmatch(dataset.question), dataset) for dataset in built]
    headings: list[tuple[str, list[tuple[str, str, str]]]] = []
    for start, group in itertools.groupby(items, lambda item: item[0] and item[0][1]):
        members = list(group)
        if not start or len(members) == 1:
            headings.append(("", [(one.name, one.question, "") for _, one in members]))
            continue
        lines = [
            (one.name, *found[2].split(", ", 1)) for found, one in members if found
        ]
        headings.append((start, [(name, *words, "")[:3] for name, *words in lines]))
    return headings


def as_html(markdown: str) -> str:
    """Return Markdown as HTML.

    Paragraphs, lists of points, code, bold words and the text of links are converted.
    Everything else is escaped.
    """
    text = html.escape(markdown, quote=False)
    for pattern, replacement in INLINE.items():
        text = re.sub(pattern, replacement, text)
    blocks = []
    for block in text.split("\n\n"):
        items = "".join(f"<li>{item}</li>" for item in block[2:].split("\n- "))
        is_list = block.startswith("- ")
        blocks.append(f"<ul>{items}</ul>" if is_list else f"<p>{block}</p>")
    return "".join(blocks)


def _ours(*files: str) -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in files)


def playable(built: Iterable[Evaluated]) -> dict[str, list[PlayableNetwork]]:
    """Return data set -> its playable networks, with their first `SEEDS` seeds.

    Only the first data set of each preparation has one network. A data set with several
    has all of them, the smallest first.

    Raises:
        UnrollError: a network*.json is damaged.
    """
    networks: dict[str, list[PlayableNetwork]] = {}
    preparations = set()
    for dataset in built:
        found = [
            read_checked(path, PlayableNetwork)
            for path in (dataset.folder / "tables").glob("network*.json")
        ]
        found = [network for network in found if network.experiment in dataset.titles]
        if len(found) == 1 and found[0].preparation in preparations:
            continue
        preparations |= {network.preparation for network in found[:1]}
        for network in sorted(found, key=lambda one: len(one.weights[0])):
            first = {"seeds": network.seeds[:SEEDS], "weights": network.weights[:SEEDS]}
            networks.setdefault(dataset.name, []).append(
                network.model_copy(update=first)
            )
    return networks


def _labels(dataset: Evaluated, names: Iterable[str]) -> dict[str, str]:
    """Return the titles of models: short, or in full if two would be the same."""
    shown = {
        name: dataset.short[name]
        + (", tuned" if dataset.experiments[name].trials else "")
        for name in names
    }
    counts = Counter(shown.values())
    return {
        name: text if counts[text] == 1 else dataset.titles[name]
        for name, text in shown.items()
    }


def _line(dataset: Evaluated, unit: float) -> float | None:
    """Return the error of the best model without recurrence on test, over its searches."""
    if dataset.opponent is None:
        return None
    mean = dataset.evaluation.mean_score("test", dataset.opponent, dataset.about.metric)
    return None if mean is None else unit * mean


def _section(
    results: Results, dataset: Evaluated, networks: Mapping[str, list[PlayableNetwork]]
) -> dict[str, Any]:
    """Return the values with which the template shows a data set.

    Only models that were trained on all rows are in the ranking.
    """
    axis, marks = charts.ranking(dataset, dataset.whole)
    ranked = [
        row
        for row in scores_table(dataset, dataset.experiments, dataset.opponent).rows
        if row["experiment"].text in marks or row["experiment"].small in marks
    ]
    models = [row["experiment"].value for row in ranked if row["experiment"].value]
    standing = charts.standing(dataset, models)
    scale = dataset.about.scale
    in_unit = dataset.about.metric == "mae" and bool(scale.unit)
    unit = scale.std if in_unit else 1.0
    verdicts = [
        verdict
        for verdict in results.verdicts
        if verdict.dataset and verdict.dataset.name == dataset.name
    ]
    return {
        "dataset": dataset,
        "answers": [AnswerText(dataset, answer) for answer in dataset.answers],
        "explained": explained(
            dataset.titles[name] for name in dataset.compared | {*standing}
        ),
        "band": band_sentence(dataset),
        "standing": standing,
        "labels": _labels(dataset, standing),
        "standing_on": charts.ranking(dataset, standing, unit),
        "line": _line(dataset, unit),
        "in_unit": in_unit,
        "change": change_sentence(dataset, dataset.opponent),
        "claims": claims_table(verdicts, stand_in=dataset.about.stand_in),
        "plots": charts.plots(dataset),
        "networks": networks.get(dataset.name, []),
        "mistakes": _mistakes(dataset),
        "ranking": (axis, marks),
        "ranked": ranked,
        "groups": groups_table(dataset, dataset.experiments),
    }


def _mistakes(dataset: Evaluated) -> list[dict[str, Any]]:
    if not dataset.has("mistakes"):
        return []
    path = dataset.folder / "tables" / "mistakes.csv"
    table = read_table(path, experiment=str, truth=int, probability=float, words=str)
    rows: list[dict[str, Any]] = table.to_dict("records")
    return [row for row in rows if row["experiment"] in dataset.compared]
