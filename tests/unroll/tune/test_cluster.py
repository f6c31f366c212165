"""`unroll tune --on`: trials on workers of a cluster, kept in PostgreSQL; all of it on this machine."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import NopPruner

from pipeline.config import params
from pipeline.errors import UnrollError
from tests.conftest import Miniature
from tests.support import REPOSITORY
from tests.support.cluster import Cluster, free_port, set_remote
from tests.support.ending import still_there
from unroll import cluster_here
from unroll.tune import storage, study
from unroll.workspaces.miniature import make_workspace

pytest.importorskip("distributed", reason="the extra for clusters is not installed: .ci/venv cluster")
psycopg2 = pytest.importorskip("psycopg2", reason="the extra for clusters is not installed: .ci/venv cluster")

PASSWORD = "not-to-be-seen"  # noqa: S105 - of a server that ends with its test


@pytest.fixture(scope="module")
def database():
    """The address of a PostgreSQL. As root it runs as another user, who must get through to its folder."""
    try:
        programs = cluster_here._postgres()
    except UnrollError as error:
        pytest.skip(str(error))
    home, port = Path(tempfile.mkdtemp()), free_port()
    home.chmod(0o711)
    cluster_here._set_up_database(home, programs, PASSWORD)
    command = [str(programs / "postgres"), "-D", str(home / "postgres"), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen([*command, "-F"], cwd="/", user=cluster_here._user(), stdout=log, stderr=log)
    try:
        while not cluster_here._answers(port):
            assert server.poll() is None, (home / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://unroll:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # asked by SIGTERM, it waits for those who are connected
        server.wait()
        shutil.rmtree(home)


@pytest.fixture
def head(tmp_path):
    """A prepared data set; a trial of its experiment takes a second or two."""
    make_workspace(REPOSITORY, tmp_path / "head")
    set_remote(tmp_path / "head", tmp_path / "store")
    miniature = Miniature(tmp_path / "head")

    def only_a_node(data):
        data["sources"] = {"waves": data["sources"]["waves"]}
        data["datasets"] = {"waves": data["datasets"]["waves"]}
        data["experiments"] = {"waves_node": data["experiments"]["waves_node"]}
        data["experiments"]["waves_node"]["training"]["epochs"] = 100

    miniature.change(only_a_node)
    miniature.dvc("repro", "prepare@waves")
    return miniature


def states(database):
    with psycopg2.connect(database) as opened, opened.cursor() as cursor:
        cursor.execute("SELECT state FROM trials ORDER BY number")
        return [state for (state,) in cursor.fetchall()]


def test_trials_go_on_without_a_worker_that_is_killed_and_the_password_is_nowhere(tmp_path, head, database):
    cluster = Cluster(tmp_path, head.root)
    over = "--over", "learning_rate=0.0001:0.1"
    try:
        cluster.work("a", UNROLL_STUDIES=database)
        cluster.work("b", UNROLL_STUDIES=database)
        arguments = "tune", "waves_node", "--trials", "8", *over, "--on", cluster.address
        cluster.start("head", *arguments, UNROLL_STUDIES=database)
        cluster.says("head", "trial 1 of 8 on ")
        first, other = "ab" if "trial 1 of 8 on a" in cluster.said("head") else "ba"
        cluster.until(lambda: states(database).count("RUNNING") == 2)  # it has got another one
        assert still_there(cluster.kill(first)) == []
        assert cluster.processes["head"].wait() == 0, cluster.said("head")
    finally:
        cluster.close()
    said = cluster.said("head")
    assert f"worker {first} is gone" in said
    assert f"trial 8 of 8 on {other}" in said
    assert "Written to params.yaml: waves_node_tuned" in said
    assert "Warning" not in said
    assert "waves_node_tuned" in params.load(head.workspace.params).experiments
    found = states(database)
    assert len(found) == 8
    assert {*found} == {"COMPLETE", "PRUNED"}  # given up by what the other worker's trials came to
    files = [file for file in tmp_path.rglob("*") if file.is_file() and not file.is_symlink()]
    assert [file for file in files if PASSWORD.encode() in file.read_bytes()] == []


def test_the_trial_of_a_head_that_is_silent_is_the_next_one(tmp_path, database, monkeypatch):
    monkeypatch.setenv(storage.STUDIES, database)
    monkeypatch.setattr(storage, "BEAT", 1)
    monkeypatch.setattr(storage, "SILENCE", 1)
    searched = {"model.rate": FloatDistribution(0, 1)}
    options = {"higher": False, "pruner": NopPruner(), "wanted": 2, "shared": storage.shared()}
    with study.opened(tmp_path / "node.db", "made of", searched, {"model.rate": 0.5}, **options) as trials:
        mine, lost = trials.begin(), trials.begin()
        assert trials.begin() is None
        limit = time.monotonic() + 30
        while (found := trials.begin()) is None:
            trials.vouch([mine])
            assert time.monotonic() < limit
            time.sleep(0.1)
        assert found.params == lost.params
        assert [trial.number for trial in trials.running()] == [mine.number, found.number]
        with storage.unproven():
            wordless = trials.study.ask(searched)  # its head was killed before it could say a word
        time.sleep(1.1)
        trials.vouch([mine, found])
        assert wordless.number not in [trial.number for trial in trials.running()]


def connect():
    url = storage.shared()
    with storage.explained(url):
        storage.connect(url)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "set UNROLL_STUDIES to its address, postgresql://HOST/DATABASE"),
        ("sqlite:///studies.db", "names SQLite, a file, which machines cannot share"),
        ("not-to-be-seen", "UNROLL_STUDIES must be like postgresql://HOST/DATABASE"),
        ("postgresql://me:not-to-be-seen@127.0.0.1:1/none", "cannot be used (connection to server at"),
        ("oracle://me:not-to-be-seen@127.0.0.1:1/none", "is not installed, which oracle needs"),
        ("MLflow's", "is in use by something else, such as MLflow"),
    ],
)
def test_what_cannot_keep_trials_is_one_line_without_a_password(request, monkeypatch, address, said):
    if address == "MLflow's":
        address = request.getfixturevalue("database").replace("/postgres", "/records")
        own = psycopg2.connect(address.replace("/records", "/postgres"))
        own.autocommit = True
        own.cursor().execute("CREATE DATABASE records")
        own.close()
        with psycopg2.connect(address) as records, records.cursor() as cursor:
            cursor.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
            cursor.execute("INSERT INTO alembic_version VALUES ('of MLflow')")
    monkeypatch.setenv(storage.STUDIES, address)
    with pytest.raises(UnrollError) as caught:
        connect()
    assert said in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
