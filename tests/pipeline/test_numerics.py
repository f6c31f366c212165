import os
import subprocess
import sys

import pytest

from pipeline import numerics
from pipeline.provenance import machine
from tests.support import REPOSITORY

VARIABLE = "OPENBLAS_CORETYPE"


@pytest.mark.parametrize(
    ("flags", "users", "kernels"),
    [("fpu avx avx2 fma", None, "Haswell"), ("avx2 avx512f", None, None), ("avx2 fma", "Nehalem", "Nehalem")],
)
def test_kernels_are_pinned_where_the_processor_can_run_them_and_the_user_has_not(monkeypatch, flags, users, kernels):
    # Set and deleted, so that what is set here is undone, too.
    monkeypatch.setenv(VARIABLE, users or "")
    if users is None:
        monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(machine, "flags", flags.split)
    numerics.settle()
    assert os.environ.get(VARIABLE) == kernels


@pytest.mark.parametrize(
    ("flags", "users", "expected"),
    [
        ("avx2 fma", "", {"level=1", "math=false", "isa=AVX2"}),
        ("asimd", "", {"level=1", "math=false"}),
        ("avx2 fma", "--xla_cpu_max_isa=AVX --xla_dump_to=x", {"level=1", "math=false", "isa=AVX", "to=x"}),
    ],
)
def test_xla_is_capped_where_it_can_be_and_the_users_own_flags_stay(monkeypatch, flags, users, expected):
    monkeypatch.setenv("XLA_FLAGS", users)
    monkeypatch.setattr(machine, "flags", flags.split)
    numerics.settle()
    numerics.settle()
    assert sorted(flag.rpartition("_")[2] for flag in os.environ["XLA_FLAGS"].split()) == sorted(expected)


def run(code):
    streams = {"capture_output": True, "text": True}
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, **streams).stdout


def test_the_command_line_settles_before_numpy_is_imported():
    code = "from pipeline import numerics; import sys; numerics.settle = lambda: print('numpy' in sys.modules)\n"
    code += "sys.argv = ['unroll', '--help']; from unroll.__main__ import main; main()"
    assert run(code).startswith("False\n")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another C library")
@pytest.mark.parametrize("users", [None, "glibc.malloc.check=0"])
def test_a_process_starts_anew_with_huge_pages_unless_the_user_has_settings_of_their_own(monkeypatch, users):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if users:
        monkeypatch.setenv("GLIBC_TUNABLES", users)
    code = "import os; from pipeline import numerics; numerics.start_with(); print(os.environ['GLIBC_TUNABLES'])"
    assert run(code).split() == [users or "glibc.malloc.hugetlb=1"]
