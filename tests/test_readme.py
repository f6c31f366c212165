"""Every figure of the README's results comes from metrics/, and of its speed from bench/results.json.

`python tests/test_readme.py` prints the tables that belong between the README's marks.
"""

import json
import sys
from pathlib import Path

from pipeline.config import params

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- results: tests/test_readme.py compares every figure here with metrics/ -->\n"
END = "<!-- end of results -->\n"
SPEED_BEGIN = "<!-- speed: tests/test_readme.py compares every figure here with bench/results.json -->\n"
SPEED_END = "<!-- end of speed -->\n"

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


def claims_table(every, claims):
    yield "| document | experiment | what | published | rebuilt | command |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for claim in claims:
        place, _, metric = claim.metric.rpartition(".")
        if claim.experiment not in every.experiments or place not in PLACES or not isinstance(claim.value, float):
            continue
        dataset = every.experiments[claim.experiment].dataset
        found = metrics(dataset).get(claim.experiment, {})
        key = PLACES[place] + ("_in_unit" if metric.endswith("_unit") else "")
        if key not in found:
            continue
        what = f"{metric.removesuffix('_unit')} on {place.split('.')[1]}, {place.split('.')[0]} epoch"
        rebuilt = figure(found[key], found.get(f"{key}_spread"))
        yield (
            f"| {claim.document} | `{claim.experiment}` | {what} | {claim.value:g} | {rebuilt} "
            f"| `unroll repro evaluate@{dataset}` |"
        )


def baselines_table(every):
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


def block():
    every = params.load(ROOT / "params.yaml")
    claims = params.load_claims(ROOT / "claims.yaml")
    first = "\n".join(claims_table(every, claims))
    second = "\n".join(baselines_table(every))
    question = "Does a recurrent network beat a plain baseline? Each is chosen on validation where there is one:"
    return f"{first}\n\n{question}\n\n{second}\n"


def speed():
    """How many times Unroll's time others take, median over the rounds."""
    rows = {}
    for row in json.loads((ROOT / "bench" / "results.json").read_text(encoding="utf-8"))["rows"]:
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


def test_the_speed_is_that_of_the_last_bench():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.partition(SPEED_BEGIN)[2].partition(SPEED_END)[0].strip() == "\n".join(speed())


def test_the_results_are_those_of_the_last_build():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == block().strip()


if __name__ == "__main__":
    sys.stdout.write(f"{block()}\n{chr(10).join(speed())}\n")
