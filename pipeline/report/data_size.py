"""From how many rows on does recurrence pay? The best network and its opponent, each on shares of the train rows."""

from typing import TYPE_CHECKING

from pipeline.evaluation.answers import decided
from pipeline.report.panels import Plots, colour, key
from pipeline.report.results import Evaluated
from pipeline.report.svg import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(one: Evaluated) -> Plots | None:
    """What each share says, in words, and drawn; None where not a network and its opponent were trained on shares."""
    if len(both := curves(one)) != 2:
        return None
    network, opponent = both
    metric, rows = one.about.metric, one.about.examples["train"]

    def draw(axes: "Axes") -> None:
        for curve in both:
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
    names = [curve[1.0] for curve in both]
    words = f"{' against '.join(one.titles[name] for name in names)}, by train examples: {said}"
    drawn = svg(draw, (4.6, 2.3), f"{one.name}: {words}", f"{one.name}/data-size")
    caption = (
        "With the last eighth, quarter, half and all of the train rows, and the same options: the mean on test over "
        "seeds, and its 95 % interval. Corrected for how many are asked."
    )
    return Plots("How many rows recurrence needs", caption, {words: drawn}, key(one, names))


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
