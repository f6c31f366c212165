import os
import subprocess
import sys

import pytest

from tests.support import REPOSITORY

PRINTS = """
import sys, typer
from unroll.exits import run

def command():
    print("text")
    {end}

sys.exit(run(command))
"""


@pytest.mark.parametrize(("end", "code"), [("pass", 0), ("raise typer.Exit(0)", 0), ("raise typer.Exit(3)", 3)])
def test_one_who_stops_reading_changes_no_exit_code(end, code):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", PRINTS.format(end=end)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (code, b"")
