"""The page as a reader's browser has it."""

import dataclasses
from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.report.page import page
from pipeline.report.results import load
from tests.support import chromium

LAYOUT = Path(chromium.__file__).with_name("layout.js").read_text(encoding="utf-8")
SHOWN = ("waves", "imdb", "jena_hourly")
"""With floors, with stand-ins and a table of words, with a unit and many columns."""

PAPER = 718
"""Pixels across a sheet of A4 within the margins of a browser."""


if chromium.find() is None:
    pytest.skip(f"no Chromium on PATH ({', '.join(chromium.NAMES)}): no page in it", allow_module_level=True)


@pytest.fixture(scope="module")
def path(evaluated, tmp_path_factory):
    results = load(evaluated, params.load(evaluated.params))
    built = [one for one in results.built if one.name in SHOWN]
    made = tmp_path_factory.mktemp("page") / "index.html"
    made.write_text(page(dataclasses.replace(results, built=built, scaled="At most 3 epochs.")), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser(path, tmp_path_factory):  # noqa: ARG001 -- made first: its minutes on a busy machine are not Chromium's
    with chromium.tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser, path):
    browser.open(path)
    browser.run(LAYOUT)
    return browser


def test_it_asks_for_nothing_and_complains_of_nothing(tab, path):
    assert tab.requests == [path.as_uri()]
    assert tab.errors == []


@pytest.mark.parametrize(("width", "media"), [(390, ""), (800, ""), (1040, ""), (1280, ""), (PAPER, "print")])
def test_nothing_is_wider_than_its_box_or_over_another_and_a_finger_hits_what_it_is_for(tab, width, media):
    tab.look(width=width, media=media)
    tab.run("layout.unfold()")
    tab.look(width=width, height=tab.run("document.documentElement.scrollHeight"), media=media)
    assert tab.run("layout.wide()") == []
    assert tab.run("layout.overlapping()") == []
    assert tab.run("layout.covered()") == []
    assert tab.run("layout.small()") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out(tab, scheme):
    tab.look(scheme=scheme)
    tab.run("layout.unfold()")
    assert tab.run("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert tab.run("layout.pale()") == []


def test_a_wide_table_keeps_its_first_column(tab):
    tab.look(width=390)
    tab.run("layout.unfold()")
    left = "document.querySelector('#jena_hourly .scores tbody th').getBoundingClientRect().left"
    before = tab.run(left)
    scroll = "(e => (e.scrollLeft = 1e4, e.scrollLeft))"
    assert tab.run(f"{scroll}(document.querySelector('#jena_hourly .scores').parentElement)") > 0
    assert tab.run(left) == before


@pytest.mark.parametrize("width", [390, 1280])
def test_the_keyboard_reaches_all_and_shows_where_it_is(tab, width):
    tab.look(width=width)
    tab.run("layout.unfold()")
    faults = []
    for place in range(tab.run("layout.reachable().length")):
        tab.press("Tab", 9)
        found = tab.run("layout.focus()")
        faults += found["faults"] if found["place"] == place else [f"{found} instead of {place}"]
    assert faults == []


def test_the_keyboard_opens_sorts_and_enlarges(tab):
    def enter(element):
        tab.run(f"document.querySelector('{element}').focus()")
        tab.press("Enter", 13, "\r")

    closed = "#waves details:not([open])"
    count = tab.run(f"document.querySelectorAll('{closed}').length")
    enter(f"{closed} summary")
    assert tab.run(f"document.querySelectorAll('{closed}').length") == count - 1
    enter("#waves .ranked th.n button")
    assert tab.run("document.querySelector('#waves .ranked th.n').ariaSort") == "ascending"
    width = "document.querySelector('#waves .panels svg').clientWidth"
    before = tab.run(width)
    for pressed, wider in (("true", True), ("false", False)):
        enter("#waves .enlarge")
        assert tab.run("document.querySelector('#waves .enlarge').ariaPressed") == pressed
        assert (tab.run(width) > before) == wider


def column(tab, place):
    rows = "[...document.querySelectorAll('#waves .ranked tbody tr')]"
    return tab.run(f"{rows}.map((row) => row.cells[{place}].innerText.trim().split(/\\s/)[0].replaceAll(',', ''))")


def test_a_click_on_a_heading_sorts(tab):
    titles = tab.run("[...document.querySelectorAll('#waves .ranked thead th')].map((one) => one.innerText.trim())")
    scores = column(tab, 2)
    assert scores == sorted(scores, key=float), "the best first, as it comes"
    names = column(tab, 0)
    heading = "document.querySelectorAll('#waves .ranked thead th')[{}]"
    for place, key in ((0, str), (titles.index("Parameters"), float), (2, float)):
        tab.click(f"{heading.format(place)}.querySelector('button')")
        found = [each for each in column(tab, place) if each]
        assert found == sorted(found, key=key)
        tab.click(f"{heading.format(place)}.querySelector('button')")
        assert tab.run(f"{heading.format(place)}.ariaSort") == "descending"
        found = [each for each in column(tab, place) if each]
        assert found == sorted(found, key=key, reverse=True)
    assert tab.run("document.querySelectorAll('#waves .ranked [aria-sort]').length") == 1
    assert column(tab, 0) == names[::-1]


def test_the_keyboard_chooses_whose_curves_are_shown_also_without_scripts(tab, path):
    tab.open(path, scripts=False)
    overlay = "document.querySelector('#waves .overlay')"
    boxes = f"[...{overlay}.querySelectorAll('input')]"
    shown = f"[...{overlay}.querySelectorAll('[data-curve]')].map((one) => getComputedStyle(one).display !== 'none')"
    assert tab.run(f"{overlay}.closest('details').open = true")
    before = tab.run(shown)
    assert before == tab.run(f"{boxes}.map((one) => one.checked)")
    assert len(before) > 1
    for place in range(len(before)):
        tab.run(f"{boxes}[{place}].focus()")
        tab.press(" ", 32, " ")
    assert tab.run(shown) == [not one for one in before]
    colours = "(one) => one.map((each) => getComputedStyle(each))"
    drawn = tab.run(f"({colours})([...{overlay}.querySelectorAll('[data-curve] path')]).map((one) => one.stroke)")
    assert drawn == tab.run(f"({colours})([...{overlay}.querySelectorAll('.line')]).map((one) => one.color)")


def test_without_scripts_it_says_as_much_and_has_no_dead_button(tab, path):
    words = "layout.unfold(), layout.texts().map((one) => one.element.closest('.enlarge') ? '' : one.text).join('')"
    for width in (390, 1280):
        tab.open(path, width=width)
        tab.run(LAYOUT)
        with_scripts = tab.run(words)
        tab.open(path, width=width, scripts=False)
        tab.run(LAYOUT)
        assert tab.run("document.querySelectorAll('button').length") == 0
        closed = "document.querySelectorAll('details:not([open])').length"
        before = tab.run(closed)
        tab.click("document.querySelector('details:not([open]) summary')")
        assert tab.run(closed) == before - 1
        without = tab.run(words)
        assert "does not hold" in without
        if width == 1280:
            assert without == with_scripts
        assert tab.run("layout.wide()") == []


def test_on_paper_what_is_folded_is_open(tab):
    tab.look(width=PAPER, media="print")
    folded = "document.querySelector('details:not([open]) > :not(summary)')"
    assert tab.run(f"{folded}.getBoundingClientRect().height") > 0
    assert tab.run(f"{folded}.checkVisibility({{contentVisibilityAuto: true}})")
