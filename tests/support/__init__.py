"""What several folders of tests share, such as runs made of noise and a web server."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from pipeline.workspace import alive

REPOSITORY = Path(__file__).resolve().parents[2]


def content(folder):
    """The bytes of every file below a folder, by its path in there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def still_there(processes, seconds=60):
    """Those that do not end within so many seconds; a container may keep a dead one's
    number, as a zombie."""
    limit = time.monotonic() + seconds
    while running := [
        process for process in processes if alive(process.pid, process.create_time())
    ]:
        if time.monotonic() > limit:
            return running
        time.sleep(0.02)
    return []


def start_unroll(root, *arguments, handler="default_int_handler", **options):
    """`unroll` as a process whose SIGINT is handled so, whatever was inherited: a job
    in the background ignores it."""
    code = f"import runpy, signal; signal.signal(signal.SIGINT, signal.{handler}); "
    code += "runpy.run_module('unroll', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", code, "--root", str(root), *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=REPOSITORY, **streams, **options)


def last_output(process, family):
    """What a process printed that has ended, and has left nothing of its family."""
    process.wait()
    left = still_there(family)
    for survivor in left:
        survivor.kill()  # it holds the pipe that is read next
    output, _ = process.communicate()
    assert left == []
    return output


def ended_by(number, process, ready, send=os.kill):
    """What a process printed that gets a signal as soon as `ready()` holds, and has left
    nothing of its family."""
    while not ready():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    send(process.pid, number)
    output = last_output(process, family)
    assert "Traceback" not in output
    return output
