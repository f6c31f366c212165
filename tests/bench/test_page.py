from bench import REPOSITORY, page, results


def test_the_page_is_what_the_results_make_of_it(tmp_path):
    """After an edit of the template or of the results: `python -m bench page`."""
    found = results.read(REPOSITORY / "bench" / "results.json")
    assert page.text(found) == (REPOSITORY / "docs/performance.md").read_text(encoding="utf-8")
    results.write(tmp_path / "results.json", found)
    assert (tmp_path / "results.json").read_bytes() == (REPOSITORY / "bench" / "results.json").read_bytes()


def test_the_fastest_peer_is_judged_by_its_median_with_the_same_settings():
    def row(side, median, own_settings=False):
        ms = {"min": 1, "median": median, "max": 90}
        return {"work": "a", "phase": "train", "side": side, "own_settings": own_settings, "ms": ms}

    rows = [row("unroll", 1.0), row("keras", 3.0), row("jax", 2.0), row("keras", 1.5, True), row("jax", 9.0, True)]
    same, free = page.grouped(rows), page.grouped(rows, own_settings=True)
    assert page.fastest(same["a", "train"])["side"] == "jax"
    assert page.fastest(free["a", "train"])["side"] == "keras"
