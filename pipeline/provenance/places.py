"""Where the code lies, and the project that belongs to it.

Each process of `unroll` imports this module first, and setup.py runs it, so it imports
nothing slow and nothing of the project.
"""

from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
"""The folder that holds `PACKAGES`: the checkout, or site-packages."""

PACKAGES = ("pipeline", "stages", "unroll")
"""The packages of the project."""

NUMERICS = "locks/numerics.lock"
"""The lock file of the packages that compute. Each fingerprint has its hash."""

REQUIREMENTS = "locks/requirements.lock"
"""The lock file of a whole environment; a wheel has it without hashes."""

PACKED = ("unroll", "documents")
"""The folder of an installed wheel in which the documents lie (setup.py)."""


def project_of(code: Path) -> Path:
    """Return the folder of the project that belongs to the code in a folder.

    It is the same folder in a checkout, and `PACKED` within an installed wheel.
    """
    packed = code.joinpath(*PACKED)
    return packed if packed.is_dir() else code


def project_folder(root: Path, needed: str = "params.yaml") -> Path:
    """Return a user's folder if it holds the needed file, else the project of the four
    documents.
    """
    return root if (root / needed).is_file() else project_of(CODE)
