"""Run a command and print what it cost, as JSON: `python -I -S bench/meter.py COMMAND`.

A child starts with its parent's peak: Linux counts the memory that it shares until it
runs its own program. So the parent is this interpreter, with next to nothing imported.
"""

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import time

SUBREAPER = 36
"""Linux's prctl by which orphans come to this process: stages of `unroll` outlive the
one that started them."""

MEBI = 2**20 if sys.platform == "darwin" else 2**10
"""Units of `ru_maxrss` in a MiB: macOS counts bytes, Linux KiB."""

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
start = time.perf_counter()
status = subprocess.run(sys.argv[1:], check=False, stdout=sys.stderr).returncode
seconds = time.perf_counter() - start
with contextlib.suppress(ChildProcessError):
    while os.wait():
        pass
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(
    json.dumps(
        {
            "seconds": seconds,
            "cpu": used.ru_utime + used.ru_stime,
            "peak": used.ru_maxrss / MEBI,
        }
    )
)
sys.exit(abs(status))
