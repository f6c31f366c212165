import os

import pytest

from pipeline.errors import UnrollError
from pipeline.training import run_store
from pipeline.workspace import Workspace
from tests.support import content

FINGERPRINT = {"params": "a", "data": "b", "code": "c", "lock": "d"}
KEY = run_store.key("waves", "gru", FINGERPRINT)


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    add(workspace, "gru", KEY)
    return workspace


def add(workspace, name, key, text="weights of a run"):
    with run_store.adding(workspace, "waves", name, key) as folder:
        (folder / "weights").mkdir()
        (folder / "weights" / "seed_0").write_text(text)
        (folder / "run.json").write_text("{}\n")


def test_a_key_is_of_the_data_set_the_name_and_all_four_hashes():
    keys = {
        run_store.key("waves", "gru", FINGERPRINT | {part: "x"}) for part in FINGERPRINT
    }
    keys |= {
        KEY,
        run_store.key("shapes", "gru", FINGERPRINT),
        run_store.key("waves", "rnn", FINGERPRINT),
    }
    assert len(keys) == 7


def test_a_run_is_linked_to_its_place_and_takes_no_further_space(workspace):
    assert run_store.holds(workspace, "waves", "gru", KEY)
    assert not run_store.holds(workspace, "waves", "gru", "other")
    run_store.place(workspace, "waves", "gru", KEY)
    run = workspace.run("waves", "gru")
    assert content(run) == {"weights/seed_0": b"weights of a run", "run.json": b"{}\n"}
    assert (run / "run.json").stat().st_nlink == 2


def test_where_links_fail_it_is_copied(workspace, monkeypatch):
    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    run_store.place_all(workspace, "waves", {"gru": KEY})
    assert len(content(workspace.run("waves", "gru"))) == 2
    assert (workspace.run("waves", "gru") / "run.json").stat().st_nlink == 1


def test_runs_holds_exactly_what_it_is_told(workspace):
    workspace.run("waves", "gone").mkdir(parents=True)
    add(workspace, "rnn", "1")
    run_store.place_all(workspace, "waves", {"gru": KEY, "rnn": "1"})
    assert sorted(path.name for path in workspace.runs("waves").iterdir()) == [
        "gru",
        "rnn",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "run" / "run.json").write_text("{ }\n"),
        lambda entry: (entry / "run" / "run.json").unlink(),
        lambda entry: (entry / "run" / "more").touch(),
        lambda entry: (entry / "files.json").write_text("{"),
        lambda entry: (entry / "files.json").unlink(),
    ],
)
def test_a_damaged_entry_is_named_and_removed(damage, workspace):
    damage(run_store.entry(workspace, "waves", "gru", KEY))
    with pytest.raises(
        UnrollError, match=r"the run of waves/gru in .* is damaged and was removed"
    ):
        run_store.holds(workspace, "waves", "gru", KEY)
    assert not run_store.holds(workspace, "waves", "gru", KEY)


def test_what_fails_half_way_is_not_there(workspace):
    with (
        pytest.raises(KeyboardInterrupt),
        run_store.adding(workspace, "waves", "gru", "2"),
    ):
        raise KeyboardInterrupt
    assert not run_store.holds(workspace, "waves", "gru", "2")
    assert not list(workspace.scratch.glob(".*"))
