import shutil
import subprocess
import sys

import pytest

from pipeline.provenance import fingerprint
from pipeline.errors import UnrollError
from pipeline.files import write_npz, write_text


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    for name in ("run.json", "history.csv", "predictions.npz", "weights/seed_0_final.npz", "weights/seed_1_final.npz"):
        write_text(folder / name, name)
    return folder


class TestRun:
    def test_does_not_depend_on_the_place_or_the_time(self, folder, tmp_path):
        before = fingerprint.run(folder)
        elsewhere = tmp_path / "elsewhere" / "other"
        shutil.copytree(folder, elsewhere, copy_function=shutil.copyfile)
        (elsewhere / "run.json").touch()
        assert fingerprint.run(elsewhere) == before

    @pytest.mark.parametrize("name", ["run.json", "history.csv", "predictions.npz", "weights/seed_1_final.npz"])
    def test_changes_with_every_file(self, folder, name):
        before = fingerprint.run(folder)
        write_text(folder / name, "other")
        assert fingerprint.run(folder) != before

    def test_changes_when_weights_change_places_or_go(self, folder):
        before = fingerprint.run(folder)
        first, second = folder / "weights/seed_0_final.npz", folder / "weights/seed_1_final.npz"
        first.rename(folder / "weights/x")
        second.rename(first)
        (folder / "weights/x").rename(second)
        assert fingerprint.run(folder) != before
        second.unlink()
        assert fingerprint.run(folder) != before

    def test_says_which_file_is_missing(self, folder):
        (folder / "history.csv").unlink()
        with pytest.raises(UnrollError, match=r"history\.csv is missing"):
            fingerprint.run(folder)


class TestData:
    def test_counts_names_and_bytes(self, tmp_path):
        write_text(tmp_path / "a" / "arrays.npz", "1")
        write_text(tmp_path / "b" / "arrays.npz", "1")
        assert fingerprint.data(tmp_path / "a") == fingerprint.data(tmp_path / "b")
        write_text(tmp_path / "b" / "dataset.json", "")
        assert fingerprint.data(tmp_path / "a") != fingerprint.data(tmp_path / "b")

    def test_a_folder_without_files_is_no_data_set(self, tmp_path):
        with pytest.raises(UnrollError, match="nowhere is missing"):
            fingerprint.data(tmp_path / "nowhere")

    def test_the_same_arrays_give_the_same_hash(self, tmp_path):
        import numpy as np

        for place in ("a", "b"):
            write_npz(tmp_path / place / "arrays.npz", {"x": np.arange(3)})
        assert fingerprint.data(tmp_path / "a") == fingerprint.data(tmp_path / "b")


class TestParams:
    def test_ignores_the_order_of_keys_only(self):
        assert fingerprint.params({"a": 1, "b": [1, 2]}) == fingerprint.params({"b": [1, 2], "a": 1})
        assert fingerprint.params({"b": [1, 2]}) != fingerprint.params({"b": [2, 1]})
        assert fingerprint.params({"b": 1}) != fingerprint.params({"b": 1.0})

    def test_stays_the_same_over_versions(self):
        # It is in every run.json: changing it makes every run on disk look out of date.
        known = "526786e5c38aa594fd6a6d0ec19b25cbff545d0186a85f0c78f1c156d87d3eb0"
        assert fingerprint.params({"seeds": [0], "unit": "°C"}) == known


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `pipeline` of its own: a -> b (in a function) -> storage; c by itself; tracking exempt."""
    files = {
        "__init__": "VERSION = 1",
        "a": "import os\nfrom pipeline import errors, tracking\ndef f():\n    from pipeline.b import g\n    return g",
        "b": "import pipeline.storage\ng = 1",
        "c": "",
        "errors": "",
        "storage": "",
        "tracking/__init__": "",
        "tracking/store": "",
    }
    for name, text in files.items():
        write_text(tmp_path / "pipeline" / f"{name}.py", text)
    for name in [name for name in sys.modules if name == "pipeline" or name.startswith("pipeline.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "pipeline"
    for name in [name for name in sys.modules if name == "pipeline" or name.startswith("pipeline.")]:
        del sys.modules[name]


class TestCode:
    @pytest.mark.usefixtures("package")
    def test_follows_imports_wherever_they_stand_but_for_exempt_modules(self):
        assert list(fingerprint.sources(["pipeline.a"])) == ["pipeline.a", "pipeline.b", "pipeline.files"]
        assert list(fingerprint.sources(["pipeline.c", "pipeline.tracking.store"])) == ["pipeline.c"]

    def test_changes_with_what_it_follows_only(self, package):
        before = fingerprint.code(["pipeline.a"])
        for name in ("c", "errors", "__init__"):
            write_text(package / f"{name}.py", "changed = 1")
        assert fingerprint.code(["pipeline.a"]) == before
        write_text(package / "storage.py", "changed = 1")
        assert fingerprint.code(["pipeline.a"]) != before

    def test_line_ends_do_not_count(self, package):
        before = fingerprint.code(["pipeline.b"])
        path = package / "b.py"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert fingerprint.code(["pipeline.b"]) == before

    def test_an_unknown_module_is_an_error(self):
        with pytest.raises(ModuleNotFoundError):
            fingerprint.code(["pipeline.nothing"])

    def test_follows_the_real_imports_of_a_module(self):
        """What is read from the text is what Python loads."""
        loaded = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, pipeline.dataset; print(*(m for m in sys.modules if m.startswith('pipeline.')))",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert set(fingerprint.sources(["pipeline.data.dataset"])) == set(loaded) - set(fingerprint.EXEMPT)
