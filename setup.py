"""The build step that packs the four documents into a wheel, as `unroll/documents/`.

All other settings are in pyproject.toml.
"""

import re
import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PLACES = runpy.run_path("pipeline/provenance/places.py")

DOCUMENTS = (
    "params.yaml",
    "official.yaml",
    "templates.yaml",
    "claims.yaml",
    "dvc.yaml",
    "docs/results.md",
    "results",
    "data/sample",
    ".dvc/plots",
    ".dvcignore",
    ".gitignore",
    PLACES["NUMERICS"],
)
"""Files of a wheel besides code (setup.py): the four documents' graph and results, and
data for the demo."""


class BuildWithDocuments(build_py):
    """setuptools' step that gathers the files of a wheel.

    An editable install finds the documents in the checkout.
    """

    def run(self) -> None:
        """Gather the modules, the documents, and the locked versions without hashes."""
        if self.editable_mode:
            super().run()
            return
        # otherwise files of an earlier build would be in the wheel
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        folder = Path(self.build_lib, *PLACES["PACKED"])
        for name in DOCUMENTS:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if Path(name).is_dir() else shutil.copyfile
            copy(name, folder / name)
        name = PLACES["REQUIREMENTS"]
        # without hashes and comments, so that pip accepts it as a file of constraints
        lock = Path(name).read_text(encoding="utf-8")
        pins = re.findall(r"(?m)^([a-z0-9][^\\\n]*?) *\\?$", lock)
        text = "".join(f"{pin}\n" for pin in pins)
        (folder / name).write_text(text, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithDocuments})
