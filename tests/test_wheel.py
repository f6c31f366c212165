"""The wheel: unpacked, and run in an empty folder where nothing leads to the checkout."""

import json
import re
import subprocess
import sys
import zipfile

import pytest

from pipeline.provenance import fingerprint
from pipeline.workspace import Workspace
from stages.resolve import resolve
from tests.conftest import Miniature
from tests.pipeline.config.test_extensions import MODEL
from tests.support import REPOSITORY
from unroll.workspaces.new import new

LINES = """
  shop_mine: {dataset: shop, model: {family: mine, name: first}, training: {method: none}}
  shop_lasso: {dataset: shop, model: {family: seasonal, name: linear}, training: {method: sklearn, estimator: Lasso}}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0")[:-1]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_file():
            (source / name).write_bytes((REPOSITORY / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    run([*build, "--wheel-dir", str(folder), "."], source, source)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 5e6
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def run(command, folder, path, status=0):
    """What a command prints that knows nothing of this checkout but Unroll's code in `path`."""
    variables = Miniature(path).environment | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


COMMANDS = """
import sys
from unroll import exits
from unroll.commands import main
for line in sys.argv[1:]:
    print("ended with", exits.run(lambda: main.invoke(line.split())), end="\\0", flush=True)
"""
"""Command lines, one after the other: a process for each would import everything again."""


def outputs(installed, folder, *lines):
    """What each command line of `unroll` prints, with its exit code behind it."""
    return run([sys.executable, "-c", COMMANDS, *lines], folder, installed).split("\0")[:-1]


def test_in_an_empty_folder_the_documents_are_shown_and_nothing_is_written(installed, tmp_path):
    doctor, claims, compare, lab = outputs(installed, tmp_path, "doctor", "claims --json", "compare waves", "lab N")
    assert f"unroll: {fingerprint.package()}, installed; no project here" in doctor
    assert len(json.loads(claims.removesuffix("ended with 0"))["rows"]) > 100
    assert re.search(r"Does a recurrent network help\? [a-z ]+ \(the documents' networks\)", compare), compare
    assert "last value: test MSE 0.0217" in lab
    wrong = run([sys.executable, "-m", "unroll", "repro"], tmp_path, installed, status=1)
    assert wrong.count("\n") == 1
    assert "`unroll new --documents FOLDER` with the four documents" in wrong
    assert not [*tmp_path.iterdir()]


def test_an_installed_package_and_a_checkout_resolve_the_same(installed, tmp_path):
    ours, theirs = (Workspace(tmp_path / name) for name in ("ours", "theirs"))
    ours.root.mkdir()
    new(ours.root, documents=True)
    resolve(ours)
    lines = ("new mine", "new mine", "new --documents theirs", f"--root {theirs.root} resolve")
    codes = [output.rpartition("ended with ")[2] for output in outputs(installed, tmp_path, *lines)]
    assert codes == ["0", "2", "0", "0"], "the second time the folder is there and not empty"
    files = sorted(path.relative_to(ours.root) for path in (ours.root / "resolved").rglob("*.json"))
    assert len(files) > 300
    assert all((ours.root / file).read_bytes() == (theirs.root / file).read_bytes() for file in files)
    assert "pipeline" not in (theirs.root / "dvc.yaml").read_text(encoding="utf-8")


def test_a_project_of_ones_own_is_answered_committed_cloned_and_verified(installed, tmp_path, request):
    if not request.config.getoption("--long"):
        pytest.skip("with --long only: minutes")

    def unroll(folder, *arguments):
        return run([sys.executable, "-m", "unroll", *arguments], folder, installed)

    unroll(tmp_path, "new", "mine")
    mine = tmp_path / "mine"
    rows = (f"{2022 + i // 12}-{1 + i % 12:02}-01,{100 + 7 * (i % 12) + i * i % 5}" for i in range(112))
    (mine / "shop.csv").write_text("\n".join(["month,sales", *rows]) + "\n")
    unroll(mine, "add", "shop.csv", "--yes")
    (mine / "unroll_extensions/models").mkdir(parents=True)
    (mine / "unroll_extensions/models/mine.py").write_text(MODEL)
    text = (mine / "params.yaml").read_text(encoding="utf-8")
    (mine / "params.yaml").write_text(text.replace("\nexperiments:\n", f"\nexperiments:{LINES}", 1), encoding="utf-8")
    assert "Lasso" in unroll(mine, "answer", "shop.csv")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("add", "."), ("commit", "-qm", "All"), ("clone", "-q", ".", str(tmp_path / "clone"))):
        subprocess.run(["git", *author, *words], cwd=mine, check=True)
    assert "have the same bytes" in unroll(tmp_path / "clone", "verify")
