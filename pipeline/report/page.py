"""The page: one self-contained file without requests, which can be read without its script."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import printable
from pipeline.evaluation import answers
from pipeline.evaluation.claims import FAILS, HOLDS, LITTLE, NOT_BUILT, SCALED, STAND_IN, UNSURE
from pipeline.plots.compact import Shared
from pipeline.plots.svg import colours
from pipeline.report import charts, plots
from pipeline.report.charts import Answer, Ranking
from pipeline.report.claims_table import claims_table
from pipeline.report.dataset_tables import dataset_tables
from pipeline.report.explanations import Plots, explanations
from pipeline.report.formatting import number, short, title
from pipeline.report.results import Evaluated, Results
from pipeline.report.table import SIGNS, Table

FOLDER = Path(__file__).parent

OUTCOMES = {
    HOLDS: "hold",
    LITTLE: "say little",
    FAILS: "do not hold",
    UNSURE: UNSURE,
    STAND_IN: STAND_IN,
    SCALED: SCALED,
    NOT_BUILT: NOT_BUILT,
}
"""In the order in which the page counts them, in the plural."""

TELLING = 4
"""Experiments whose predictions are shown of a series."""

KINDS = {
    "forecast": "forecast of a later value",
    "regress": "a value from a value",
    "classify": "classification into two classes",
}


@dataclass(frozen=True)
class Mistake:
    """A review that an experiment is sure of and wrong about: what it is, how good it is said to be, its last words."""

    experiment: str
    truth: str
    probability: str
    words: str


@dataclass(frozen=True)
class Section:
    """What the page shows of one data set."""

    name: str
    question: str
    own: bool
    stand_in: bool
    stale: str
    on_validation: bool
    answer: Answer
    ranking: Ranking
    mistakes: list[Mistake]
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
    shared = Shared()
    # The user's own come first.
    sections = sorted((_section(results, one, shared) for one in results.built), key=lambda section: not section.own)
    style = colours() + (FOLDER / "page.css").read_text(encoding="utf-8") + shared.style()
    text = environment.get_template("page.html.j2").render(
        style=Markup(style),  # noqa: S704 -- our own files
        script=Markup((FOLDER / "page.js").read_text(encoding="utf-8")),  # noqa: S704
        trusted=Markup,
        signs=SIGNS,
        results=results,
        counted=_counted(results),
        own_only=all(one.own for one in results.built),
        figures=charts.figures(results.verdicts),
        claims=claims_table(results),
        sections=sections,
        curves=max((len(group.overlay.names) for one in sections for group in one.plots if group.overlay), default=0),
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


def _answer(one: Evaluated, *, scaled: bool) -> Answer:
    found = charts.answer(one)
    if found.word and (scaled or one.stand_in):
        return replace(found, word=STAND_IN if one.stand_in else SCALED)
    return found


def _section(results: Results, one: Evaluated, shared: Shared) -> Section:
    ranking = charts.ranking(one)
    groups = [group for group in [*explanations(one), *_plots(one, ranking)] if group.panels]
    return Section(
        one.name,
        one.question,
        one.own,
        one.stand_in,
        one.stale,
        "validation" in one.about.examples,
        _answer(one, scaled=bool(results.scaled)),
        ranking,
        _mistakes(one),
        _facts(one),
        dataset_tables(results, one),
        [replace(group, panels=shared.panels(group.panels)) for group in groups],
    )


def _mistakes(one: Evaluated) -> list[Mistake]:
    table = one.table("mistakes")
    if table is None:
        return []
    return [
        Mistake(row.experiment, "good" if row.truth else "bad", f"{100 * row.probability:.1f} %", row.words)
        for row in table.itertuples()
    ]


def _facts(one: Evaluated) -> list[tuple[str, str]]:
    about = one.about
    unit = f", {about.scale.quantity} in {about.scale.unit}" if about.scale.unit else ""
    examples = ", ".join(f"{count:,} {split}" for split, count in about.examples.items())
    shape = " x ".join(map(str, about.input_shape))
    facts = [
        ("question", f"{KINDS[about.kind]}{unit}"),
        ("examples", examples),
        ("input", shape),
        ("compared by", title(about.metric)),
    ]
    if about.scale.unit:
        mean, std = (f"{number(value)} {about.scale.unit}" for value in (about.scale.mean, about.scale.std))
        facts.append(("scale of train", f"mean {mean}, standard deviation {std}"))
    return facts + [(str(words), _fact(value)) for words, value in about.facts.items()]


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return short(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_fact(each)}" for key, each in value.items())
    return ", ".join(map(_fact, value)) if isinstance(value, list) else str(value)


def _telling(one: Evaluated, ranking: Ranking) -> list[str]:
    """Of a series with many experiments those whose predictions are shown; all of them would be most of the page."""
    ranked = [row.name for row in ranking.rows if row.kind != "floor"]
    if one.about.layout != "windows" or len(ranked) <= TELLING + 1:
        return []
    found = answers.answer(one.wanted)
    simplest = next(iter(one.experiments))
    return list(filter(None, [*ranked[:TELLING], found.network, found.opponent, simplest]))


def _plots(one: Evaluated, ranking: Ranking) -> list[Plots]:
    base = ranking.base
    dotted = f" Dotted: {base} on validation." if base and "validation" in one.about.examples else ""
    solid = " Solid: validation." if "validation" in one.about.examples else ""
    curves = Plots(
        "Loss by epoch",
        f"Dashed: train.{solid}{dotted} The same axes in every panel; a line for each seed.",
        plots.loss_curves(one, base),
        overlay=plots.overlay(one, [row.name for row in ranking.rows]),
    )
    if one.about.kind == "classify":
        lines = f"Dashed: train, while it learns. Solid: validation. A line for each seed.{dotted}"
        caption = f"{lines} The same axes in every panel."
        return [curves, Plots("Accuracy by epoch", caption, plots.accuracy_curves(one, base))]
    weights = "weights of the best epoch" if "validation" in one.about.examples else "final weights"
    scatter, shown = one.about.layout == "examples", _telling(one, ranking)
    dots = "Each dot is a test example; on the dotted line the prediction is exact."
    caption = dots if scatter else "Thick line: true values."
    thin = "" if scatter else " Thin line: predictions; what leaves the panel is off by more than a third of the range."
    some = f" The {TELLING} best, and the simplest." if shown else ""
    panels = plots.predictions(one, shown)
    found = Plots("Predictions on test", f"{caption}{thin} First seed, {weights}.{some}", panels, wide=not scatter)
    caption = "Thick line: true values. Thin line: one true window, then its own predictions. First seed, last epoch."
    free = Plots("Free run", caption, plots.rollouts(one), wide=True)
    return [curves, found, free]
