"""A workspace whose params.yaml is small and sound: one section of every kind."""

from copy import deepcopy

import pytest

from pipeline import params
from pipeline.storage import Workspace
from stages.miniature import PARAMS


@pytest.fixture
def sections():
    """Its data, to change."""
    return deepcopy(PARAMS)


@pytest.fixture
def workspace(tmp_path, sections):
    workspace = Workspace(tmp_path)
    params.dump(sections, workspace.params)
    workspace.claims.write_text("[]", encoding="utf-8")
    return workspace
