"""The tables of docs/reproducibility.md come from bench/conditions.json and bench/tolerances.json.

`python -m tests.test_reproducibility` puts them between the page's marks.
"""

import json
from pathlib import Path

from bench.reproducibility import capped_builds

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reproducibility.md"
MARKS = {
    "conditions": "<!-- conditions: tests/test_reproducibility.py compares this with bench/conditions.json -->\n",
    "tolerances": "<!-- tolerances: tests/test_reproducibility.py compares this with bench/tolerances.json -->\n",
}


def read(name):
    path = ROOT / "bench" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def machine(facts):
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return f"{facts['cpu']}, {facts['platform']}, Python {facts['python']}; {packages}"


def conditions():
    found = read("conditions")
    head, *rows = capped_builds.table(found)
    yield f"Seen on {machine(found)}."
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for name, *cells in rows:
        yield f"| `{name}`: {found['conditions'][name]['why']} | {' | '.join(cells)} |"


def tolerances():
    found = read("tolerances")
    if found is None:
        yield "None is measured yet."
        return
    machines = {machine(facts): None for facts in found["conditions"].values()}
    yield f"Measured on {'; '.join(machines)}."
    yield ""
    yield "| data set | conditions | experiments | of them equal | largest tolerance of the main metric on test |"
    yield "| --- | --- | ---: | ---: | --- |"
    for dataset, experiments in found["tolerances"].items():
        names = ", ".join(f"`{name}`" for name in found["conditions"][dataset]["names"])
        equal = sum(not any(metrics.values()) for metrics in experiments.values())
        on_test = {name: metrics["score"] for name, metrics in experiments.items() if "score" in metrics}
        largest = max(on_test, key=on_test.get)
        worst = f"{on_test[largest]:.1e} (`{largest}`)" if on_test[largest] else "0"
        yield f"| {dataset} | {names} | {len(experiments)} | {equal} | {worst} |"


TABLES = {"conditions": conditions, "tolerances": tolerances}


def parts(text, name):
    """What is before the mark, between the marks and after."""
    before, begin, rest = text.partition(MARKS[name])
    inside, end, after = rest.partition(f"<!-- end of {name} -->")
    return before + begin, inside, end + after


def test_the_tables_are_those_of_the_last_measurements():
    text = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        assert parts(text, name)[1].strip() == "\n".join(table())


def test_level_one_holds_in_every_condition_with_avx2():
    found = read("conditions")["conditions"]
    without = {"xla_avx", "xla_sse4_2", "numpy_sse4_2", "openblas_nehalem", "libc_without_fma", "all_avx", "all_sse4_2"}
    changed = {
        name for name, each in found.items() if any(entry["bytes"] != "same" for entry in each["results"].values())
    }
    assert changed == (without | {"openblas_skylakex", "uncapped"}) & found.keys()


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        before, _, after = parts(page, name)
        page = before + "\n".join(table()) + "\n" + after
    PAGE.write_text(page, encoding="utf-8")
