"""What the fork server of `pool` imports before it forks: importing costs more than most trainings."""

import ctypes
import gc
import importlib
import os
import signal
import sys
import warnings

MODULES = (
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "sqlalchemy.dialects.sqlite",
    "mlflow.store.tracking.sqlalchemy_store",
    "stages.perform",
)
"""What every task imports, or one of its libraries. No thread of theirs runs after it."""


def end_with_parent() -> None:
    """Let the system kill this process when the one dies that has started it; only Linux can."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


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
