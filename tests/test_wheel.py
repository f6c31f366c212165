"""The wheel: unpacked, and run in an empty folder where nothing leads to the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from pipeline.provenance import fingerprint
from pipeline.workspace import Workspace
from stages.resolve import resolve
from tests.conftest import Miniature
from tests.pipeline.config.test_extensions import MODEL
from tests.support import REPOSITORY, content
from tests.unroll.workspaces.test_checkout import git
from unroll.workspaces.new import new

SEVERAL = """
import sys
from unroll.__main__ import keep_notes_private, numerics
numerics.settle(), keep_notes_private()
from unroll.commands.main import invoke
from unroll.exits import run
sys.exit(max([run(lambda: invoke(line.split())) for line in sys.argv[1:]]))
"""
"""Runs several commands in one process, which has to import what they need once."""

LINES = """
  shop_mine: {dataset: shop, model: {family: mine, name: first}, training: {method: none}}
  shop_lasso: {dataset: shop, model: {family: seasonal, name: linear}, training: {method: sklearn, estimator: Lasso}}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the wheel is unpacked in, with what pip notes there."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"setup.py -q build -b {folder}/b egg_info -e {folder} bdist_wheel -b {folder}/c -d {folder}"
    subprocess.run([sys.executable, "-W", "ignore", *build.split()], cwd=REPOSITORY, check=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 5e6
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    (noted,) = (folder / "installed").glob("*.dist-info")
    (noted / "direct_url.json").write_text(json.dumps({"url": wheel.as_uri(), "archive_info": {}}))
    return folder / "installed"


def unroll(installed, folder, *lines, status=0):
    """What command lines print, both streams; `status`: the worst of theirs."""
    environment = Miniature(folder).environment | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    start = ["-c", SEVERAL, *lines] if lines[1:] else ["-m", "unroll", *lines[0].split()]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([sys.executable, *start], cwd=folder, env=environment, check=False, **streams)
    assert done.returncode == status, done.stdout
    return done.stdout


def test_in_an_empty_folder_the_documents_are_shown_and_nothing_is_written(installed, tmp_path):
    shown = unroll(installed, tmp_path, "doctor", "claims", "compare waves", "lab N")
    assert f"unroll: {fingerprint.package()}, installed; no project here" in shown
    assert shown.count("\n003 ") > 10
    assert "waves: the next value of noisy waves\nDoes a recurrent network help? " in shown
    assert "last value: test MSE 0.0205" in shown
    wrong = unroll(installed, tmp_path, "repro", "compare wavse", status=2)
    assert wrong.count("\n") == 2
    assert "`unroll new --documents FOLDER` with the four documents" in wrong
    assert wrong.endswith("Did you mean waves?\n")
    assert not [*tmp_path.iterdir()]


def test_an_installed_package_and_a_checkout_resolve_the_same_and_another_version_what_its_code_changes(
    installed, tmp_path
):
    """What `resolve` writes is what a stage depends on besides data, so it is out of date just where that differs."""
    (tmp_path / "mine").mkdir()
    new(tmp_path / "mine", documents=True)
    ours = Workspace(tmp_path / "mine")
    theirs = Workspace(tmp_path / "documents")
    unroll(installed, tmp_path, "new --documents documents", "--root documents resolve")
    before = content(theirs.root / "resolved")
    assert before == content(resolve(ours))
    assert len(before) > 300
    assert (theirs.root / "dvc.yaml").read_bytes() == (ours.root / "dvc.yaml").read_bytes()
    assert b"pipeline" not in (theirs.root / "dvc.yaml").read_bytes()

    shutil.copytree(installed, tmp_path / "another", copy_function=os.link)
    module = tmp_path / "another/pipeline/training/methods/by_hand.py"
    text = module.read_text(encoding="utf-8")
    module.unlink()
    module.write_text(f"{text}\nEDITED = True\n", encoding="utf-8")
    unroll(tmp_path / "another", theirs.root, "resolve")
    after = content(theirs.root / "resolved")
    assert after.keys() == before.keys()
    users = {name for name, made_of in before.items() if b'"pipeline.training.methods.by_hand"' in made_of}
    assert {name for name in before if before[name] != after[name]} == users
    assert 0 < len(users) < 50


def test_a_project_of_ones_own_is_answered_committed_cloned_and_verified(installed, tmp_path, request):
    """As a checkout answers it; with a model of one's own, whose edit is the cause that a report names."""
    unroll(installed, tmp_path, "new mine")
    assert "mine is there and not empty" in unroll(installed, tmp_path, "new mine", status=2)
    mine = tmp_path / "mine"
    wheel = (mine / "requirements.txt").read_text(encoding="utf-8").split()[-1]
    assert (mine / wheel).read_bytes() == next(installed.parent.glob("*.whl")).read_bytes()
    assert "\nnumpy==" in (mine / "constraints.txt").read_text(encoding="utf-8")
    if not request.config.getoption("--long"):
        return
    rows = (f"{2022 + i // 12}-{1 + i % 12:02}-01,{100 + 7 * (i % 12) + i * i % 5}" for i in range(112))
    (mine / "shop.csv").write_text("\n".join(["month,sales", *rows]) + "\n")
    unroll(installed, mine, "add shop.csv --yes")
    extension = mine / "unroll_extensions/models/mine.py"
    extension.parent.mkdir(parents=True)
    extension.write_text(MODEL)
    text = (mine / "params.yaml").read_text(encoding="utf-8")
    (mine / "params.yaml").write_text(text.replace("\nexperiments:\n", f"\nexperiments:{LINES}", 1), encoding="utf-8")
    shutil.copytree(mine, tmp_path / "checkout")
    assert "Lasso" in unroll(installed, mine, "answer shop.csv")
    unroll(REPOSITORY, tmp_path / "checkout", "answer shop.csv")
    assert (mine / "dvc.lock").read_bytes() == (tmp_path / "checkout/dvc.lock").read_bytes()
    git(mine, "add", ".")
    git(mine, "commit", "-qm", "All")
    assert not git(mine, "status", "--porcelain")
    assert not [name for name in git(mine, "ls-files").split() if name.endswith(".pyc")]
    git(mine, "clone", "-q", ".", str(tmp_path / "clone"))
    assert "have the same bytes" in unroll(installed, tmp_path / "clone", "verify")
    extension.write_text(MODEL.replace("times * inputs", "inputs"))
    unroll(installed, mine, "repro evaluate@shop")
    report = unroll(installed, mine, "report --against HEAD")
    assert "train@shop_mine  unroll_extensions/models/mine.py:5" in report
    assert "2 stages with other bytes" in report
