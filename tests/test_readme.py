"""The figures of README.md and docs/results.md come from metrics/, those of speed from bench/results.json.

`python -m tests.test_readme` writes them between the pages' marks.
"""

import json
import tomllib
from pathlib import Path

from pipeline.config import params
from pipeline.evaluation import claims
from stages.results.show import sections

ROOT = Path(__file__).resolve().parents[1]

PLACES = {
    "best.validation": "validation",
    "final.test": "test",
    "best.test": "test_at_best",
    "final.validation": "validation_at_end",
}
"""A claim's place -> its key in metrics/DATASET.json."""

SUBJECTS = {
    "waves": ("the next value of noisy waves", "MSE", True),
    "sine_windows": ("the next value of a sine", "MSE", True),
    "imdb": ("the sentiment of a review", "accuracy", False),
    "jena_hourly": ("temperature in 25 h, hourly rows, as published", "MAE", True),
    "jena_hourly_exact": ("temperature in 24 h, hourly rows, corrected", "MAE", True),
    "weather": ("temperature in 24 h, ten-minute rows of 2020", "MAE", True),
}


def figure(value, spread=None):
    text = f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.2e}"
    return text if spread is None else f"{text} ± {spread:.0e}" if spread < 0.001 else f"{text} ± {spread:.2g}"


def metrics(dataset):
    path = ROOT / "metrics" / f"{dataset}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def published():
    every = params.load(ROOT / "params.yaml")
    yield "| document | experiment | what | published | rebuilt | command |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for claim in claims.load(ROOT / "claims.yaml"):
        place, _, metric = claim.metric.rpartition(".")
        if claim.experiment not in every.experiments or place not in PLACES or claim.kind != "figure":
            continue
        dataset = every.experiments[claim.experiment].dataset
        found = metrics(dataset).get(claim.experiment, {})
        key = PLACES[place] + ("_in_unit" if metric.endswith("_unit") else "")
        if key not in found:
            continue
        what = f"{metric.removesuffix('_unit')} on {place.split('.')[1]}, {place.split('.')[0]} epoch"
        rebuilt = figure(found[key], found.get(f"{key}_spread"))
        yield (
            f"| {claim.document} | `{claim.experiment}` | {what} | {claim.value} | {rebuilt} "
            f"| `unroll repro evaluate@{dataset}` |"
        )


def baselines():
    every = params.load(ROOT / "params.yaml")
    yield "| question | measure on test | best baseline | best recurrent network | command |"
    yield "| --- | --- | --- | --- | --- |"
    for dataset, (question, measure, less) in SUBJECTS.items():
        scored = {name: entry for name, entry in metrics(dataset).items() if "test" in entry}
        if not scored:
            continue
        families = {"baselines": {}, "recurrent": {}, "dense": {}}
        for name, entry in scored.items():
            families[every.experiments[name].model.family][name] = entry
        cells = []
        for family in ("baselines", "recurrent"):
            # The one to show is chosen on validation where there is one: then never on test.
            found = families[family]
            by = "validation" if all("validation" in entry for entry in found.values()) else "test"
            name, entry = (min if less else max)(found.items(), key=lambda item: item[1][by])
            key = "test_at_best" if "test_at_best" in entry else "test"
            cells.append(f"`{name}` {figure(entry[key], entry.get(f'{key}_spread'))}")
        yield f"| {question} | {measure} | {cells[0]} | {cells[1]} | `unroll compare {dataset}` |"


def speed():
    """How many times Unroll's time others take with the same settings, median over the rounds."""
    rows = {}
    for row in json.loads((ROOT / "bench" / "results.json").read_text(encoding="utf-8"))["rows"]:
        if not row.get("own_settings"):
            rows.setdefault(row["work"], {}).setdefault(row["phase"], {})[row["side"]] = row
    yield "| work | train: the documents' way | fastest peer | predict: the documents' way | fastest peer |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for work, phases in rows.items():
        cells = []
        for phase in ("train", "evaluate"):
            ratios = {side: row["ratio"]["median"] for side, row in phases[phase].items() if side != "unroll"}
            peer = min(ratios, key=ratios.get)
            cells += [f"{ratios['documents']:.3g}", f"{ratios[peer]:.3g} ({peer})"]
        yield f"| {work} | {' | '.join(cells)} |"


TABLES = {
    ("README.md", "results", "metrics/"): baselines,
    ("docs/results.md", "results", "metrics/"): published,
    ("README.md", "speed", "bench/results.json"): speed,
}
"""Page, name of the table, and where its figures come from -> what makes it."""


def parts(page, name, origin):
    """What is before the mark, between the marks and after."""
    text = (ROOT / page).read_text(encoding="utf-8")
    begin, end = (
        f"<!-- {name}: tests/test_readme.py compares every figure here with {origin} -->\n",
        f"<!-- end of {name} -->",
    )
    before, _, rest = text.partition(begin)
    inside, _, after = rest.partition(end)
    return before + begin, inside, end + after


def test_every_figure_is_that_of_the_last_build_and_the_last_bench():
    for (page, name, origin), table in TABLES.items():
        assert parts(page, name, origin)[1].strip() == "\n".join(table()), (page, name)


def test_the_readme_is_read_in_one_sitting():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_example_of_an_own_series_is_valid(tmp_path):
    example = (ROOT / "docs" / "your-own-series.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "params.yaml").write_text(f"sources: {{}}\n{example}", encoding="utf-8")
    wanted = params.load(tmp_path / "params.yaml")
    for name in (*wanted.sources, *wanted.datasets, *wanted.experiments):
        assert sections(wanted, name)


def test_version_changelog_and_citation_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "]
    assert headings[0].split()[1] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


if __name__ == "__main__":
    for key, make in TABLES.items():
        before, _, after = parts(*key)
        (ROOT / key[0]).write_text(before + "\n".join(make()) + "\n" + after, encoding="utf-8")
