"""The tables of one data set: its experiments side by side, as text and as values."""

import math
from collections.abc import Collection, Mapping

from pipeline.evaluation import answers
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Difference, Entry, Interval, Scores
from pipeline.metrics import MEASURES
from pipeline.report.charts import answer
from pipeline.report.claims_table import published_cell
from pipeline.report.formatting import DASH, changed, measured, short, signed, spread, title
from pipeline.report.results import Evaluated, Results
from pipeline.report.table import Cell, Column, Mark, Table


def dataset_tables(results: Results, one: Evaluated, only: Collection[str] = ()) -> list[Table]:
    """The table of a data set and, where its test set is scored in parts or fed back, a second one.

    `only` names the experiments to show; all if empty.
    """
    shown = {name: entry for name, entry in one.experiments.items() if not only or name in only}
    return [table for table in (_scores(results, one, shown), _parts(one, shown)) if table.rows]


def _scores(results: Results, one: Evaluated, shown: Mapping[str, Entry]) -> Table:
    about, metric = one.about, one.about.metric
    label, unit, validated = title(metric), about.scale.unit, "validation" in about.examples
    base = answers.strongest_opponent(one.evaluation)
    compared = answers.against(one.evaluation, base)
    columns = {
        "experiment": "Experiment",
        "parameters": "Parameters",
        "epochs": "Best epoch" if validated else "Epochs",
        "validation": f"Validation {label}, best epoch" if validated else "",
        "validation_final": f"Validation {label}, final" if validated else "",
        "test_best": f"Test {label}, selected" if validated else "",
        "test": f"Test {label}, final",
        "unit": f"Test MAE in {unit}" if unit else "",
        "mase": "Test MASE" if about.naive else "",
        "against": "vs best without" if base else "",
        "interval": "95 % interval" if base else "",
        "published": "Published",
    }
    sign, better = (-1, "higher") if MEASURES[metric].higher else (1, "lower")
    rows = []
    for name, entry in shown.items():
        score = entry.score(metric)
        row = _row(results, one, name) | _against(one, base, compared.get(name))
        rows.append((sign * score.mean if score else math.inf, "baseline" if entry.baseline else "", row))
    for words, value in about.floors.items():
        floor = dict.fromkeys(("test_best", "test"), Cell(measured(value, metric), value=value))
        floor["experiment"] = Cell(words, "floor")
        rows.append((sign * value, "floor", dict.fromkeys(columns, Cell()) | floor))
    rows.sort(key=lambda row: row[0])
    caption = "Of an earlier build. " if one.stale else ""
    caption += f"{label}, {better} is better; mean over seeds ± sample standard deviation."
    if validated:
        caption += " Selected: by the epoch that is best on validation, never on test."
    if about.naive:
        caption += " MASE is the MAE as a share of the seasonal naive forecast's on train."
    if base:
        caption += (
            f" The best without recurrence is {base}, chosen before the test. Against it (vs): the change in error and "
            "its interval, 95 % for the whole table (Holm)."
        )
    shown_columns = (
        Column(key, words, key not in {"experiment", "published"}) for key, words in columns.items() if words
    )
    return Table(
        one.name,
        f"{one.name}: {one.question}",
        caption,
        (*shown_columns,),
        tuple(row for _, _, row in rows),
        about.stand_in,
        tuple(kind for _, kind, _ in rows),
        answers=tuple(answer(one, found).line for found in one.answers),
    )


def _row(results: Results, one: Evaluated, name: str) -> dict[str, Cell]:
    about, metric, entry = one.about, one.about.metric, one.experiments[name]
    test, seeds = entry.chosen.get("test"), len(entry.seeds)
    share = test["mae"].mean / about.naive if about.naive and test and "mae" in test else None
    detail = f"{one.titles[name]} · {entry.fingerprint} · {seeds} seed{'s' if seeds > 1 else ''}"
    return {
        "experiment": Cell(name, detail=detail, value=name),
        "parameters": Cell(short(entry.parameters), value=entry.parameters),
        "epochs": _epochs(entry),
        "validation": _stat(entry.chosen.get("validation"), metric),
        "validation_final": _stat(entry.final.get("validation"), metric),
        "test_best": _stat(test, metric),
        "test": _stat(entry.final.get("test"), metric),
        "unit": _stat(test, "mae_unit", about.scale.unit),
        "mase": Cell(DASH) if share is None else Cell(f"{share:.3f}", value=share),
        "published": _figures(results, name),
    }


