"""Registry of source kinds: a module here is a `kind` of params.yaml, with one function `produce`."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.transfer import Patience, Progress


@dataclass(frozen=True)
class Context:
    """What a source may use besides its own options.

    Attributes:
        name: the source's name in params.yaml.
        root: the workspace's folder.
        scratch: a folder for half-fetched files, on the same file system as the source's folder.
        mirror: a folder or base address that is asked first, or None.
        progress: told of every file that grows.
        patience: the time limits of a download.
    """

    name: str
    root: Path
    scratch: Path
    mirror: str | None
    progress: Progress
    patience: Patience = field(default_factory=Patience)
