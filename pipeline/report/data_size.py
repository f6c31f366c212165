"""From how many rows on does recurrence pay? The best network and its opponent, each on shares of the train rows."""

from typing import TYPE_CHECKING

from pipeline.evaluation.answers import decided
from pipeline.report.panels import colour
from pipeline.report.results import Evaluated
from pipeline.report.svg import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(one: Evaluated) -> list[dict[float, str]]:
    """Share of the rows -> experiment, of each model that was trained on shares; the recurrent ones first."""
    found = []
    for whole, entry in one.experiments.items():
        shares = {
            other.share: name
            for name, other in one.experiments.items()
            if other.share < 1 and (other.layers, other.trials) == (entry.layers, entry.trials)
        }
        if entry.share == 1 and shares:
            found.append(dict(sorted(shares.items())) | {1.0: whole})
    return sorted(found, key=lambda curve: not one.experiments[curve[1.0]].recurrent)


def panel(one: Evaluated, network: dict[float, str], opponent: dict[float, str]) -> tuple[str, str]:
    """What each share says, in words; and its SVG."""
    metric, rows = one.about.metric, one.about.examples["train"]

    def draw(axes: "Axes") -> None:
        for curve in (network, opponent):
            own = colour(one, curve[1.0])
            stats = {
                share * rows: stat for share, name in curve.items() if (stat := one.experiments[name].score(metric))
            }
            low, high = zip(*(stat.mean_ci or (stat.mean, stat.mean) for stat in stats.values()), strict=True)
            axes.fill_between([*stats], low, high, color=own, alpha=0.2, linewidth=0)
            axes.plot([*stats], [stat.mean for stat in stats.values()], color=own, marker="o", markersize=2.5)
        axes.set_xscale("log")
        axes.set_xticks([share * rows for share in network], [f"{share * rows:,.0f}" for share in network])
        axes.minorticks_off()
        axes.set_xlabel("train examples")
        axes.set_ylabel(metric.upper())

    shares = sorted(network.keys() & opponent.keys())
    outcomes = decided(one.evaluation, {share: (network[share], opponent[share]) for share in shares})
    said = ", ".join(f"{share * rows:,.0f}: {outcome}" for share, (_, _, outcome) in outcomes.items())
    names = [one.titles[curve[1.0]] for curve in (network, opponent)]
    words = f"{names[0]} against {names[1]}, by train examples: {said}"
    return words, svg(draw, (4.6, 2.3), f"{one.name}: {words}", f"{one.name}/data-size")
