"""Overhead of a stage on a cluster, a graph on one worker and on two against local builds, and larger graphs simulated.

Workers are processes of this machine and DVC's remote is a folder, so networks and S3 are not in it.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from bench import results, workspaces
from bench.cluster import machines, simulate
from bench.cluster.machines import Built
from bench.cluster.simulate import Overhead
from bench.repository import REPOSITORY
from pipeline.config import params, plain_yaml
from pipeline.files import sha256, write_text
from pipeline.workspace import Workspace
from stages.repro import connection, dvc_graph
from stages.repro.build import REPORT
from stages.repro.cluster import HERE
from stages.repro.eta import Estimates, work
from stages.workspaces import miniature, scaled

OnStep = Callable[[str], None]

MACHINES = (1, 2)

SLOTS = (2, 4, 8, 16, 32, 64, 128, 256)

SIZES: dict[int, Sequence[int]] = {0: SLOTS, 1_000: SLOTS, 10_000: (64, 256)}
"""Stages -> slots to simulate them on; 0: the graph as it is. The loop with 10,000 stages takes minutes of CPU."""

QUICK_SIZES: dict[int, Sequence[int]] = {0: SLOTS, 1_000: (16, 64, 256)}


def measure(quick: bool, on_step: OnStep) -> dict[str, Any]:
    """Measure everything; JSON-able.

    Args:
        quick: the miniature of `unroll verify --quick` in place of the demo's graph, and no graph of 10,000 stages.
        on_step: told in words what is done next.

    Returns:
        graph (its name), stages, builds (machines -> `local`, `cluster`, seconds, and `ratio`), same_lock (whether
        dvc.lock is the same bytes after all of them), overhead (of a stage, seconds: median, mean, max; begin and land
        of the head, both medians) and simulated (see `simulated`).

    Raises:
        UnrollError: the packages of clusters are not installed.
        CommandFailedError: a build or a process of the cluster failed; says the last line that it printed.
    """
    connection.require()
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
        folder = Path(name)
        found, locks, builds = {}, set(), {}
        for count in MACHINES:
            on_step(f"a local build, --jobs {count}")
            local = workspace(folder / f"local{count}", folder / "store-local", quick=quick)
            here = machines.build(local, "--jobs", str(count))
            on_step(f"a cluster of {count}")
            head = workspace(folder / f"cluster{count}", folder / f"store{count}", quick=quick)
            with machines.cluster(head, count) as address:
                there = machines.build(head, "--on", address)
            locks |= {sha256(one.root / "dvc.lock") for one in (local, head)}
            seconds = {"local": here.seconds, "cluster": there.seconds, "ratio": there.seconds / here.seconds}
            builds[str(count)], found[count] = seconds, (here, there)
        overhead = besides(*found[1])
        result = {
            "graph": "the miniature" if quick else "the demo's graph",
            "stages": len(found[1][0].stages),
            "builds": builds,
            "same_lock": len(locks) == 1,
            "overhead": overhead,
            "simulated": simulated(QUICK_SIZES if quick else SIZES, overhead, folder, on_step),
        }
    return results.rounded(result)


def workspace(folder: Path, store: Path, *, quick: bool) -> Workspace:
    """A fresh workspace whose DVC remote is a folder."""
    if quick:
        made = miniature.make_workspace(REPOSITORY, folder)
    else:
        small = scaled.without(scaled.scale(plain_yaml.read(REPOSITORY / "params.yaml")), scaled.TWINS)
        made = workspaces.make_workspace(folder, small)
    remote = f"    remote = store\n['remote \"store\"']\n    url = {store}\n"
    write_text(folder / ".dvc" / "config", scaled.CONFIG + remote)
    return made


def besides(local: Built, cluster: Built) -> dict[str, float]:
    """What stages on the one worker of a cluster took besides what they take on one core here.

    The first one of the worker is left out: its slot starts then, once.
    """
    ran = [stage for stage in cluster.stages if not stage.startswith((*HERE, REPORT))]
    first = min(ran, key=list(cluster.spent).index)
    more = [cluster.stages[stage] - local.stages[stage] for stage in ran if stage != first]
    head = {part: median(cluster.spent[stage][part] for stage in ran) for part in ("begin", "land")}
    return {"median": median(more), "mean": mean(more), "max": max(more), "first": _more(local, cluster, first), **head}


def _more(local: Built, cluster: Built, stage: str) -> float:
    return cluster.stages[stage] - local.stages[stage]


def simulated(
    sizes: dict[int, Sequence[int]], overhead: dict[str, float], scratch: Path, on_step: OnStep
) -> dict[str, Any]:
    """The real graph, and copies of it side by side, on many slots.

    Returns:
        `recorded`: of how many stages the seconds are those of their last build here; the others' are estimated from
        params.yaml. `graphs`: for each size stages, read (CPU seconds until DVC knows what is due) and planned (for
        the order of all), slots, bound, seconds and loop (of them computed by the loop itself).
    """
    on_step("reading the real graph")
    needs = {stage: needed for stage, needed in dvc_graph.read(REPOSITORY).needs.items() if stage != REPORT}
    file = Workspace(REPOSITORY).scratch / "seconds.json"
    known = Estimates(file, work(params.load(REPOSITORY / "params.yaml")))
    seconds = {stage: known.seconds(stage) for stage in needs}
    recorded = len(json.loads(file.read_text(encoding="utf-8")).keys() & needs.keys()) if file.exists() else 0
    slot = max(overhead["median"] - overhead["land"], 0.0)
    each = Overhead(overhead["begin"], overhead["land"], slot)
    graphs = []
    for stages, many in sizes.items():
        graph, takes = simulate.replicated(needs, seconds, stages)
        on_step(f"DVC reads {len(graph):,} stages")
        one: dict[str, Any] = {"stages": len(graph), "read": read(len(graph) // len(needs), scratch / "read")}
        one |= {"planned": simulate.planned(graph, takes, scratch)}
        one |= {"slots": list(many), "bound": [simulate.bound(graph, takes, slots) for slots in many]}
        runs = []
        for slots in many:
            on_step(f"{len(graph):,} stages on {slots} slots, in virtual time")
            runs.append(simulate.build(graph, takes, slots, each, scratch))
        graphs.append(one | {key: [run[key] for run in runs] for key in ("seconds", "loop")})
    return {"recorded": recorded, "graphs": graphs}


def read(copies: int, folder: Path) -> float:
    """CPU seconds in which DVC reads so many copies of the graph side by side, and finds out what is due."""
    plain = plain_yaml.read(REPOSITORY / "params.yaml")
    links = {"sources": None, "datasets": "source", "experiments": "dataset"}
    many = {
        section: {
            f"{name}_{n}": {**one, link: f"{one[link]}_{n}"} if link else one
            for n in range(copies)
            for name, one in plain[section].items()
        }
        for section, link in links.items()
    }
    made = scaled.make_workspace(REPOSITORY, folder)
    plain_yaml.write(many, made.params)
    started = time.process_time()
    dvc_graph.read(made.root)
    return time.process_time() - started
