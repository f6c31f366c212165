import json
import re
from xml.etree import ElementTree as ET

import pytest

from bench.scaling import measure, page
from bench.scaling.power_law import summary


@pytest.fixture
def result():
    def one(values, power):
        return summary({value: [0.01 * value**power * noise for noise in (1, 1.1, 0.9)] for value in values})

    found = {
        what: {"work": f"work of {what}", **one(getattr(measure.QUICK, what), power)}
        for what, power in (("rows", 1), ("lookback", 1), ("units", 1.4), ("replicates", 0.4), ("preparation", 0.6))
    }
    memory = one(measure.QUICK.preparation, 0.2)
    found["preparation"] |= {"peak": memory["seconds"], "peak_exponent": memory["exponent"]}
    return json.loads(json.dumps(found))


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
    table = [line for line in page.section(result).splitlines() if line.startswith("|")]
    figures = re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?", "\n".join(table))
    assert len(figures) > 60
    assert set(figures) <= known


def test_the_section_says_what_a_doubling_costs(result):
    text = page.section(result)
    assert "- rows: in proportion" in text
    assert "- units: more than in proportion, a doubling costs 2.64x" in text
    assert "- replicates: less than in proportion, a doubling costs 1.32x" in text


def test_the_plot_is_a_file_in_light_and_dark_with_the_exponents(result):
    text = page.plot(result)
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    assert "prefers-color-scheme: dark" in text
    for name in ("rows: 1.00", "units: 1.40", "replicates: 0.40", "rows prepared: 0.60"):
        assert f">{name}</text>" in text
