"""The page: one self-contained file without requests, which can be read without its
script.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import tables
from pipeline.errors import printable
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.networks import PlayableNetwork
from pipeline.evaluation.outcome import Outcome
from pipeline.files import read_checked
from pipeline.report import charts, paragraphs
from pipeline.report.formatting import capital, fact, number, title
from pipeline.report.plots import VISIBLE, plots
from pipeline.report.result_tables import SIGNS, claims_table, dataset_tables
from pipeline.report.results import Evaluated, Results
from pipeline.report.sentences import answer_text, sentence

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent

KINDS = {
    "forecast": "forecast of a later value",
    "regress": "a value from a value",
    "classify": "classification into two classes",
}

ROOM = 150_000
SEEDS = 3
"""Bytes of weights and examples in a page, which is to stay below 1.2 MB with all else
that it holds; seeds of each."""


def page(results: Results) -> str:
    """The HTML of the page. The same results give the same bytes."""
    from markupsafe import Markup, escape

    environment = _environment()
    environment.filters |= {
        # A long name may break after an underscore.
        "breakable": lambda name: escape(name).replace("_", Markup("_<wbr>")),
        "capital": capital,
        "prose": lambda markdown: Markup(paragraphs.as_html(markdown)),  # noqa: S704 -- escaped there
    }
    networks = playable(results.built)
    sections = [
        _section(results, dataset, networks.get(dataset.name))
        for dataset in results.built
    ]
    counts = [verdict for verdict in results.verdicts if verdict.claim.kind == "count"]
    script = printable(_ours("page.js", "play.js"), kept="\n")
    text = environment.get_template("page.html.j2").render(
        style=Markup(_ours("page.css", "play.css")),  # noqa: S704 -- our own files
        script=Markup(script),  # noqa: S704
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        signs=SIGNS,
        results=results,
        sentence=sentence(
            [answer for section in sections for answer in section["answers"]]
        ),
        answers=sorted(sections, key=_first_outcome),
        changes=charts.CHANGES,
        counted={
            "Figures and comparisons": _judged(
                verdict for verdict in results.verdicts if verdict not in counts
            ),
            "Counts and shapes": _judged(counts),
        },
        claims=claims_table(results),
        sections=sections,
        curves=max(
            (
                len(group.key)
                for section in sections
                for group in section["plots"]
                if group.chosen
            ),
            default=0,
        ),
        outcomes=[*Outcome],
        chosen=VISIBLE,
    )
    return printable(f"{text}\n", kept="\n")


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
    """Data set -> the network to play with: of each preparation the first one's, with
    as many seeds as have room.

    Raises:
        UnrollError: a network.json is damaged.
    """
    networks: dict[str, PlayableNetwork] = {}
    room = ROOM
    preparations = set()
    for dataset in built:
        path = dataset.folder / "tables" / "network.json"
        network = read_checked(path, PlayableNetwork) if path.exists() else None
        if (
            network is None
            or network.preparation in preparations
            or network.experiment not in dataset.experiments
        ):
            continue
        inputs = sum(map(len, network.inputs))
        of_seed = len(network.weights[0])
        if weights := network.weights[: min(SEEDS, max(0, room - inputs) // of_seed)]:
            seeds = network.seeds[: len(weights)]
            networks[dataset.name] = network.model_copy(
                update={"seeds": seeds, "weights": weights}
            )
            room -= inputs + of_seed * len(weights)
            preparations.add(network.preparation)
    return networks


def _judged(verdicts: Iterable[Verdict]) -> Counter[Outcome]:
    """How many have which verdict, in the order of verdicts."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return Counter({outcome: counts[outcome] for outcome in Outcome if counts[outcome]})


def _section(
    results: Results, dataset: Evaluated, network: PlayableNetwork | None
) -> dict[str, Any]:
    """What the template shows of a data set; the ranking is of the models that were
    trained on all rows.
    """
    shown, (axis, marks) = (
        dataset_tables(results, dataset),
        charts.ranking(dataset, dataset.whole),
    )
    ranked = (
        [row for row in shown[0].rows if row["experiment"].text in marks]
        if shown
        else []
    )
    verdicts = [
        verdict
        for verdict in results.verdicts
        if verdict.dataset and verdict.dataset.name == dataset.name
    ]
    return {
        "dataset": dataset,
        "answers": [answer_text(dataset, answer) for answer in dataset.answers],
        "standing": charts.standing(dataset),
        "published": charts.figures(verdicts),
        "judged": _judged(
            verdict for verdict in verdicts if verdict.claim.kind != "count"
        ),
        "plots": plots(
            dataset,
            [row["experiment"].value for row in ranked if row["experiment"].value],
        ),
        "network": network,
        "mistakes": _mistakes(dataset),
        "axis": axis,
        "marks": marks,
        "ranked": ranked,
        "facts": _facts(dataset),
        "tables": shown,
    }


def _first_outcome(section: Mapping[str, Any]) -> int:
    """The place of a data set among the answers: that of its first outcome; last where
    nothing is answered.
    """
    outcomes = [*Outcome]
    return min(
        (outcomes.index(answer.outcome) for answer in section["answers"]),
        default=len(outcomes),
    )


def _mistakes(dataset: Evaluated) -> list[dict[str, str]]:
    if not dataset.has("mistakes"):
        return []
    path = dataset.folder / "tables" / "mistakes.csv"
    table = tables.read(path, experiment=str, truth=int, probability=float, words=str)
    compared = {
        name for answer in dataset.answers for name in (answer.network, answer.opponent)
    }
    table = table[table["experiment"].isin(compared)]
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
        mean, std = (
            f"{number(value)} {about.scale.unit}"
            for value in (about.scale.mean, about.scale.std)
        )
        facts.append(("scale of train", f"mean {mean}, standard deviation {std}"))
    return facts + [(words, fact(value)) for words, value in about.facts.items()]
