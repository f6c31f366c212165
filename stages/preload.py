"""What a server imports before it forks (`stages/server.py`), and what libraries do once after that."""

import importlib
import io
import os
import warnings

STAGES = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "sklearn.linear_model",
    "sqlalchemy.dialects.sqlite",
    "typer",
)
"""What every stage that records or plots imports, or one of its libraries."""

IMPORTS = {
    "stages": STAGES,
    "networks": (*STAGES, "keras"),
    "dvc": (
        "configobj",
        "dvc.cachemgr",
        "dvc.commands.repro",
        "dvc.data_cloud",
        "dvc.dirs",
        "dvc.lock",
        "dvc.parsing.interpolate",
        "dvc.repo.artifacts",
        "dvc.repo.datasets",
        "dvc.repo.metrics",
        "dvc.repo.params",
        "dvc.repo.plots",
        "dvc.repo.reproduce",
        "dvc.repo.stage",
        "dvc.rwlock",
        "dvc.scm",
        "dvc.stage.cache",
        "dvc.utils.strictyaml",
        "dvc_data.hashfile.db.local",
        "dvc_data.hashfile.status",
        "psutil",
        "pyparsing",
        "ruamel.yaml",
    ),
}
"""What a server of each kind imports before it forks; that of networks imports TensorFlow first."""

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""What `pipeline.networks.start` sets before TensorFlow is imported; a test compares the two."""


def prepare(kind: str) -> None:
    """Import what `kind` of `IMPORTS` needs; no thread of Python or of a library runs after it."""
    if kind == "networks":
        # As `networks.start`, but for the number of threads: asking for it, TensorFlow reads where programs are kept,
        # which each child decides (stages/programs.py).
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        importlib.import_module("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in IMPORTS[kind]:
            importlib.import_module(name)
        _warm_up(kind)


def _warm_up(kind: str) -> None:
    """Do what libraries do once: read fonts, build tables and grammars. No thread and no random number comes of it."""
    if kind == "dvc":
        from dvc.cli.parser import get_main_parser

        get_main_parser()
        return
    from matplotlib.figure import Figure
    from sqlalchemy.orm import configure_mappers

    configure_mappers()
    figure = Figure()
    figure.subplots().set(yscale="log", ylim=(0.001, 1), title="title")
    figure.savefig(io.BytesIO(), format="png")
