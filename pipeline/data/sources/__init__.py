"""Sources of raw data. A module of this package is a `kind` in params.yaml.

Its function `produce(folder, context, *, ...)` fills an empty folder; `context` is a
`pipeline.data.fetch.Context`. The keyword-only
parameters are the options of the source.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    import numpy as np


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def streams(seed: int, count: int) -> "list[np.random.Generator]":
    """Return independent generators.

    The numbers of a generator do not depend on how many the others have drawn.
    """
    import numpy as np

    return [
        np.random.default_rng(stream)
        for stream in np.random.SeedSequence(seed).spawn(count)
    ]
