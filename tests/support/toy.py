"""A repository with a graph like the documents', of shell lines; the variable NOISE
makes a build another one."""

import os
import subprocess
import sys

from pipeline.files import write_text
from tests.unroll.builds.test_workspaces import git

GRAPH = """
stages:
  prepare:
    foreach: ${datasets}
    do:
      cmd: mkdir -p data && echo ${item.rows} > data/${key}
      outs: ["data/${key}"]
  train:
    foreach: ${experiments}
    do:
      cmd: >-
        cat code > /dev/null && if [ "$NAP" ]; then touch waiting && sleep "$NAP"; fi &&
        mkdir -p runs/${key} && echo ${item.units}$NOISE > runs/${key}/weights
      deps: [code, "data/${key}"]
      params: ["experiments.${key}"]
      outs: ["runs/${key}"]
  evaluate:
    foreach: ${datasets}
    do:
      cmd: >-
        mkdir -p results/metrics/${key} &&
        printf '{"mse": 0.%s}' "$(cat runs/${key}/weights)" > results/metrics/${key}/gru.json
      deps: ["runs/${key}"]
      metrics: ["results/metrics/${key}": {cache: false}]
  report:
    cmd: >-
      if [ "$(cat runs/waves/weights)" -lt 50 ]; then word=yes; else word=no; fi;
      printf '{"waves": {"tuned": {"outcome": "%s"}}}' $word > results/answers.json
    deps: [runs/waves, results/metrics/waves]
    outs: [results/answers.json: {cache: false}]
"""

PARAMS = """
datasets: {waves: {rows: 9}, sine: {rows: 7}}
experiments: {waves: {units: 32}, sine: {units: 16}}
"""

FILES = {
    ".dvc/config": "[core]\n    analytics = false\n",
    ".dvc/.gitignore": "/cache\n/tmp\n/config.local\n",
    ".gitignore": "/.unroll/\n/.verify/\n/data/\n/runs/\n",
    "dvc.yaml": GRAPH,
    "params.yaml": PARAMS,
    "code": "1\n",
}


def make(root):
    """Build the graph in a new folder, and commit all."""
    for name, text in FILES.items():
        write_text(root / name, text)
    git(root, "init", "-q")
    repro(root)
    commit(root, "built")
    return root


def repro(root):
    environment = os.environ | {
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        "NOISE": "",
    }
    subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "-q"],
        cwd=root,
        env=environment,
        check=True,
    )


def commit(root, message):
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


def edit(root, name, old, new):
    """Change a file of the repository."""
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))
