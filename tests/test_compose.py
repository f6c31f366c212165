"""compose.yaml, and what CI takes from others: what can be known without Docker and GitHub."""

import os
import re
import shlex
import subprocess

import pytest
import typer

from pipeline.config import plain_yaml
from tests.support import REPOSITORY
from unroll.app import app
from unroll.commands import main  # noqa: F401 - registers the commands

TEXT = (REPOSITORY / "deploy/compose.yaml").read_text(encoding="utf-8")
SERVICES = plain_yaml.read(REPOSITORY / "deploy/compose.yaml")["services"]


def test_every_image_and_every_action_of_others_is_pinned():
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    images |= {*re.findall(r"FROM (\S+)", TEXT)}
    assert len(images) == 2
    for image in images:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?[\w-]*@sha256:[0-9a-f]{64}", image), image
    workflows = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / ".github/workflows").iterdir())
    actions = re.findall(r"uses: ([^.].+)", workflows)  # our own lie in the same commit
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize(("report", "comment"), [(0, 0), (0, 1), (1, 1)])
def test_a_report_that_may_not_be_a_comment_stays_in_the_summary_and_its_exit_code_is_the_steps(
    tmp_path, report, comment
):
    (step,) = plain_yaml.read(REPOSITORY / ".github/actions/report/action.yml")["runs"]["steps"]
    for name, text in {"python": f"echo flipped\nexit {report}", "gh": f"echo 403 >&2\nexit {comment}"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    variables = dict.fromkeys(step["env"], "1") | {"RUNNER_TEMP": tmp_path, "GITHUB_STEP_SUMMARY": tmp_path / "summary"}
    variables |= {"PYTHON": tmp_path / "python", "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as GitHub calls it
    step_run = subprocess.run(bash, env=variables, check=False, capture_output=True, text=True)
    assert (step_run.returncode, step_run.stdout.startswith("::warning ")) == (report, comment == 1)
    assert (tmp_path / "summary").read_text() == "flipped\n"


def test_every_service_is_unprivileged_and_reads_its_secrets_from_variables_that_are_explained():
    for service in SERVICES.values():
        assert re.fullmatch(r"postgres|\$\{OWNER:-1000:1000\}", service["user"])
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        for name, value in service.get("environment", {}).items():
            if re.search("KEY|PASSWORD|STORE_URI", name):
                assert re.search(r"\$\{\w+:\?", value), name
    example = (REPOSITORY / "deploy/.env.example").read_text(encoding="utf-8")
    variables = dict(line.split("=") for line in example.splitlines() if not line.startswith("#"))
    assert {*re.findall(r"(?<!\$)\$\{(\w+)", TEXT)} == variables.keys()
    assert not any(value for name, value in variables.items() if re.search("KEY|PASSWORD", name))
    assert "/deploy/.env" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", ["scheduler", "worker", "head"])
def test_commands_are_unrolls(name):
    words = shlex.split(re.sub(r"\$\{\w+:-(\w+)\}", r"\1", SERVICES[name]["command"]))
    command, words = typer.main.get_command(app), words[1:]
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(name, words)  # raises an error where an option or a value is wrong
    assert "tls://" in SERVICES[name]["command"]
