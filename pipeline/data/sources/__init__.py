"""Sources of raw data. A module of this package is a `kind` in params.yaml.

Its function `produce(folder, context, *, ...)` fills an empty folder. The keyword-only
parameters are the options of the source.
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


@dataclass(frozen=True)
class Context:
    """Everything that a source may use besides its options.

    Attributes:
        name: the source's name in params.yaml.
        root: the workspace's folder.
        scratch: a folder for unfinished files.
        mirror: a folder or base address to try first, or None.
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
        """Fetch a file, as `pipeline.data.download.fetch` does.

        In a mirror the file lies in `folder`, by default the folder with the source's
        name.
        """
        path = f"{folder or self.name}/{name}"
        return fetch(
            name, url, destination, path=path, mirror=self.mirror, sha256=sha256
        )


def streams(seed: int, count: int) -> "list[np.random.Generator]":
    """Return independent generators.

    The numbers of a generator do not depend on how many the others have drawn.
    """
    import numpy as np

    return [
        np.random.default_rng(stream)
        for stream in np.random.SeedSequence(seed).spawn(count)
    ]
