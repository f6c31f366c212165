"""Write the notebooks without their outputs, in the form that is committed.

Run it by `python .ci/notebooks.py`.
"""

import json
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
}


def canonical(text: str) -> str:
    """Return a notebook's JSON with sorted keys, and only its cells' sources and ids."""
    cells = []
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        source = "".join(cell["source"]).strip().splitlines(keepends=True)
        kept = {
            "cell_type": cell["cell_type"],
            "id": cell.get("id", f"cell-{number}"),
            "metadata": {},
            "source": source,
        }
        if cell["cell_type"] == "code":
            kept |= {"execution_count": None, "outputs": []}
        cells.append(kept)
    notebook = {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path in NOTEBOOKS.rglob("*.ipynb"):
        path.write_text(canonical(path.read_text(encoding="utf-8")), encoding="utf-8")
