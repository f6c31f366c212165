"""Where raw data come from. A module here is a `kind` of params.yaml.

Its function `produce(folder, context, *, ...)` fills an empty folder; what is
keyword-only are its options.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pipeline.data.download import fetch

if TYPE_CHECKING:
    import numpy as np


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Options of generators."""


@dataclass(frozen=True)
class Context:
    """All that a source may use besides its own options.

    Attributes:
        name: the source's name in params.yaml.
        root: the workspace's folder.
        scratch: a folder for half-made files.
        mirror: a folder or base address that is asked first, or None.
    """

    name: str
    root: Path
    scratch: Path
    mirror: str | None

    def fetch(
        self,
        name: str,
        url: str | None,
        destination: Path,
        *,
        folder: str = "",
        sha256: str | None = None,
    ) -> str:
        """Fetch as `pipeline.data.download.fetch`; in the mirror the file lies in
        `folder`, by default the source's.
        """
        path = f"{folder or self.name}/{name}"
        return fetch(
            name, url, destination, path=path, mirror=self.mirror, sha256=sha256
        )


def streams(seed: int, count: int) -> "list[np.random.Generator]":
    """Return generators with a seed of their own each, so that how much one draws
    leaves the others as they are.
    """
    import numpy as np

    return [
        np.random.default_rng(stream)
        for stream in np.random.SeedSequence(seed).spawn(count)
    ]
