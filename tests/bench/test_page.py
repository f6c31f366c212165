from bench import REPOSITORY, page, results


def test_the_page_is_what_the_results_make_of_it():
    """After an edit of the template or of the results: `python -m bench page`."""
    measured = results.read(REPOSITORY / "bench" / "results.json")
    assert page.text(measured) == (REPOSITORY / "docs/performance.md").read_text(
        encoding="utf-8"
    )
