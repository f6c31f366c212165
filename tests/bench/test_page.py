import itertools
import re

from bench import page
from bench.peers import goals
from bench.peers.workloads import WORKLOADS


def numbers(data):
    if isinstance(data, dict):
        return {n for key, value in data.items() for n in numbers(key) | numbers(value)}
    if isinstance(data, list):
        return {n for value in data for n in numbers(value)}
    if isinstance(data, str):
        return {float(n) for n in re.findall(r"\d+(?:\.\d+)?", data)}
    return {float(data)} if isinstance(data, int | float) and not isinstance(data, bool) else set()


def test_every_number_of_the_tables_is_from_the_results(found, tmp_path):
    page.write(found, tmp_path)
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    known = numbers(found) | {*goals.GOALS.values()}
    known |= {r["flops"] / 1e6 for r in found["rows"] if r["flops"]}
    known |= {100 * r["share_of_peak"] for r in found["rows"] if "share_of_peak" in r}
    lines = [line for line in text.splitlines() if line.startswith(("| jena", "| sine"))]
    shown = {float(n) for line in lines for n in re.findall(r"\d+(?:\.\d+)?(?:e[-+]\d+)?", line.replace(",", ""))}
    assert len(lines) == 4 + 4 + 4 + 4 + 4 + 2 + 1
    for number in shown:
        assert any(abs(number - one) <= 0.006 * abs(one) for one in known), number


def test_the_fastest_peer_is_bold_in_both_columns_and_goals_are_judged_by_that_with_the_same_settings(found, tmp_path):
    page.write(found, tmp_path)
    lines = (tmp_path / "performance.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("| jena_lstm | train | **2.36 (2.12 to 2.6)** | 3.72") for line in lines)
    assert any(line.startswith("| jena_lstm | train | **4.72 (4.25 to 5.19)** | 7.44") for line in lines)
    assert "| jena_lstm | train | 4.72 (documents) | 2.36 (documents) | 1.55 | reached |" in lines
    assert "- sine_dense, jax is absent: no such thing" in lines
    assert not any("under it" in line for line in lines)


def test_a_row_under_its_goal_is_followed_by_what_its_time_consists_of(found, tmp_path, monkeypatch):
    asked = {("jena_lstm", "train"): 2.95, ("sine_dense", "train"): 5.9}
    monkeypatch.setattr(goals, "GOALS", asked)
    row = next(r for r in found["rows"] if (r["work"], r["phase"], r["side"]) == ("sine_dense", "train", "unroll"))
    row["filled"] = 0.1
    for one in found["rows"]:
        one["flops"] = one["flops"] and 600_000_000
    page.write(found, tmp_path)
    lines = (tmp_path / "performance.md").read_text(encoding="utf-8").splitlines()
    assert "| jena_lstm | train | 4.72 (documents) | 2.36 (documents) | 2.95 | **under it** |" in lines
    assert "| jena_lstm | evaluate | 4.72 (documents) | 2.36 (documents) |  | no goal |" in lines
    # 0.6 GFLOP at 120 GFLOP/s are 5 ms; the fastest peer takes 29.5.
    start = "- jena_lstm, train: a batch takes 12.5 ms, the goal leaves 10."
    assert f"{start} Products 5 ms (40%), the rest 7.5 ms." in lines
    start = "- sine_dense, train: a batch takes 12.5 ms, the goal leaves 5."
    assert f"{start} Products from 0.5 ms (4%; words) to 5 ms (40%; places)." in lines
    assert "34 to 34 % of the" in "\n".join(lines)
    found = {key: value for key, value in found.items() if key != "roofline"}
    page.write(found, tmp_path)
    assert "leaves 10. What its products take is not known." in (tmp_path / "performance.md").read_text(
        encoding="utf-8"
    )


def test_every_workload_has_its_goals():
    assert goals.GOALS.keys() == {(name, phase) for name in WORKLOADS for phase in ("train", "evaluate")}


def test_tables_are_whole_and_the_same_results_give_the_same_bytes(found, tmp_path):
    first = [path.read_bytes() for path in page.write(found, tmp_path / "1")]
    assert first == [path.read_bytes() for path in page.write(found, tmp_path / "2")]
    assert len(first) == 2
    assert first[1].startswith(b"<svg")
    for above, line in itertools.pairwise(first[0].decode().splitlines()):
        if line.startswith("|"):
            assert not above.strip() or above.count("|") == line.count("|"), line
        if line.startswith("| jena"):
            assert above.startswith("|"), line
