"""What the fork server imports before it forks (`unroll.runner.processes`), and what libraries do once after that."""

import gc
import importlib
import io
import sys
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


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in MODULES:
        importlib.import_module(name)
    # What libraries do once: read fonts, build tables. No thread and no random number comes of it.
    sys.modules["sqlalchemy.orm"].configure_mappers()
    figure = sys.modules["matplotlib.figure"].Figure()
    figure.subplots().set(yscale="log", ylim=(0.001, 1), title="title")
    figure.savefig(io.StringIO(), format="svg")
# Children neither search these objects for garbage nor, by that, copy the memory that they share.
gc.collect()
gc.freeze()
