"""Puts what the repository holds beside its code into the wheel; pyproject.toml says everything else.

The four documents' graph, results and demo data, and the locked versions without their hashes, go to
`unroll/documents/`. An editable install has them in the checkout.
"""

import re
import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MACHINE = runpy.run_path(str(ROOT / "pipeline" / "provenance" / "machine.py"))
LOCK = ".ci/locks/requirements.lock"


class BuildWithDocuments(build_py):
    """setuptools' step that gathers the modules, from an empty folder, and then the documents."""

    def run(self) -> None:
        """Gather everything in `build_lib`."""
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)  # what an earlier build left would be in the wheel
        super().run()
        folder = Path(self.build_lib, *MACHINE["PACKED"])
        for name in MACHINE["DOCUMENTS"]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, folder / name)
        pins = re.findall(r"(?m)^([a-z0-9][^\\\n]*?) *\\?$", (ROOT / LOCK).read_text(encoding="utf-8"))
        (folder / LOCK).write_text("\n".join(pins) + "\n", encoding="utf-8")


setup(cmdclass={"build_py": BuildWithDocuments})
