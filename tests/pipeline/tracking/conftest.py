import logging

import pytest

from pipeline.tracking import store


@pytest.fixture(autouse=True, scope="module")
def alone():
    """No store of the user's, loggers as they were."""
    levels = {
        name: logging.getLogger(name).level for name in ("mlflow", "alembic", "urllib3")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name, value in store.SETTINGS.items():
            patch.setenv(name, value)
        yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
