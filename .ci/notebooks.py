"""Notebooks in one form, without what an editor or a run leaves in them: `python
.ci/notebooks.py` writes it.
"""

import json
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
}


def canonical(text: str) -> str:
    """A notebook's JSON with its cells' sources and ids, and nothing else; keys are
    sorted.
    """
    cells = []
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        source = "".join(cell["source"]).strip().splitlines(keepends=True)
        run = (
            {"execution_count": None, "outputs": []}
            if cell["cell_type"] == "code"
            else {}
        )
        name = cell.get("id", f"cell-{number}")
        cells.append(
            {
                "cell_type": cell["cell_type"],
                "id": name,
                "metadata": {},
                "source": source,
                **run,
            }
        )
    notebook = {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path in NOTEBOOKS.rglob("*.ipynb"):
        path.write_text(canonical(path.read_text(encoding="utf-8")), encoding="utf-8")
