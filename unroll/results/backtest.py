"""What a backtest found, as a table for people."""

from pipeline.errors import printable
from pipeline.forecast.backtest import Backtest
from unroll import tables
from unroll.tables import Column

STEPS = 8
"""Steps ahead that are printed, of more as many, evenly spread."""


def show(found: Backtest) -> None:
    """Print every model, then the champion by step, and of several series by series."""
    own = f", {found.scale.unit}" if found.scale.unit else ""
    unit = ", standard deviations" if found.each else own
    print(
        printable(f"{found.dataset}: {found.origins} origins, {found.first} to {found.last}, {found.refits} fits each")
    )
    models = sorted(found.models.items(), key=lambda model: model[1].whole)
    texts = [
        [name, f"{one.whole:.4g}", "-" if one.mase is None else f"{one.mase:.3f}", _percent(one.held)]
        for name, one in models
    ]
    columns = [Column(heading, place > 0) for place, heading in enumerate(("Model", f"MAE{unit}", "MASE", "90 % held"))]
    tables.show(columns, texts)
    best = found.models[found.champion]
    if found.each:
        texts = [[name, f"{one.whole:.4g}", _percent(one.held)] for name, one in found.each.items()]
        columns = [Column(heading, place > 0) for place, heading in enumerate(("Series", f"MAE{own}", "90 % held"))]
        tables.show(columns, texts)
    places = sorted({round(place * (len(best.mae) - 1) / (STEPS - 1)) for place in range(STEPS)})
    texts = [[str(place + 1), f"{best.mae[place]:.4g}", _percent(best.coverage[place])] for place in places]
    columns = [Column(heading, number=True) for heading in ("Step", f"MAE{unit}", "90 % held")]
    members = f" It is that of {', '.join(found.members)}." if len(found.members) > 1 else ""
    tables.show(columns, texts, caption=f"\n{found.champion}: {found.why}.{members}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
