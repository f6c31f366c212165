"""To be removed after the rebuild: an evaluation.json of before 24 November 2026 as one of today."""

from typing import Any

import numpy as np


def converted(old: Any) -> Any:
    """Its differences were of raw errors, with one standard error; the delta method makes relative ones of them."""
    if not isinstance(old, dict) or "differences" not in old:
        return old
    about, entries = dict(old["dataset"]), old["experiments"]
    rows: dict[str, dict[str, dict[str, float]]] = {}
    blocks: dict[str, int] = {}
    weeks, metric = about.pop("weeks", None), about["metric"]
    about["days"] = None if weeks is None else 7.0 * weeks - 7
    for split, pairs in old["differences"].items():
        blocks[split] = weeks or (about["examples"][split] if about["layout"] == "examples" else 1)
        rows[split] = {name: {} for name in pairs}
        for name, other, known in ((name, *pair) for name, others in pairs.items() for pair in others.items()):
            chosen = [(entries[key]["best"] or entries[key]["final"])[split][metric]["values"] for key in (name, other)]
            one, two = ([1 - v if metric == "accuracy" else v for v in values] for values in chosen)
            seeds = sum(np.var(values, ddof=1) / len(values) for values in (one, two) if len(values) > 1)
            unit = np.mean(one) * np.mean(two) if min(*one, *two) > 0 else 1.0
            rows[split][name][other] = float(max(0.0, known["error"] ** 2 - seeds) / unit) if blocks[split] > 1 else 0.0
    kinds = {
        name: {"method": "" if entry["parameters"] else "none", "model": "segments" if "segrnn" in name else ""}
        for name, entry in entries.items()
    }
    experiments = {name: entry | kinds[name] for name, entry in entries.items()}
    return {"dataset": about, "experiments": experiments, "blocks": blocks, "rows": rows}
