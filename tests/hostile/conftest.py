"""A workspace whose params.yaml is small and sound: one section of every kind."""

from copy import deepcopy

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.workspaces.miniature import PARAMS


@pytest.fixture
def sections():
    """Its data, to change."""
    return deepcopy(PARAMS)


@pytest.fixture
def workspace(tmp_path, sections):
    workspace = Workspace(tmp_path)
    plain_yaml.write(sections, workspace.params)
    workspace.claims.write_text("[]", encoding="utf-8")
    return workspace
