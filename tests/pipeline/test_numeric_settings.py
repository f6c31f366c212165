import os
import shutil
import subprocess
import sys

import pytest

from pipeline import numeric_settings
from pipeline.files import write_text
from pipeline.provenance import machine
from tests.support import REPOSITORY, content

VARIABLE = "OPENBLAS_CORETYPE"


@pytest.fixture
def settled(monkeypatch):
    """What the environment is after `set_environment`, for these variables of the user's and
    instruction sets."""

    def settled(flags="avx2 fma", **users):
        for name in ("XLA_FLAGS", VARIABLE, machine.KEEP):
            monkeypatch.setenv(name, "")  # so that what is set here is undone, too
            monkeypatch.delenv(name)
        for name, value in users.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(machine, "flags", flags.split)
        monkeypatch.setattr(numeric_settings, "ignored", {})
        numeric_settings.set_environment()
        numeric_settings.set_environment()
        return os.environ

    return settled


def test_kernels_are_pinned_where_the_processor_can_run_them(settled):
    assert (
        settled("fpu avx avx2 fma")[VARIABLE]
        == settled(**{VARIABLE: "Nehalem"})[VARIABLE]
        == "Haswell"
    )
    assert VARIABLE not in settled("avx2 avx512f")
    assert (
        settled(**{VARIABLE: "Nehalem", machine.KEEP: f"XLA_FLAGS,{VARIABLE}"})[
            VARIABLE
        ]
        == "Nehalem"
    )


def test_xla_is_capped_where_it_can_be_and_flags_of_the_users_own_count_if_they_are_named(
    settled,
):
    def flags(*arguments, **users):
        return sorted(
            flag.rpartition("_")[2]
            for flag in settled(*arguments, **users)["XLA_FLAGS"].split()
        )

    assert (
        flags()
        == flags(XLA_FLAGS="--misspelt=1")
        == ["isa=AVX2", "level=1", "math=false"]
    )
    assert flags("asimd") == ["level=1", "math=false"]
    users = {
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX --xla_dump_to=x",
        machine.KEEP: "XLA_FLAGS",
    }
    assert flags(**users) == ["isa=AVX", "level=1", "math=false", "to=x"]


def test_variables_of_libraries_are_put_aside_but_not_those_of_threads_and_of_terraform(
    settled,
):
    others = {
        "OPENBLAS_NUM_THREADS": "3",
        "TF_VAR_password": "secret",
        "KERASTASE": "x",
    }
    users = {
        "KERAS_MAX_EPOCHS": "1",
        "TF_DETERMINISTIC_OPS": "1",
        "DNNL_DEFAULT_FPMATH_MODE": "BF16",
    }
    environment = settled(**others, **users, KERAS_BACKEND="jax")
    assert numeric_settings.ignored == {**users, "KERAS_BACKEND": "jax"}
    assert others.items() <= environment.items()
    assert not users.keys() & environment.keys()
    assert environment["KERAS_BACKEND"] == "tensorflow"


def test_a_gpu_computes_only_where_the_user_keeps_it(settled):
    assert settled()["CUDA_VISIBLE_DEVICES"] == "-1"
    assert settled(CUDA_VISIBLE_DEVICES="0")["CUDA_VISIBLE_DEVICES"] == "-1"
    assert numeric_settings.ignored == {"CUDA_VISIBLE_DEVICES": "0"}
    users = {"CUDA_VISIBLE_DEVICES": "0", machine.KEEP: "CUDA_VISIBLE_DEVICES"}
    assert settled(**users)["CUDA_VISIBLE_DEVICES"] == "0"
    assert machine.kept() == {"CUDA_VISIBLE_DEVICES": "0"}, "so it is in fingerprints"


USERS = {
    "KERAS_BACKEND": "jax",
    "KERAS_NNX_ENABLED": "1",
    "KERAS_MAX_EPOCHS": "1",
    "TF_USE_LEGACY_KERAS": "1",
    "XLA_FLAGS": "--xla_misspelt=1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "TF_DETERMINISTIC_OPS": "1",
    "CUDA_VISIBLE_DEVICES": "0",
    "OMP_NUM_THREADS": "3",
    "SKLEARN_WORKING_MEMORY": "x",
}


def test_a_training_has_the_same_bytes_whatever_the_user_has_set_for_keras(
    miniature, monkeypatch
):
    file = miniature.root.parent / ".keras/keras.json"
    write_text(file, '{"floatx": "float64", "epsilon": 0.1, "backend": "torch"}')
    monkeypatch.delenv("KERAS_HOME")
    for name, value in (USERS | {"HOME": str(file.parents[1])}).items():
        monkeypatch.setenv(name, value)
    folder = miniature.workspace.run("jena", "gru")
    before = content(folder)
    shutil.rmtree(folder)
    miniature.unroll("train", "jena", "gru")
    assert content(folder) == before
    assert "float64" in file.read_text(encoding="utf-8")


def test_a_program_that_has_set_keras_otherwise_is_told_what():
    code = """
import keras, unroll
keras.config.set_dtype_policy("mixed_float16")
try:
    unroll.open(".").train("waves/node", epochs=1)
except Exception as error:
    print(error)
"""
    assert (
        "Keras has dtype_policy mixed_float16 in this process, and models here need float32;"
        in run(code)
    )


def run(code):
    streams = {"capture_output": True, "text": True}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, **streams
    ).stdout


def test_the_command_line_settles_before_numpy_is_imported():
    code = "from pipeline import numeric_settings; import sys; "
    code += "numeric_settings.set_environment = lambda: print('numpy' in sys.modules)\n"
    code += "sys.argv = ['unroll', '--help']; from unroll.__main__ import main; main()"
    assert run(code).startswith("False\n")


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have another C library"
)
@pytest.mark.parametrize("users", [None, "glibc.malloc.check=0"])
def test_a_process_starts_anew_with_huge_pages_unless_the_user_has_settings_of_their_own(
    monkeypatch, users
):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if users:
        monkeypatch.setenv("GLIBC_TUNABLES", users)
    code = (
        "import os; from pipeline import numeric_settings; numeric_settings.restart_with_settings(); "
        "print(os.environ['GLIBC_TUNABLES'])"
    )
    assert run(code).split() == [users or "glibc.malloc.hugetlb=1"]
