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


def test_a_processor_is_only_capped_below_what_it_has_and_emulated_where_there_is_an_emulator(monkeypatch):
    monkeypatch.setattr(cpu_caps.shutil, "which", lambda program: f"/usr/bin/{program}")
    assert cpu_caps.possible(FEATURES).keys() == CONDITIONS.keys()
    found = cpu_caps.possible(["avx", "avx2", "fma"]).keys()
    assert found == CONDITIONS.keys() - {"uncapped", "numpy_avx2", "openblas_skylakex"}
    assert set(MEASURED) <= found
    monkeypatch.setattr(cpu_caps.shutil, "which", lambda _program: None)
    assert CONDITIONS.keys() - cpu_caps.possible(FEATURES).keys() == {"emulated_amd", "emulated_intel"}
    with pytest.raises(UnrollError, match="only Linux tells"):
        cpu_caps.possible(["avx"])


def test_a_plain_build_has_no_condition_of_the_users(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX")
    monkeypatch.setenv("PATH_TO_NOTHING", "stays")
    cpu_caps.clear()
    assert "XLA_FLAGS" not in os.environ
    assert os.environ["PATH_TO_NOTHING"] == "stays"
