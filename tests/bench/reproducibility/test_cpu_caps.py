import os

import pytest

from bench.reproducibility import cpu_caps
from bench.reproducibility.cpu_caps import CONDITIONS, MEASURED
from pipeline.errors import UnrollError
from pipeline.provenance.machine import FEATURES, VARIABLES


def test_what_a_condition_needs_and_sets_is_known_by_records():
    for condition in CONDITIONS.values():
        assert set(condition.needs) <= set(FEATURES)
        assert set(condition.variables) <= set(VARIABLES)


@pytest.mark.parametrize(
    ("features", "left_out"),
    [
        ([*FEATURES], set()),
        (["avx", "avx2", "fma"], {"uncapped", "numpy_avx2", "openblas_skylakex"}),
    ],
)
def test_a_processor_is_only_capped_below_what_it_has(monkeypatch, features, left_out):
    monkeypatch.setattr(cpu_caps.shutil, "which", lambda program: f"/usr/bin/{program}")
    assert cpu_caps.possible(features).keys() == CONDITIONS.keys() - left_out


def test_processors_are_emulated_where_there_is_an_emulator(monkeypatch):
    monkeypatch.setattr(cpu_caps.shutil, "which", lambda _program: None)
    emulated = {name for name, condition in CONDITIONS.items() if condition.emulated}
    assert emulated == {"emulated_amd", "emulated_intel"}
    assert cpu_caps.possible(FEATURES).keys() == CONDITIONS.keys() - emulated


def test_an_unknown_processor_is_refused():
    with pytest.raises(UnrollError, match="only Linux tells"):
        cpu_caps.possible(["avx"])


def test_tolerances_are_measured_wherever_there_is_something_to_cap():
    assert set(MEASURED) <= cpu_caps.possible(["avx2", "fma"]).keys()


def test_a_plain_build_has_no_condition_of_the_users(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX")
    monkeypatch.setenv("PATH_TO_NOTHING", "stays")
    cpu_caps.clear()
    assert "XLA_FLAGS" not in os.environ
    assert os.environ["PATH_TO_NOTHING"] == "stays"
