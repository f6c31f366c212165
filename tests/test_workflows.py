"""The workflows of CI: what can be known of them without GitHub."""

import os
import re
import subprocess

import pytest

from pipeline.config import plain_yaml
from tests.support import REPOSITORY


def test_every_action_of_others_is_pinned():
    workflows = "".join(
        path.read_text(encoding="utf-8")
        for path in (REPOSITORY / ".github/workflows").iterdir()
    )
    actions = re.findall(r"uses: ([^.].+)", workflows)  # our own lie in the same commit
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize(("report", "comment"), [(0, 0), (0, 1), (1, 1)])
def test_a_report_that_may_not_be_a_comment_stays_in_the_summary_and_its_exit_code_is_the_steps(
    tmp_path, report, comment
):
    (step,) = plain_yaml.read(REPOSITORY / ".github/actions/report/action.yml")["runs"][
        "steps"
    ]
    for name, text in {
        "python": f"echo flipped\nexit {report}",
        "gh": f"echo 403 >&2\nexit {comment}",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    variables = dict.fromkeys(step["env"], "1") | {
        "RUNNER_TEMP": tmp_path,
        "GITHUB_STEP_SUMMARY": tmp_path / "summary",
    }
    variables |= {
        "PYTHON": tmp_path / "python",
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    }
    # as GitHub calls it
    bash = [
        "bash",
        "--noprofile",
        "--norc",
        "-eo",
        "pipefail",
        "-c",
        step["run"],
    ]
    step_run = subprocess.run(
        bash, env=variables, check=False, capture_output=True, text=True
    )
    assert (step_run.returncode, step_run.stdout.startswith("::warning ")) == (
        report,
        comment == 1,
    )
    assert (tmp_path / "summary").read_text() == "flipped\n"
