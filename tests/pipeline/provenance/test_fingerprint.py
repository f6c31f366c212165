import re
import shutil
import subprocess
import sys
from importlib import metadata

import pytest

from pipeline.config.params import Experiment
from pipeline.files import sha256, write_text
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint, machine
from pipeline.provenance.fingerprint import CODE, EXEMPT, Code, ingredients

TOYS = {
    "__init__": "VERSION = 1",
    "model": "import os\nfrom pipeline import errors\ndef f():\n    from pipeline.toys.inner import g\n    return g",
    "method": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.toys.typed import T\n",
    "inner": "from . import deep\nfrom pipeline import tracking\nfrom .part import h\ng = 1",
    "part/__init__": "from ..below import x\nfrom .beside import y\nh = 1",
    "part/beside": "y = 1",
    "below": "x = 1",
    "deep": "",
    "typed": "T = int",
}


def experiment(**changes):
    section = {
        "dataset": "d",
        "model": {"family": "model", "name": "a"},
        "training": {"method": "method"},
    }
    return Experiment.model_validate(section | changes)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A package `pipeline.toys` with a model and a method, measures, a lock, and a
    prepared data set."""
    for name, text in TOYS.items():
        write_text(tmp_path / "pipeline" / "toys" / f"{name}.py", text)
    for name in (
        "stages/perform.py",
        "pipeline/metrics/mae.py",
        "pipeline/metrics/mse.py",
    ):
        write_text(tmp_path / name, "")
    write_text(tmp_path / "locks/numerics.lock", "numpy==2\n")
    write_text(tmp_path / "prepared" / "arrays.npz", "1")
    monkeypatch.setattr(fingerprint, "CODE", tmp_path)
    monkeypatch.setattr(fingerprint, "MODELS", "pipeline.toys")
    monkeypatch.setattr(fingerprint, "METHODS", "pipeline.toys")
    return tmp_path


def made_of(root, **changes):
    return ingredients(root / "prepared", experiment(**changes))


def test_a_run_is_made_of_its_section_files_modules_and_lock(root):
    ingredients = made_of(root)
    assert ingredients.params == experiment().model_dump()
    assert list(ingredients.files) == ["arrays.npz"]
    toys = [
        "pipeline.toys.below",
        "pipeline.toys.deep",
        "pipeline.toys.inner",
        "pipeline.toys.method",
        "pipeline.toys.model",
    ]
    assert list(ingredients.modules) == [
        *toys,
        "pipeline.toys.part",
        "pipeline.toys.part.beside",
        "stages.perform",
    ]


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("prepared/arrays.npz", "data"),
        ("pipeline/toys/deep.py", "code"),
        ("pipeline/toys/method.py", "code"),
        ("pipeline/toys/part/__init__.py", "code"),
        ("locks/numerics.lock", "lock"),
        ("pipeline/toys/typed.py", None),  # imported for types alone
        ("pipeline/toys/__init__.py", None),
    ],
)
def test_an_edited_file_changes_its_own_hash_and_no_other(root, file, part):
    before = made_of(root).fingerprint
    write_text(root / file, "edited = 1")
    after = made_of(root).fingerprint
    assert {name for name in before if before[name] != after[name]} == (
        {part} if part else set()
    )


def test_prose_in_code_changes_no_fingerprint(root):
    before = made_of(root).fingerprint
    file = root / "pipeline" / "toys" / "method.py"
    write_text(file, f'"""New words."""\n\n{file.read_text()}  # and more\n')
    assert made_of(root).fingerprint == before


def test_kept_variables_and_packages_count_where_they_are_not_as_in_the_lock(
    root, monkeypatch
):
    lock = root / "locks/numerics.lock"
    write_text(lock, f"absent==1\nnumpy=={metadata.version('numpy')}\n")
    monkeypatch.delenv(machine.KEEP, raising=False)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    ordinary = made_of(root).fingerprint
    assert ordinary["lock"] == sha256(lock), "what every committed run has"
    monkeypatch.setenv(machine.KEEP, "XLA_FLAGS,OPENBLAS_CORETYPE")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    kept = made_of(root).fingerprint
    monkeypatch.setenv("OPENBLAS_CORETYPE", "SkylakeX")
    others = [ordinary, kept, made_of(root).fingerprint]
    monkeypatch.delenv(machine.KEEP)
    monkeypatch.setattr(metadata, "version", lambda _: "1")
    others.append(made_of(root).fingerprint)
    assert len({each["lock"] for each in others}) == 4
    assert {each["code"] for each in others} == {ordinary["code"]}


def test_the_order_of_keys_does_not_count_and_the_hash_stays_the_same_over_versions():
    # It is in every run.json: changing it makes every run on disk look out of date.
    known = "526786e5c38aa594fd6a6d0ec19b25cbff545d0186a85f0c78f1c156d87d3eb0"
    assert (
        fingerprint._of({"seeds": [0], "unit": "°C"})
        == fingerprint._of({"unit": "°C", "seeds": [0]})
        == known
    )
    assert fingerprint._of({"seeds": [0.0], "unit": "°C"}) != known


def test_what_the_import_statements_say_is_what_python_loads():
    code = (
        "import sys, pipeline.training.methods.none\n"
        "print(*(name for name, module in sys.modules.items() if not hasattr(module, '__path__')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    exempt = re.compile(f"({'|'.join(map(re.escape, EXEMPT))})(\\..*)?")
    loaded = {
        name
        for name in done.stdout.split()
        if name.startswith("pipeline.") and not exempt.fullmatch(name)
    }
    sources = Code(CODE).sources(["pipeline.training.methods.none"])
    # by a table that no result depends on
    listed = {f"pipeline.metrics.{name}" for name in MEASURES}
    assert {
        name for name, file in sources.items() if file.stem != "__init__"
    } == loaded - listed


def test_a_runs_fingerprint_is_of_every_byte_and_every_name_and_not_of_folder_or_time(
    tmp_path,
):
    folder = tmp_path / "run"
    elsewhere = tmp_path / "elsewhere" / "other"
    for name in ("history.csv", "weights/a", "weights/b"):
        write_text(folder / name, name)
    shutil.copytree(folder, elsewhere, copy_function=shutil.copyfile)
    hashes = [fingerprint.folder(elsewhere), fingerprint.folder(folder)]
    write_text(folder / "history.csv", "other")
    hashes.append(fingerprint.folder(folder))
    (folder / "weights/a").rename(folder / "weights/c")
    hashes.append(fingerprint.folder(folder))
    assert hashes[0] == hashes[1]
    assert len({*hashes}) == 3
