"""The page: one self-contained file, without scripts and without requests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation import answers
from pipeline.evaluation.claims import FAILS, HOLDS, LITTLE, NOT_BUILT, SCALED, STAND_IN, UNSURE
from pipeline.evaluation.scores import SEASON
from pipeline.report import plots
from pipeline.report.claims_table import claims_table
from pipeline.report.dataset_tables import dataset_tables
from pipeline.report.formatting import between, number, short, title
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

KINDS = {
    "forecast": "forecast of a later value",
    "regress": "a value from a value",
    "classify": "classification into two classes",
}


@dataclass(frozen=True)
class Plots:
    """Panels that belong together: a heading, how to read them, and experiment -> SVG."""

    title: str
    caption: str
    panels: dict[str, str]
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """What the page shows of one data set."""

    name: str
    stand_in: bool
    stale: str
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
    return environment.get_template("page.html.j2").render(
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 -- our own file
        trusted=Markup,
        signs=SIGNS,
        results=results,
        counts={
            "Figures and comparisons": _counts([v.outcome for v in results.verdicts if v.claim.kind != "count"]),
            "Counts and shapes": _counts([v.outcome for v in results.verdicts if v.claim.kind == "count"]),
        },
        answers=[(one.name, one.stand_in, *_answer(one, scaled=bool(results.scaled))) for one in results.built],
        claims=claims_table(results),
        sections=[_section(results, one) for one in results.built],
    )


def _counts(outcomes: list[str]) -> list[tuple[str, int, str]]:
    """Outcome, how often, and its plural."""
    return [(outcome, outcomes.count(outcome), many) for outcome, many in OUTCOMES.items() if outcome in outcomes]


def _answer(one: Evaluated, *, scaled: bool) -> tuple[str, str]:
    """Does this data set need a recurrent network: a word, and what is behind it."""
    found = answers.answer(one.wanted)
    if found.network is None or found.opponent is None:
        return "", "no recurrent network, or nothing to compare it with"
    weeks = one.about.weeks
    few = "too few seeds" if weeks is None or weeks >= SEASON else f"{weeks} weeks of test rows rank nothing"
    words = f"{found.network} against {found.opponent}: {few}"
    if found.difference:
        metric = one.about.metric
        apart = f"{title(metric)} differs by {between(found.difference.sure, metric)} on test"
        words = f"{found.network} against {found.opponent}: {apart}"
    if scaled or one.stand_in:
        return STAND_IN if one.stand_in else SCALED, words
    return {answers.BETTER: "yes", answers.WORSE: "no"}.get(found.outcome, found.outcome), words


def _section(results: Results, one: Evaluated) -> Section:
    shown = [group for group in _plots(one) if group.panels]
    return Section(one.name, one.stand_in, one.stale, _facts(one), dataset_tables(results, one), shown)


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


def _plots(one: Evaluated) -> list[Plots]:
    base = answers.strongest_opponent(one.wanted)
    dotted = f" Dotted: {base} on validation." if base and "validation" in one.about.examples else ""
    solid = " Solid: validation." if "validation" in one.about.examples else ""
    curves = Plots(
        "Loss by epoch",
        f"Dashed: train.{solid}{dotted} The same axes in every panel; a line for each seed.",
        plots.loss_curves(one, base),
    )
    if one.about.kind == "classify":
        caption = f"Validation, a line for each seed.{dotted} The same axes in every panel."
        return [curves, Plots("Accuracy by epoch", caption, plots.accuracy_curves(one, base))]
    weights = "weights of the best epoch" if "validation" in one.about.examples else "final weights"
    scatter = one.about.layout == "examples"
    dots = "Each dot is a test example; on the dotted line the prediction is exact."
    caption = dots if scatter else "Thick line: true values."
    thin = "" if scatter else " Thin line: predictions; what leaves the panel is off by more than a third of the range."
    shown = Plots(
        "Predictions on test", f"{caption}{thin} First seed, {weights}.", plots.predictions(one), wide=not scatter
    )
    caption = "Thick line: true values. Thin line: one true window, then its own predictions. First seed, last epoch."
    free = Plots("Free run", caption, plots.rollouts(one), wide=True)
    return [curves, shown, free]
