"""A limit of memory, kept by the system, while files of somebody else are read.

Nobody can say from a file how much memory its reader takes. macOS keeps no such limit.
"""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator

import psutil

from pipeline.errors import UnrollError

VARIABLE = "UNROLL_MEMORY"
"""The environment variable with the limit in GB."""

USUAL = 1.5
"""GB that reading may take, on top of what the process has."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Let the block take at most `USUAL` GB of addresses, or as `VARIABLE` says (Linux).

    The limit binds all threads of the process, so it is for reading alone.

    Raises:
        UnrollError: the block takes more.
    """
    if sys.platform != "linux":
        yield
        return
    most = float(os.environ.get(VARIABLE) or USUAL)
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    addresses = psutil.Process().memory_info().vms + int(most * 1e9)
    lower = [limit for limit in (before, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([addresses, *lower]), hard))
    try:
        yield
    except MemoryError:
        raise UnrollError(
            f"reading takes more than {most:g} GB of memory; if the files are your own, "
            f"set {VARIABLE} to more GB"
        ) from None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
