import subprocess
import sys

from pipeline.provenance import machine


def test_arms_instruction_sets_stand_elsewhere(monkeypatch):
    monkeypatch.setattr(machine, "cpuinfo", lambda: {"Features": "fp asimd"})
    assert machine.flags() == ["fp", "asimd"]


def test_the_settings_of_a_process_need_nothing_slow():
    code = "import sys; from pipeline import numerics; print({'pydantic', 'numpy', 'tensorflow'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"set()\n"
