import json
import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import metering, prepare, scaling
from bench.power_law import exponent, summary
from pipeline.config import params
from pipeline.config import plain_yaml

POWERS = st.floats(-2, 4)
CONSTANTS = st.floats(1e-6, 1e6)
VALUES = st.lists(st.integers(1, 10**6), min_size=3, max_size=8, unique=True)


@settings(deadline=None)  # the first case imports scipy
@given(VALUES, POWERS, CONSTANTS)
def test_the_exponent_of_a_power_law_is_found_exactly(values, power, constant):
    found = exponent(values, [constant * value**power for value in values])
    for figure in found.values():
        assert figure == pytest.approx(power, abs=1e-4)


@settings(deadline=None)  # the first case imports scipy
@given(VALUES, POWERS, CONSTANTS)
def test_the_exponent_is_numpys_and_its_interval_lies_around_it(values, power, constant):
    random = np.random.default_rng(0)
    costs = [constant * value**power * random.uniform(0.5, 2) for value in values]
    found = exponent(values, costs)
    assert found["estimate"] == pytest.approx(np.polyfit(np.log(values), np.log(costs), 1)[0], rel=1e-4, abs=1e-4)
    assert found["low"] <= found["estimate"] <= found["high"]


def test_the_interval_is_students():
    from scipy.stats import linregress, t

    values, costs = [1, 2, 4, 8, 16], [1.0, 2.2, 3.9, 8.5, 15.0]
    fit, found = linregress(np.log(values), np.log(costs)), exponent(values, costs)
    assert found["high"] - found["estimate"] == pytest.approx(t.ppf(0.975, 3) * fit.stderr)


@pytest.mark.parametrize(
    ("values", "costs", "said"),
    [
        ([1, 2], [1.0, 2.0], "three values or more"),
        ([1, 2, 4], [1.0, 2.0], "a cost for each"),
        ([2, 2, 2], [1.0, 2.0, 3.0], r"three values or more.*\[2, 2, 2\]"),
        ([1, 2, 4], [1.0, 0.0, 3.0], "positive"),
    ],
)
def test_what_has_no_exponent_is_refused(values, costs, said):
    with pytest.raises(ValueError, match=said):
        exponent(values, costs)


@pytest.fixture
def result():
    def one(values, power):
        return summary({value: [0.01 * value**power * noise for noise in (1, 1.1, 0.9)] for value in values})

    found = {
        what: {"work": f"work of {what}", **one(getattr(scaling.QUICK, what), power)}
        for what, power in (("rows", 1), ("lookback", 1), ("units", 1.4), ("replicates", 0.4), ("preparation", 0.6))
    }
    memory = one(scaling.QUICK.preparation, 0.2)
    found["preparation"] |= {"peak": memory["seconds"], "peak_exponent": memory["exponent"]}
    return found


def test_a_result_is_json_and_survives_it(result):
    again = json.loads(json.dumps(result))
    assert scaling.section(again) == scaling.section(result)
    assert scaling.plot(again) == scaling.plot(result)


def test_every_figure_of_the_tables_is_measured(result):
    known = set()
    for one in result.values():
        for values, costs, power in (
            (one["values"], one["seconds"], one["exponent"]),
            (one["values"], one.get("peak", one["seconds"]), one.get("peak_exponent", one["exponent"])),
        ):
            medians = [cost["median"] for cost in costs]
            known |= {f"{value:,}" for value in values}
            known |= {f"{cost[key]:.3g}" for cost in costs for key in cost} | {f"{median:.0f}" for median in medians}
            known |= {f"{power[key]:.2f}" for key in power}
            known |= {f"{medians[1] / medians[0]:.2f}", f"{medians[-1] / medians[-2]:.2f}"}
    table = [line for line in scaling.section(result).splitlines() if line.startswith("|")]
    figures = re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?", "\n".join(table))
    assert len(figures) > 60
    assert set(figures) <= known


def test_the_section_says_what_a_doubling_costs(result):
    text = scaling.section(result)
    assert "- rows: in proportion" in text
    assert "- units: more than in proportion, a doubling costs 2.64x" in text
    assert "- replicates: less than in proportion, a doubling costs 1.32x" in text


def test_the_plot_is_a_file_in_light_and_dark_with_the_exponents(result):
    from xml.etree import ElementTree as ET

    text = scaling.plot(result)
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    assert "prefers-color-scheme: dark" in text
    for name in ("rows: 1.00", "units: 1.40", "replicates: 0.40", "rows prepared: 0.60"):
        assert f">{name}</text>" in text


def test_a_tiny_case_is_measured():
    from pipeline.training import keras_models

    keras_models.start()
    said = []
    sizes = scaling.Sizes(units=(1, 2, 3), examples=128, timesteps=2, rounds=2)
    found = scaling.units(sizes, said.append)
    assert found["values"] == [1, 2, 3]
    assert all(0 < cost["min"] <= cost["median"] <= cost["max"] for cost in found["seconds"])
    assert set(found["exponent"]) == {"estimate", "low", "high"}
    assert said[0] == "units: compile 1"
    assert said[-1] == "units: 3, round 2 of 2"


def test_a_command_is_measured_in_a_process_of_its_own(tmp_path):
    much = metering.run([sys.executable, "-S", "-c", "print(len(bytearray(200 * 2**20)))"], tmp_path)
    little = metering.run([sys.executable, "-S", "-c", "pass"], tmp_path)
    assert much["peak"] > 200 > little["peak"]
    assert set(much) == {"seconds", "cpu", "peak"}


def test_what_a_command_says_when_it_fails_is_told(tmp_path):
    code = "import sys; print('all is well', flush=True); sys.exit('it is not')"
    with pytest.raises(metering.CommandFailedError, match=r"ended with status 1: it is not$"):
        metering.run([sys.executable, "-c", code], tmp_path)


def test_an_interpreter_without_unroll_is_no_use(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(metering.CommandFailedError, match="`unroll` is neither beside this Python nor on PATH"):
        metering.interpreter()


def test_a_stand_in_keeps_each_splits_share_of_the_rows_however_often_it_is_made():
    plain = plain_yaml.read(prepare.REPOSITORY / "params.yaml")
    for rows in (prepare.OFFICIAL_ROWS // 4, prepare.OFFICIAL_ROWS):
        small = prepare.stand_in(plain, rows)
        assert small["sources"]["jena"]["rows"] == rows
        for name in prepare.DATASETS:
            found, whole = small["datasets"][name]["preparation"], plain["datasets"][name]["preparation"]
            assert found["train"] == whole["train"] * rows // prepare.OFFICIAL_ROWS
