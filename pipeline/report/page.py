"""The page: one file that makes no requests, and can be read without its script."""

import base64
import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import printable
from pipeline.evaluation.answers import Note
from pipeline.evaluation.claims import Outcome, counted
from pipeline.evaluation.margin import Word
from pipeline.evaluation.networks import PlayableNetwork
from pipeline.files import read_checked, read_table
from pipeline.report import charts
from pipeline.report.formatting import capital, fact, number, title
from pipeline.report.plots import plots
from pipeline.report.result_tables import (
    SIGNS,
    claims_table,
    groups_table,
    heading,
    headlines_table,
    scores_table,
)
from pipeline.report.results import AnswerText, Evaluated, Results, error_text, sentence

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent

KINDS = {
    "forecast": "forecast of a later value",
    "regress": "a value from a value",
    "classify": "classification into two classes",
}

MEANINGS: dict[str, str] = {
    Word.HELPS: "With recurrence there is less error, surely by more than the band.",
    Word.HURTS: "With recurrence there is more error, surely by more than the band.",
    Word.SAME: "The errors surely differ by less than the band: 5 % of the error that "
    "a model can avoid.",
    Word.OPEN: "The interval is too wide to say.",
    Word.NOT_ASKED: "There is no past to learn from, or nothing to compare with.",
    Note.UNTUNED: "Nobody searched for options of the network. Its opponent may be "
    "tuned.",
    Note.ONE_SEARCH: "At least one of the two had only one search for its options, so "
    "another search may give another answer.",
    Note.TOO_SHORT: "The test rows span less than 84 days, which are of one season.",
    Note.NOT_CONVERGED: "More epochs would have made one of the two better.",
    Outcome.HOLDS: "The published figure lies in the interval of one more run, up to "
    "its rounding. Of two models, the interval of the difference lies on the stated side "
    "of 0. Counts and shapes are equal.",
    Outcome.LITTLE: "The figure holds, and a simple baseline could have it, too.",
    Outcome.FAILS: "The rebuild contradicts the document.",
    Outcome.UNSURE: "The interval is too wide to say whether the figure holds.",
    Outcome.NOT_BUILT: "Nothing is trained for it yet.",
    Outcome.STAND_IN: "Made from generated data in place of the real ones: no result.",
}
"""Word of an answer or outcome -> its meaning, in a sentence for readers."""

INLINE = {
    # A link alone in brackets is dropped, since the page links to no other page.
    r" \(\[[^]]*\]\([^)]*\)\)": "",
    r"\[([^]]*)\]\([^)]*\)": r"\1",
    r"`([^`]*)`": r"<code>\1</code>",
    r"\*\*([^*]*)\*\*": r"<b>\1</b>",
}
"""Pattern of Markdown within a line -> HTML."""

SEEDS = 3
"""Most seeds of each network in a page."""


def page(results: Results) -> str:
    """Return the HTML of the page. The same results give the same bytes."""
    from markupsafe import Markup, escape

    environment = _environment()
    environment.filters |= {
        # A long name may break after an underscore.
        "breakable": lambda name: escape(name).replace("_", Markup("_<wbr>")),
        "capital": capital,
        "error_text": error_text,
        "heading": heading,
        "prose": lambda markdown: Markup(as_html(markdown)),  # noqa: S704 -- escaped there
    }
    networks = playable(results.built)
    sections = [
        _section(results, dataset, networks.get(dataset.name))
        for dataset in results.built
    ]
    every = [answer for section in sections for answer in section["answers"]]
    counts = [verdict for verdict in results.verdicts if verdict.claim.kind == "count"]
    others = [verdict for verdict in results.verdicts if verdict not in counts]
    script = printable(_ours("page.js", "play.js"), kept="\n")
    text = environment.get_template("page.html.j2").render(
        style=Markup(_ours("page.css", "play.css")),  # noqa: S704 -- our own files
        script=Markup(script),  # noqa: S704
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        signs=SIGNS,
        results=results,
        sentence=sentence([answer.answer for answer in every]),
        answers=_by_kind(sections),
        changes=charts.CHANGES,
        counted={
            "Figures and comparisons": counted(others),
            "Counts and shapes": counted(counts),
        },
        headlines=headlines_table(results),
        places=_places(results),
        unbuilt=claims_table(
            [verdict for verdict in results.verdicts if verdict.dataset is None]
        ),
        sections=sections,
        meanings=MEANINGS,
        drawn=next(iter(networks), ""),
    )
    return printable(f"{text}\n", kept="\n")


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
        if block.startswith("- "):
            points = block.removeprefix("- ").split("\n- ")
            items = "".join(f"<li>{point}</li>" for point in points)
            blocks.append(f"<ul>{items}</ul>")
        else:
            blocks.append(f"<p>{block}</p>")
    return "".join(blocks)