def _stat(scores: Scores | None, metric: str, unit: str = "") -> Cell:
    if not scores or metric not in scores:
        return Cell(DASH)
    stat = scores[metric]
    return Cell(measured(stat, metric, unit), spread(stat, metric), value=stat.model_dump(mode="json"))


def _horizon(one: Evaluated, rollout: Scores | None) -> Cell:
    """The median over seeds, as both ends are bounds of what can be seen, and the least and greatest."""
    if not rollout or "horizon" not in rollout or one.about.horizons is None:
        return Cell(DASH)
    stat, (least, most) = rollout["horizon"], one.about.horizons
    small = f"{stat.min:g} to {stat.max:g}; {least} to {most} can be seen"
    return Cell(f"{stat.median:g}", small, value=stat.model_dump(mode="json"))


def _epochs(entry: Entry) -> Cell:
    stat, epochs = entry.best_epoch, entry.epochs
    if stat is None:
        return Cell(short(epochs) if epochs else DASH, value=epochs)
    ends = sorted({int(stat.min), int(stat.max)})
    return Cell("-".join(map(str, ends)), f"of {epochs}", value=stat.model_dump(mode="json"))


def _against(
    one: Evaluated, base: str | None, compared: tuple[Difference, Interval, Outcome] | None
) -> dict[str, Cell]:
    if compared is None:
        return {"against": Cell(DASH), "interval": Cell(DASH)}
    difference, ends, outcome = compared
    value, metric = difference.model_dump(mode="json") | {"outcome": outcome}, one.about.metric
    mean, interval = signed(difference.mean, metric), " to ".join(signed(end, metric) for end in ends)
    if change := answers.change(one.evaluation, base, difference, ends):
        mean, interval = changed(change)
    return {"against": Cell(f"{mean} {outcome}", value=value), "interval": Cell(interval, value=list(ends))}


def _figures(results: Results, name: str) -> Cell:
    """The published results of one experiment with their verdicts; counts and shapes are in the claims' table alone."""
    own = (verdict for verdict in results.verdicts if verdict.claim.experiment == name)
    figures = (one for one in own if one.claim.metric.split(".")[0] in {"final", "best", "groups", "rollout"})
    marks = tuple(Mark(published_cell(verdict).text, verdict.outcome) for verdict in figures)
    return Cell(marks=marks, value=[{"published": mark.text, "verdict": mark.tone} for mark in marks])


def _parts(one: Evaluated, shown: Mapping[str, Entry]) -> Table:
    metric, stand_in = one.about.metric, one.about.stand_in
    groups = list(dict.fromkeys(group for entry in shown.values() for group in entry.groups))
    free = any(entry.rollout for entry in shown.values())
    columns = [Column("experiment", "Experiment", numeric=False)]
    columns += [Column(f"group_{group}", f"Test {title(metric)}, {group}") for group in groups]
    titles, caption = [], "Final weights."
    if groups:
        titles.append("parts of the test set")
        caption += " Inside and outside the range of x that was trained on."
    if free:
        columns += [Column("rollout", "Free run, MSE"), Column("horizon", "Free run, steps in phase (median)")]
        titles.append("own predictions fed back")
        caption += (
            " In the free run every prediction is fed back as an input; the phase is lost when the MSE over one period "
            "of the sine (13 steps) exceeds 0.5, what a constant 0 scores."
        )
    rows = []
    for name, entry in shown.items() if titles else ():
        row = {"experiment": Cell(name, value=name)}
        row |= {f"group_{group}": _stat(entry.groups.get(group), metric) for group in groups}
        rows.append(row | {"rollout": _stat(entry.rollout, "mse"), "horizon": _horizon(one, entry.rollout)})
    heading = f"{one.name}: {' and '.join(titles)}"
    kinds = tuple("baseline" if entry.baseline else "" for entry in shown.values())
    return Table(one.name, heading, caption, (*columns,), (*rows,), stand_in, kinds)
