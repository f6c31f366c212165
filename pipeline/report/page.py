"""The page: one self-contained file without requests, which can be read without its script."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import printable
from pipeline.evaluation.networks import Network
from pipeline.evaluation.outcome import Outcome
from pipeline.report import charts, play
from pipeline.report.charts import CHANGES, Answer, Ranking, capital
from pipeline.report.claims_table import claims_table
from pipeline.report.dataset_tables import dataset_tables
from pipeline.report.formatting import fact, number, title
from pipeline.report.panels import Plots
from pipeline.report.plots import CHOSEN, plots
from pipeline.report.results import Evaluated, Results
from pipeline.report.table import SIGNS, Table

FOLDER = Path(__file__).parent

KINDS = {
    "forecast": "forecast of a later value",
    "regress": "a value from a value",
    "classify": "classification into two classes",
}


@dataclass(frozen=True)
class Section:
    """What the page shows of one data set; `mistakes` are rows of mistakes.csv."""

    one: Evaluated
    answers: list[Answer]
    ranking: Ranking
    mistakes: list[dict[str, str]]
    facts: list[tuple[str, str]]
    tables: list[Table]
    plots: list[Plots]
    network: Network | None


def page(results: Results) -> str:
    """The HTML of the page. The same results give the same bytes."""
    import jinja2
    from markupsafe import Markup, escape

    def breakable(name: str) -> Markup:
        """A long name that may break after an underscore."""
        return escape(name).replace("_", Markup("_<wbr>"))

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"breakable": breakable, "capital": capital}
    # The user's own come first.
    built = results.built
    networks = play.networks(built)
    sections = [_section(results, one, networks.get(one.name)) for one in built]
    script = printable(_ours("page.js", "play.js"), kept="\n")
    text = environment.get_template("page.html.j2").render(
        style=Markup(_ours("page.css", "play.css")),  # noqa: S704 -- our own files
        script=Markup(script),  # noqa: S704
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        trusted=Markup,
        signs=SIGNS,
        results=results,
        sentence=sentence([answer for section in sections for answer in section.answers]),
        answers=sorted(sections, key=lambda each: min(map(_place, each.answers))),
        changes=CHANGES,
        stand_ins=[one.question for one in results.built if one.about.stand_in],
        counted=_counted(results),
        figures=charts.figures(results.verdicts),
        claims=claims_table(results),
        sections=sections,
        curves=max((len(group.key) for one in sections for group in one.plots if group.overlay), default=0),
        outcomes=[*Outcome],
        chosen=CHOSEN,
    )
    return printable(text, kept="\n")


def _ours(*files: str) -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in files)


def sentence(answers: Sequence[Answer]) -> str:
    """All answers in one sentence."""
    tuned = Counter(answer.outcome for answer in answers if answer.tuned)
    found = Counter(answer.outcome for answer in answers if not answer.tuned)
    unsure = found[Outcome.UNSURE]
    if not (every := found[Outcome.YES] + found[Outcome.NO] + unsure):
        return "No figure here is a result" if found else "Nothing is built yet"
    asked = f"{every} question{'s' if every > 1 else ''}"
    words = f"A recurrent network helps on {_shares(found, asked)}"
    if tuned:
        return f"{words}; tuned, on {_shares(tuned, str(tuned.total()))}"
    return f"{words}{f'; on {unsure} we cannot tell' if unsure else ''}"


def _shares(found: Counter[Outcome], of: str) -> str:
    no = found[Outcome.NO]
    return f"{found[Outcome.YES] or 'none'} of {of}{f', not on {no}' if no else ''}"


def _place(answer: Answer) -> int:
    return [*Outcome].index(answer.outcome)


def _counted(results: Results) -> list[tuple[str, list[tuple[Outcome, int]]]]:
    """How many measured figures and comparisons have which verdict; counts and shapes apart."""
    parts = []
    for words, of_kind in (("Figures and comparisons", False), ("Counts and shapes", True)):
        found = Counter(verdict.outcome for verdict in results.verdicts if (verdict.claim.kind == "count") == of_kind)
        parts += [(words, [(outcome, found[outcome]) for outcome in Outcome if found[outcome]])] if found else []
    return parts


def _section(results: Results, one: Evaluated, network: Network | None) -> Section:
    answers, ranking = [charts.answer(one, found) for found in one.answers], charts.ranking(one)
    drawn = plots(one, [row.name for row in ranking.rows if row.family != "floor"])
    return Section(one, answers, ranking, _mistakes(one), _facts(one), dataset_tables(results, one), drawn, network)


def _mistakes(one: Evaluated) -> list[dict[str, str]]:
    table = one.table("mistakes")
    if table is None:
        return []
    compared = {name for answer in one.answers for name in (answer.network, answer.opponent)}
    table = table[table["experiment"].isin(compared)]
    said, truth = (100 * table["probability"]).map("{:.1f} %".format), table["truth"].map({0: "bad", 1: "good"})
    named = table["experiment"].map(one.titles).map(capital)
    rows: list[dict[str, str]] = table.assign(probability=said, truth=truth, experiment=named).to_dict("records")
    return rows


def _facts(one: Evaluated) -> list[tuple[str, str]]:
    about = one.about
    unit = f", {about.scale.quantity} in {about.scale.unit}" if about.scale.unit else ""
    facts = [
        ("name", one.name),
        ("question", f"{KINDS[about.kind]}{unit}"),
        ("examples", ", ".join(f"{count:,} {split}" for split, count in about.examples.items())),
        ("input", " x ".join(map(str, about.input_shape))),
        ("compared by", title(about.metric)),
    ]
    if about.scale.unit:
        mean, std = (f"{number(value)} {about.scale.unit}" for value in (about.scale.mean, about.scale.std))
        facts.append(("scale of train", f"mean {mean}, standard deviation {std}"))
    return facts + [(words, fact(value)) for words, value in about.facts.items()]
