"""Run a command and print what it cost, as JSON: `python -I -S bench/meter.py COMMAND`.

Linux counts the memory of the parent in the peak of a child, until the child runs its
own program. So the parent is this interpreter, which has imported next to nothing.
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
"""The option of Linux's prctl that makes orphans children of this process. Stages of
`unroll` may outlive the process that started them."""

MEBI = 2**20 if sys.platform == "darwin" else 2**10
"""Units of `ru_maxrss` in a MiB. macOS counts bytes, Linux counts KiB."""

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
start = time.perf_counter()
status = subprocess.run(sys.argv[1:], check=False, stdout=sys.stderr).returncode
seconds = time.perf_counter() - start
with contextlib.suppress(ChildProcessError):
    while os.wait():
        pass
used = resource.getrusage(resource.RUSAGE_CHILDREN)
costs = {
    "seconds": seconds,
    "cpu": used.ru_utime + used.ru_stime,
    "peak": used.ru_maxrss / MEBI,
}
print(json.dumps(costs))
sys.exit(abs(status))
