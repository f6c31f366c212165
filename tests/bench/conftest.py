import os
from unittest.mock import patch

import pytest


@pytest.fixture(autouse=True)
def environment():
    """The bench clears variables by which libraries choose their code; other tests of this process need them."""
    with patch.dict(os.environ):
        yield
