"""The page: one self-contained file without requests, which can be read without its script."""

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import printable
from pipeline.evaluation.claims import FAILS, HOLDS, LITTLE, NOT_BUILT, SCALED, STAND_IN, UNSURE
from pipeline.report import charts
from pipeline.report.charts import Answer, Ranking
from pipeline.report.claims_table import claims_table
from pipeline.report.dataset_tables import dataset_tables
from pipeline.report.formatting import fact, number, title
from pipeline.report.plots import Plots, plots
from pipeline.report.results import Evaluated, Results
from pipeline.report.table import SIGNS, Table

FOLDER = Path(__file__).parent

OUTCOMES = {HOLDS: "hold", LITTLE: "say little", FAILS: "do not hold"}
OUTCOMES |= {outcome: outcome for outcome in (UNSURE, STAND_IN, SCALED, NOT_BUILT)}
"""In the order in which the page counts them, in the plural."""

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
    environment.filters["breakable"] = breakable
    # The user's own come first.
    sections = [_section(results, one) for one in sorted(results.built, key=lambda one: not one.own)]
    text = environment.get_template("page.html.j2").render(
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 -- our own files
        script=Markup((FOLDER / "page.js").read_text(encoding="utf-8")),  # noqa: S704
        trusted=Markup,
        signs=SIGNS,
        results=results,
        stand_ins=[one.name for one in results.built if one.about.stand_in],
        counted=_counted(results),
        own_only=all(one.own for one in results.built),
        figures=charts.figures(results.verdicts),
        claims=claims_table(results),
        sections=sections,
        curves=max((len(group.overlay.looks) for one in sections for group in one.plots if group.overlay), default=0),
    )
    return printable(text, kept="\n")


def _counted(results: Results) -> str:
    """How many measured figures and comparisons have which verdict; counts and shapes apart."""
    parts = []
    for words, of_kind in (("Figures and comparisons", False), ("Counts and shapes", True)):
        found = [verdict.outcome for verdict in results.verdicts if (verdict.claim.kind == "count") == of_kind]
        each = [f"{found.count(o)} {o if found.count(o) == 1 else many}" for o, many in OUTCOMES.items() if o in found]
        parts += [f"{words}: {', '.join(each)}."] if each else []
    return " ".join(parts)


def _section(results: Results, one: Evaluated) -> Section:
    answers, ranking = [charts.answer(one, found) for found in one.answers], charts.ranking(one)
    if results.scaled or one.about.stand_in:
        word = STAND_IN if one.about.stand_in else SCALED
        answers = [replace(answer, word=word if answer.word else "") for answer in answers]
    drawn = plots(one, [row.name for row in ranking.rows if row.kind != "floor"])
    return Section(one, answers, ranking, _mistakes(one), _facts(one), dataset_tables(results, one), drawn)


def _mistakes(one: Evaluated) -> list[dict[str, str]]:
    table = one.table("mistakes")
    if table is None:
        return []
    said, truth = (100 * table["probability"]).map("{:.1f} %".format), table["truth"].map({0: "bad", 1: "good"})
    rows: list[dict[str, str]] = table.assign(probability=said, truth=truth).to_dict("records")
    return rows


def _facts(one: Evaluated) -> list[tuple[str, str]]:
    about = one.about
    unit = f", {about.scale.quantity} in {about.scale.unit}" if about.scale.unit else ""
    facts = [
        ("question", f"{KINDS[about.kind]}{unit}"),
        ("examples", ", ".join(f"{count:,} {split}" for split, count in about.examples.items())),
        ("input", " x ".join(map(str, about.input_shape))),
        ("compared by", title(about.metric)),
    ]
    if about.scale.unit:
        mean, std = (f"{number(value)} {about.scale.unit}" for value in (about.scale.mean, about.scale.std))
        facts.append(("scale of train", f"mean {mean}, standard deviation {std}"))
    return facts + [(words, fact(value)) for words, value in about.facts.items()]
