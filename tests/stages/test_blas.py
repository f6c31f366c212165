import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import blas

VARIABLE = "OPENBLAS_CORETYPE"


@pytest.fixture(autouse=True)
def free(monkeypatch):
    # Set and deleted, so that what a test sets is undone, too.
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)


def told(folder, flags):
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: spectre_v1\n")
    return str(path)


@pytest.mark.parametrize(
    ("flags", "kernels"), [("fpu avx avx2 fma", "Haswell"), ("fpu avx", None), ("avx2 avx512f", None)]
)
def test_kernels_are_pinned_where_the_processor_can_run_them(tmp_path, flags, kernels):
    blas.pin(told(tmp_path, flags))
    assert os.environ.get(VARIABLE) == kernels


def test_a_choice_of_the_users_stays(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "Nehalem")
    blas.pin(told(tmp_path, "avx2 fma"))
    assert os.environ[VARIABLE] == "Nehalem"


def test_a_system_that_does_not_tell_is_left_alone(tmp_path):
    blas.pin(str(tmp_path / "none"))
    assert VARIABLE not in os.environ


def test_the_command_line_pins_before_numpy_is_imported():
    code = """
import sys
from stages import blas
blas.pin = lambda: print("numpy" in sys.modules)
sys.argv = ["unroll", "--help"]
from stages.__main__ import main
main()
"""
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.startswith("False\n")
