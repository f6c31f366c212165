"""The tables of one data set: its experiments side by side, as text and as values."""

from collections.abc import Collection, Mapping

from pipeline.evaluation import answers
from pipeline.evaluation.schema import Difference, Entry, Scores
from pipeline.metrics import MEASURES
from pipeline.report.claims_table import one_value, published_cell
from pipeline.report.formatting import DASH, between, measured, short, signed, spread, title
from pipeline.report.results import Evaluated, Results
from pipeline.report.table import Cell, Column, Mark, Table


def dataset_tables(results: Results, one: Evaluated, only: Collection[str] = ()) -> list[Table]:
    """The table of a data set and, where its test set is scored in parts or fed back, a second one.

    Args:
        results: for the verdicts.
        one: the data set.
        only: the experiments to show; all if empty.
    """
    shown = {name: entry for name, entry in one.experiments.items() if not only or name in only}
    return [table for table in (_scores(results, one, shown), _parts(one, shown)) if table.rows]


def _scores(results: Results, one: Evaluated, shown: Mapping[str, Entry]) -> Table:
    about, metric = one.about, one.about.metric
    label, unit = title(metric), about.scale.unit
    base = answers.strongest_opponent(one.wanted)
    compared = answers.against(one.wanted, base)
    columns = [Column("experiment", "Experiment", numeric=False), Column("parameters", "Parameters")]
    columns.append(Column("epochs", "Best epoch" if "validation" in about.examples else "Epochs"))
    if "validation" in about.examples:
        columns.append(Column("validation", f"Validation {label}, best epoch"))
        columns.append(Column("validation_final", f"Validation {label}, final"))
        columns.append(Column("test_best", f"Test {label}, best epoch"))
    columns.append(Column("test", f"Test {label}, final"))
    if unit:
        columns.append(Column("unit", f"Test MAE in {unit}"))
    if about.naive:
        columns.append(Column("mase", "Test MASE"))
    if base:
        columns.append(Column("against", f"Test {label} against {base}"))
    columns.append(Column("published", "Published", numeric=False))
    rows = [
        _row(results, one, name, entry) | {"against": _against(one, compared.get(name))}
        for name, entry in shown.items()
    ]
    kinds = ["baseline" if entry.baseline else "" for entry in shown.values()]
    for words, value in about.floors.items():
        floor = {"experiment": Cell(words, "floor"), "test": Cell(one_value(value, metric, ""), value=value)}
        rows.append({column.key: Cell() for column in columns} | floor)
        kinds.append("floor")
    better = "higher" if MEASURES[metric].higher else "lower"
    caption = f"{label}, {better} is better; mean over seeds ± sample standard deviation."
    if one.stale:
        caption = f"Of an earlier build. {caption}"
    if "validation" in about.examples:
        caption += " The best epoch is chosen on validation, never on test."
    if about.naive:
        caption += " MASE is the MAE as a share of the seasonal naive forecast's on train."
    if base:
        caption += f" {base} is the strongest that has no recurrence; the difference to it has a 95 % interval, and is"
        caption += " called better or worse where that excludes zero after Holm's correction."
    return Table(one.name, f"{one.name}: experiments", caption, tuple(columns), tuple(rows), one.stand_in, tuple(kinds))


def _row(results: Results, one: Evaluated, name: str, entry: Entry) -> dict[str, Cell]:
    metric, unit = one.about.metric, one.about.scale.unit
    final, best = entry.final, entry.chosen
    seeds = len(entry.seeds)
    detail = f"{entry.fingerprint} · {seeds} seed{'s' if seeds > 1 else ''}"
    return {
        "experiment": Cell(name, "stand-in" if one.stand_in else "", detail, value=name),
        "parameters": Cell(short(entry.parameters), value=entry.parameters),
        "epochs": _epochs(entry),
        "validation": _stat(best.get("validation"), metric),
        "validation_final": _stat(final.get("validation"), metric),
        "test_best": _stat(entry.best["test"] if entry.best else None, metric),
        "test": _stat(final.get("test"), metric),
        "unit": _stat(best.get("test"), "mae_unit", unit),
        "mase": _mase(one, best.get("test")),
        "published": _figures(results, name),
    }


def _stat(scores: Scores | None, metric: str, unit: str = "") -> Cell:
    if not scores or metric not in scores:
        return Cell(DASH)
    stat = scores[metric]
    return Cell(measured(stat, metric, unit), spread(stat, metric), value=stat.model_dump(mode="json"))


def _mase(one: Evaluated, test: Scores | None) -> Cell:
    if not one.about.naive or not test or "mae" not in test:
        return Cell(DASH)
    share = test["mae"].mean / one.about.naive
    return Cell(f"{share:.3f}", value=share)


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


def _against(one: Evaluated, compared: tuple[Difference, str] | None) -> Cell:
    if compared is None:
        return Cell(DASH)
    difference, outcome = compared
    metric = one.about.metric
    small = f"{between(difference.sure, metric)}, {outcome}"
    return Cell(signed(difference.mean, metric), small, value=difference.model_dump(mode="json"))


def _figures(results: Results, name: str) -> Cell:
    """The published results of one experiment with their verdicts; counts and shapes are in the claims' table alone."""
    marks = []
    for verdict in results.verdicts:
        claim = verdict.claim
        if claim.experiment == name and claim.metric.split(".")[0] in {"final", "best", "groups", "rollout"}:
            marks.append(Mark(published_cell(verdict).text, verdict.outcome))
    return Cell(marks=tuple(marks), value=[{"published": mark.text, "verdict": mark.tone} for mark in marks])


def _parts(one: Evaluated, shown: Mapping[str, Entry]) -> Table:
    metric = one.about.metric
    groups = {group: None for entry in shown.values() for group in entry.groups}
    columns = [Column("experiment", "Experiment", numeric=False)]
    columns += [Column(f"group_{group}", f"Test {title(metric)}, {group}") for group in groups]
    free = any(entry.rollout for entry in shown.values())
    if free:
        columns += [Column("rollout", "Free run, MSE"), Column("horizon", "Free run, steps in phase (median)")]
    rows = []
    for name, entry in shown.items() if groups or free else ():
        row = {"experiment": Cell(name, "stand-in" if one.stand_in else "", value=name)}
        row |= {f"group_{group}": _stat(entry.groups.get(group), metric) for group in groups}
        row |= {"rollout": _stat(entry.rollout, "mse"), "horizon": _horizon(one, entry.rollout)}
        rows.append(row)
    heading = f"{one.name}: {'parts of the test set' if groups else ''}{' and ' if groups and free else ''}"
    heading += "own predictions fed back" if free else ""
    caption = "Final weights. " + ("Inside and outside the range of x that was trained on. " if groups else "")
    if free:
        caption += (
            "In the free run every prediction is fed back as an input; the phase is lost when the MSE over one period "
            "of the sine (13 steps) exceeds 0.5, what a constant 0 scores."
        )
    kinds = tuple("baseline" if entry.baseline else "" for entry in shown.values())
    return Table(one.name, heading, caption.strip(), tuple(columns), tuple(rows), one.stand_in, kinds)
