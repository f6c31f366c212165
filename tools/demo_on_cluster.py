"""Build the demo on a Dask cluster of this machine, and compare its runs with those that
were trained without it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from distributed import LocalCluster

from unroll.builds import demo

LOCAL = Path(demo.DEMO)
REMOTE = Path(".unroll/cluster")
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
    demo.chosen(Path.cwd(), REMOTE)
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        build = ["--root", REMOTE, "repro", "--scheduler", cluster.scheduler_address]
        subprocess.run([*UNROLL, *build], check=True)
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
