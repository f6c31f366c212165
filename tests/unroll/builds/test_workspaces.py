"""A clone of a small repository, in which nothing is run; tests/unroll/builds/test_verify.py
builds."""

import subprocess
import zlib

import pytest
from dvc.repo import Repo

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.files import remove, write_text
from pipeline.provenance.git import LOCAL, environment
from pipeline.workspace import Workspace
from tests.support import REPOSITORY, content
from unroll.builds import demo, repro, verify

FILES = {
    ".dvc/config": "[cache]\n    dir = /shared\n['remote \"team\"']\n    url = s3://team\n",
    ".gitignore": "/.verify/\n/.unroll/\n",
    "dvc.lock": "schema: '2.0'\n",
    "params.yaml": "committed: 1\n",
    "pipeline/code.py": "committed = 1\n",
}


def git(root, *arguments):
    who = [
        "-c",
        "user.name=A Tester",
        "-c",
        "user.email=tester@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    done = subprocess.run(
        ["git", "-C", str(root), *who, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "user's own"
    for name, text in FILES.items():
        write_text(root / name, text)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    return root


def test_a_hook_of_another_repository_does_not_lead_git_or_dvc_there(
    repository, tmp_path, monkeypatch
):
    """Git sets these variables for its hooks, and for `git commit -a` an index, too."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    git(theirs, "init", "-q")
    (theirs / "staged").write_text("mine")
    git(theirs, "add", "staged")
    before = content(theirs)
    assert len(before) > 5
    own = verify.last_commit(repository)
    monkeypatch.setenv("GIT_DIR", str(theirs / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(theirs / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(theirs))
    assert verify.last_commit(repository) == own
    verify.clone(repository, tmp_path / "clone")
    small = tmp_path / "demo"
    small.mkdir()
    demo.commit(repository, small, "what is asked")
    assert demo.git(small, "log", "--format=%s") == "what is asked\n"
    assert content(theirs) == before
    assert not environment().keys() & {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"}
    assert not repro.environment(Workspace(repository)).keys() & {*LOCAL}


def test_the_list_of_variables_is_whole(tmp_path):
    assert {*git(tmp_path, "rev-parse", "--local-env-vars").split()} <= {*LOCAL}


def contents(folder):
    """Name -> text of the files in a folder, but for git's."""
    every = content(folder).items()
    return {name: data.decode() for name, data in every if name[:5] != ".git/"}


def users_own(root):
    """Name -> bytes of all files but those of a verification, also git's."""
    every = content(root).items()
    return {name: data for name, data in every if name[:8] != ".verify/"}


def test_a_clone_has_what_is_committed_and_a_cache_of_its_own(repository):
    (repository / "params.yaml").write_text("edited: 1\n")
    (repository / "pipeline/new.py").touch()
    status = git(repository, "status", "--porcelain")
    whole = users_own(repository)
    folder = repository / ".verify/rebuild"
    verify.clone(repository, folder)
    assert contents(folder) == FILES | {".dvc/config.local": verify.OWN_CACHE}
    assert git(folder, "rev-parse", "HEAD") == verify.last_commit(repository)
    assert users_own(repository) == whole, (
        "git wrote nothing into the user's repository"
    )
    assert git(repository, "status", "--porcelain") == status
    assert repro.dvc(folder, "cache", "dir").strip() == str(folder / ".dvc/cache")


def test_a_clone_has_no_run_store_cache_or_compiled_code(repository):
    (repository / ".gitignore").unlink()
    for name in (
        ".dvc/cache/files/md5/ab/c",
        ".dvc/config.local",
        ".dvc/tmp/btime",
        ".unroll/store/waves/gru/key/run/run.json",
        "data/prepared/waves/arrays.npz",
        "pipeline/__pycache__/code.cpython-311.pyc",
        "pipeline/code.cpython-311-x86_64-linux-gnu.so",
    ):
        write_text(repository / name, "forged")
    outside = repository.parent / "outside"
    write_text(outside / "raw/kept", "kept")
    git(repository, "add", "-A", "-f")
    git(repository, "commit", "-qm", "forged")
    folder = repository / ".verify/rebuild"
    verify.clone(repository, folder)
    kept = {name: text for name, text in FILES.items() if name != ".gitignore"}
    assert contents(folder) == kept | {".dvc/config.local": verify.OWN_CACHE}
    verify.remove_within(folder, "../../../outside/raw")
    verify.remove_within(folder, str(outside / "raw"))
    assert (outside / "raw/kept").read_text() == "kept"


@pytest.mark.parametrize("what", [".dvc", "runs", "pipeline/code", "a submodule"])
def test_a_commit_that_holds_a_link_or_a_submodule_is_refused(repository, what):
    if what == "a submodule":
        commit = verify.last_commit(repository)
        about = f"160000,{commit},{what}"
        git(repository, "update-index", "--add", "--cacheinfo", about)
    else:
        remove(repository / what)
        (repository / what).symlink_to("../outside")
        git(repository, "add", "-A", "-f")
    git(repository, "commit", "-qm", "a link")
    with pytest.raises(UnrollError, match=f"^{what} is a link or a submodule, so"):
        verify.clone(repository, repository / ".verify/rebuild")


def test_an_object_that_is_not_what_its_hash_says_is_refused(repository):
    name = git(repository, "rev-parse", "HEAD:params.yaml").strip()
    path = repository / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    forged = b"forged: 1\n"
    path.write_bytes(zlib.compress(b"blob %d\0%s" % (len(forged), forged)))
    with pytest.raises(UnrollError, match=name):
        verify.clone(repository, repository / ".verify/rebuild")


def test_git_fetches_nothing_that_a_strangers_settings_name(repository, tmp_path):
    trace = tmp_path / "ran"
    git(repository, "config", "remote.origin.url", f"ext::touch {trace}")
    git(repository, "config", "protocol.ext.allow", "always")
    with pytest.raises(UnrollError, match="not allowed"):
        demo.git(repository, "fetch", "origin")
    assert not trace.exists()


def test_what_is_chosen_is_a_whole_graph_with_few_seeds_and_no_shorter_training(
    tmp_path,
):
    workspace = demo.chosen(REPOSITORY, tmp_path)
    few, whole = (
        params.load(root / "params.yaml") for root in (workspace.root, REPOSITORY)
    )
    assert {
        name: " ".join(experiments) for name, experiments in few.experiments.items()
    } == demo.CHOSEN
    assert {*few.sources} == {"sine", "waves", "sines", "jena_sample"}
    for name, experiment in few.runs.items():
        seeds = whole.runs[name].seeds[:1]
        assert experiment == whole.runs[name].model_copy(update={"seeds": seeds})
    assert workspace.claims.read_bytes() == (REPOSITORY / "claims.yaml").read_bytes()
    with Repo(str(tmp_path)) as repo:
        assert {stage.name for stage in repo.index.stages} == {*repro.stages(few)}


def test_the_code_is_copied_anew_as_dvc_cannot_commit_what_lies_behind_a_link(tmp_path):
    (tmp_path / "pipeline").symlink_to(REPOSITORY / "pipeline")
    demo.chosen(REPOSITORY, tmp_path)
    for name in demo.PACKAGES:
        assert not (tmp_path / name).is_symlink()
    left = tmp_path / "pipeline/left.py"
    left.touch()
    (tmp_path / "stages/report.py").unlink()
    demo.chosen(REPOSITORY, tmp_path)
    assert not left.exists()
    assert (tmp_path / "stages/report.py").exists()
