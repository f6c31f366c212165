import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.costs import cpu_accounts


@given(
    st.floats(1e-6, 1e3),
    st.dictionaries(st.text(max_size=3), st.tuples(st.integers(1, 10**6), st.floats(0, 1e3)), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_compiling_is_what_the_first_calls_take_longer(rate, shapes, repeats):
    calls = [(key, size, rate * size + extra) for key, (size, extra) in shapes.items()]
    calls += [(key, size, rate * size) for key, (size, _) in shapes.items()] * repeats
    compiling, found = cpu_accounts.split(calls)
    assert found == pytest.approx(rate)
    assert compiling == pytest.approx(sum(extra for _, extra in shapes.values()), rel=1e-6, abs=1e-3 * rate)


def test_a_single_call_counts_as_compiling():
    assert cpu_accounts.split([("a", 10, 2.0)]) == (2.0, 0.0)
    assert cpu_accounts.split([]) == (0.0, 0.0)


def test_accounts_are_added_up_by_stage_and_lose_nothing(tmp_path):
    calls = [["epoch", "(5, 8)", 5, 3.0], ["epoch", "(5, 8)", 5, 1.0]]
    spent = {"outside": 0.625, "stage": 0.25, "epoch": 4.0, "MLflow": 0.5}
    accounts = {
        "stage": {"dvc": False, "stage": "train a", "spent": spent, "calls": calls, "peak": 700.5},
        "main": {"dvc": True, "stage": "", "spent": {"outside": 8.0, "DVC": 1.0}, "calls": [], "peak": 90},
        "fork_server": {"dvc": False, "stage": "", "spent": {"import MLflow": 1.5}, "calls": [], "peak": 80},
    }
    for name, account in accounts.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(account))
    found = cpu_accounts.read(tmp_path)
    train = found["train a"]
    assert train.phases == {
        "start and end of processes": 0.625,
        "reading and writing": 0.25,
        "train": 2.0,
        "compile": 2.0,
        "MLflow": 0.5,
    }
    assert (train.rates, train.peak) == ({"train": 0.2}, 700.5)
    assert found[""].phases == {"DVC": 9.0, "import MLflow": 1.5}
    cpu_accounts.close(found, cpu=20.0)
    assert sum(cpu_accounts.total(found).values()) == pytest.approx(20.0)
