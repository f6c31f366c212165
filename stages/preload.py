"""What the fork server of `pool` imports before it forks: importing costs more than most trainings."""

import gc
import importlib
import os
import sys
import warnings

from pipeline.locks import end_with_parent

MODULES = (
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "sqlalchemy.dialects.sqlite",
    "mlflow.store.tracking.sqlalchemy_store",
    "stages.perform",
)
"""What every task imports, or one of its libraries. No thread of theirs runs after it."""


end_with_parent()
parent = os.environ.pop("UNROLL_PARENT", "")  # which `pool` sets
if parent and parent != str(os.getppid()):  # it died before the system was told
    os._exit(1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in MODULES:
        importlib.import_module(name)
    # What SQLAlchemy does once.
    sys.modules["sqlalchemy.orm"].configure_mappers()
# Children neither search these objects for garbage nor, by that, copy the memory that they share.
gc.collect()
gc.freeze()
