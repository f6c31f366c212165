"""Puts into a wheel what the repository holds beside its code, as `unroll/documents/`;
pyproject.toml says all else.
"""

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MACHINE = runpy.run_path("pipeline/provenance/machine.py")


class BuildWithDocuments(build_py):
    """setuptools' step that gathers the modules of a wheel; an editable install has the
    documents in the checkout.
    """

    def run(self) -> None:
        """Gather the modules in an empty folder, then the documents, and the locked
        versions without their hashes.
        """
        if self.editable_mode:
            super().run()
            return
        # what an earlier build left would be in the wheel
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        folder = Path(self.build_lib, *MACHINE["PACKED"])
        for name in MACHINE["DOCUMENTS"]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if Path(name).is_dir() else shutil.copyfile)(
                name, folder / name
            )
        pins = MACHINE["pins"](
            Path(MACHINE["REQUIREMENTS"]).read_text(encoding="utf-8")
        )
        (folder / MACHINE["REQUIREMENTS"]).write_text(pins, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithDocuments})