def _by_kind(
    sections: Iterable[Mapping[str, Any]],
) -> dict[str, list[tuple[str, AnswerText]]]:
    """Return the tables of the first screen: title -> data sets and their answers.

    Tuned networks come first. Rows are in the order of the words.
    """
    words = [*Word]
    rows = [
        (section["dataset"].name, answer)
        for section in sections
        for answer in section["answers"]
    ]
    rows.sort(key=lambda row: words.index(row[1].answer.outcome))
    by_kind = {
        "Both sides tuned": [row for row in rows if row[1].tuned],
        "Untuned networks, as in the documents": [
            row for row in rows if not row[1].tuned
        ],
    }
    return {title: rows for title, rows in by_kind.items() if rows}


def _places(results: Results) -> dict[str, list[tuple[Evaluated, int]]]:
    """Return where the figures of each document stand.

    Heading of the document -> the data sets, and how many of its figures are about each.
    """
    documents = sorted({verdict.claim.document for verdict in results.verdicts})
    counts = Counter(
        (verdict.claim.document, verdict.dataset.name)
        for verdict in results.verdicts
        if verdict.dataset
    )
    return {
        heading(document): [
            (dataset, counts[document, dataset.name])
            for dataset in results.built
            if counts[document, dataset.name]
        ]
        for document in documents
    }


def _environment() -> "jinja2.Environment":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _ours(*files: str) -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in files)


def playable(built: Iterable[Evaluated]) -> dict[str, PlayableNetwork]:
    """Return data set -> its playable network, with its first `SEEDS` seeds.

    Only the first data set of each preparation has a network.

    Raises:
        UnrollError: a network.json is damaged.
    """
    networks: dict[str, PlayableNetwork] = {}
    for dataset in built:
        path = dataset.folder / "tables" / "network.json"
        if not path.exists():
            continue
        network = read_checked(path, PlayableNetwork)
        shown = {other.preparation for other in networks.values()}
        if network.preparation in shown or network.experiment not in dataset.titles:
            continue
        first = {"seeds": network.seeds[:SEEDS], "weights": network.weights[:SEEDS]}
        networks[dataset.name] = network.model_copy(update=first)
    return networks


def _labels(dataset: Evaluated, names: Iterable[str]) -> dict[str, str]:
    """Return the titles of models: short, or in full if two would be the same."""
    shown = {}
    for name in names:
        tuned = ", tuned" if dataset.experiments[name].trials else ""
        shown[name] = dataset.short[name] + tuned
    counts = Counter(shown.values())
    return {
        name: text if counts[text] == 1 else dataset.titles[name]
        for name, text in shown.items()
    }


def _section(
    results: Results, dataset: Evaluated, network: PlayableNetwork | None
) -> dict[str, Any]:
    """Return the values with which the template shows a data set.

    Only models that were trained on all rows are in the ranking.
    """
    axis, marks = charts.ranking(dataset, dataset.whole)
    scores = scores_table(dataset, dataset.experiments, dataset.opponent)
    ranked = [row for row in scores.rows if row["experiment"].text in marks]
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
        "standing": standing,
        "labels": _labels(dataset, standing),
        "standing_on": charts.ranking(dataset, standing, unit),
        "in_unit": in_unit,
        "claims": claims_table(verdicts, stand_in=dataset.about.stand_in),
        "plots": plots(dataset),
        "network": network,
        "mistakes": _mistakes(dataset),
        "axis": axis,
        "marks": marks,
        "ranked": ranked,
        "facts": _facts(dataset),
        "groups": groups_table(dataset, dataset.experiments),
    }


def _mistakes(dataset: Evaluated) -> list[dict[str, str]]:
    if not dataset.has("mistakes"):
        return []
    path = dataset.folder / "tables" / "mistakes.csv"
    table = read_table(path, experiment=str, truth=int, probability=float, words=str)
    table = table[table["experiment"].isin(dataset.compared)]
    columns = {
        "probability": (100 * table["probability"]).map("{:.1f} %".format),
        "truth": table["truth"].map({0: "bad", 1: "good"}),
        "experiment": table["experiment"].map(dataset.titles).map(capital),
    }
    rows: list[dict[str, str]] = table.assign(**columns).to_dict("records")
    return rows


def _facts(dataset: Evaluated) -> list[tuple[str, str]]:
    about = dataset.about
    unit = f", {about.scale.quantity} in {about.scale.unit}" if about.scale.unit else ""
    facts = [
        ("name", dataset.name),
        ("question", f"{KINDS[about.kind]}{unit}"),
        (
            "examples",
            ", ".join(f"{count:,} {split}" for split, count in about.examples.items()),
        ),
        ("input", " x ".join(map(str, about.input_shape))),
        ("compared by", title(about.metric)),
    ]
    if about.scale.unit:
        mean = f"{number(about.scale.mean)} {about.scale.unit}"
        std = f"{number(about.scale.std)} {about.scale.unit}"
        facts.append(("scale of train", f"mean {mean}, standard deviation {std}"))
    return facts + [(words, fact(value)) for words, value in about.facts.items()]
