"""Build the demo on a Dask cluster of this machine, and compare its runs with those that
were trained without it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from unroll import workspaces

LOCAL = Path(workspaces.DEMO)
REMOTE = Path(".unroll/cluster")
DASK = [sys.executable, "-m", "dask"]
UNROLL = [sys.executable, "-m", "unroll"]


def files(folder: Path) -> dict[Path, bytes]:
    """File -> content."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> None:
    """Start a scheduler and two workers, build, and compare every run."""
    subprocess.run([*UNROLL, "demo"], check=True)
    shutil.rmtree(REMOTE, ignore_errors=True)
    workspaces.chosen(Path.cwd(), REMOTE)
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*DASK, "scheduler", *here, "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    started = [scheduler]
    try:
        line = ""
        while "Scheduler at:" not in line:
            line = scheduler.stderr.readline()
        address = line.split()[-1]
        quiet = {"stderr": subprocess.DEVNULL}
        for name in ("one", "two"):
            worker = ["worker", address, "--nthreads", "1", "--name", name, *here]
            started.append(subprocess.Popen([*DASK, *worker], **quiet))
        build = ["--root", REMOTE, "repro", "--no-scores", "--scheduler", address]
        subprocess.run([*UNROLL, *build], check=True)
    finally:
        for process in started:
            process.terminate()
            process.wait()
    local = files(LOCAL / "runs")
    remote = files(REMOTE / "runs")
    different = [
        path for path in {**local, **remote} if local.get(path) != remote.get(path)
    ]
    count = f"{len(local)} files of runs, of which {len(different)} differ"
    sys.stdout.write("\n".join([count, *map(str, different), ""]))
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
