"""What several folders of tests share, such as runs made of noise, a web server, the processes of a cluster."""

import time
from pathlib import Path

from pipeline.locks import alive

REPOSITORY = Path(__file__).resolve().parents[2]


def content(folder):
    """The bytes of every file below a folder, by its path in there."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def still_there(processes, seconds=60):
    """Those that do not end within so many seconds; a container may keep a dead one's number, as a zombie."""
    limit = time.monotonic() + seconds
    while running := [process for process in processes if alive(process.pid, process.create_time())]:
        if time.monotonic() > limit:
            return running
        time.sleep(0.02)
    return []
