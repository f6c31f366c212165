"""What the fork server imports before it forks (`unroll.runner.processes`), and what libraries do once after that."""

import gc
import importlib
import io
import warnings

MODULES = (
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "sklearn.linear_model",
    "sqlalchemy.dialects.sqlite",
    "typer",
)
"""What every stage that records or plots imports, or one of its libraries. No thread of theirs runs after it."""


def _warm_up() -> None:
    """Do what libraries do once: read fonts, build tables. No thread and no random number comes of it."""
    from matplotlib.figure import Figure
    from sqlalchemy.orm import configure_mappers

    configure_mappers()
    figure = Figure()
    figure.subplots().set(yscale="log", ylim=(0.001, 1), title="title")
    figure.savefig(io.StringIO(), format="svg")


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in MODULES:
        importlib.import_module(name)
    _warm_up()
# Children neither search these objects for garbage nor, by that, copy the memory that they share.
gc.collect()
gc.freeze()
