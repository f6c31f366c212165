import itertools
import re

from bench import page


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
    known = numbers(found) | {page.FASTEST, *page.OF_DOCUMENTS.values()}
    known |= {r["flops"] / 1e6 for r in found["rows"] if r["flops"]}
    known |= {100 * r["share_of_peak"] for r in found["rows"] if "share_of_peak" in r}
    lines = [line for line in text.splitlines() if line.startswith(("| jena", "| sine"))]
    shown = {float(n) for line in lines for n in re.findall(r"\d+(?:\.\d+)?(?:e[-+]\d+)?", line.replace(",", ""))}
    assert len(lines) == 4 + 4 + 4 + 2 + 1
    for number in shown:
        assert any(abs(number - one) <= 0.006 * abs(one) for one in known), number


def test_the_fastest_peer_is_bold_and_goals_are_judged(found, tmp_path):
    page.write(found, tmp_path)
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    train = next(line for line in text.splitlines() if line.startswith("| jena_lstm | train | **"))
    assert "| **2.36 (2.12 to 2.6)** | 3.72" in train
    # 4.52 GFLOP in 12.5 ms are more than 120 GFLOP/s.
    assert "2x fastest: met; 4x documents: 2.36x, met by 301% of peak" in train
    assert "sine_dense, jax is absent: no such thing" in text
    for one in found["rows"]:
        one.pop("share_of_peak", None)
    page.write(found, tmp_path)
    assert "20x documents: **not met**, 2.36x" in (tmp_path / "performance.md").read_text(encoding="utf-8")


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
