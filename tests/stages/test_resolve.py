import subprocess
import sys

import pytest

from pipeline.config import params
from pipeline.workspace import Workspace
from tests.support import REPOSITORY


@pytest.fixture
def workspace(tmp_path):
    for name in ("pipeline", "stages", ".ci"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    return Workspace(tmp_path)


def test_every_stage_of_the_repository_has_a_file_and_no_library_that_trains_is_imported(workspace):
    code = "import sys; from unroll.commands.main import invoke; invoke(sys.argv[1:])\n"
    code += "print(*({'tensorflow', 'keras', 'pandas', 'mlflow', 'sklearn'} & {*sys.modules}))"
    command = [sys.executable, "-c", code, "--root", str(workspace.root), "resolve"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout
    folder, every = workspace.root / "resolved", params.load(workspace.params)
    assert output == f"{folder}\n\n"
    wanted = {"report"} | {f"source/{name}" for name in every.sources} | {f"train/{name}" for name in every.experiments}
    wanted |= {f"{verb}/{name}" for verb in ("prepare", "evaluate") for name in every.datasets}
    assert {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.json")} == wanted
