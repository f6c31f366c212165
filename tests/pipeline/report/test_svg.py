import re

import numpy as np
from pipeline.report.svg import FAMILY, _relative, svg


def draw(axes):
    axes.plot([0, 1, 2], [0, 0.0123, 1], color=FAMILY["gru"], gid="curve-3")
    axes.fill([0, 1, 1], [0, 0, 1], color=FAMILY["gru"], gid="band-3")
    axes.scatter([0, 1], [0, 1], color=FAMILY["gru"])
    axes.set_yticks([0.0, 0.0123], ["zero 0.01234", "0.0123"])


def test_a_plot_has_no_date_no_colour_and_no_style_of_its_own_short_numbers_and_whole_labels():
    text = svg(draw, (2, 2), "a <title>\x1b", "d/e loss")
    assert text == svg(draw, (2, 2), "a <title>\x1b", "d/e loss"), "the same bytes each time"
    assert text.startswith('<svg viewBox="0 0 144 144" role="img"')
    assert "<title>a &lt;title&gt;\\x1b</title>" in text
    assert "var(--gru)" in text
    assert not re.search(r"#[0-9a-f]{6}\b|<style|date|font-family", text, re.IGNORECASE)
    assert not re.search(r'(?:\bd|x|y)="[^"]*\d\.\d\d', text)
    assert ">zero 0.01234</text>" in text
    assert sorted(re.findall(r'data-(curve|band)="(\d+)"', text)) == [("band", "3"), ("curve", "3")]
    ids = re.findall(r' id="([^"]*)"', text)
    assert ids
    other = re.findall(r' id="([^"]*)"', svg(draw, (2, 2), "t", "d/f loss"))
    assert not {*ids} & {*other}, "no two plots of a page share one"
    assert {*re.findall(r'(?:url\(|href=")#([^)"]*)', text)} == {*ids}


def test_a_path_told_by_steps_goes_through_the_points_that_it_was_drawn_through():
    points = [(10 * x % 7.3, x * x / 3) for x in range(40)]
    told = _relative(re.match(r"(.*)(z)", " L ".join(f"{x:.1f} {y:.1f}" for x, y in points) + "z"))
    start, steps = re.fullmatch(r' d="M(.*)l(.*)z"', told).groups()
    numbers = np.array((start + " " + steps).split(), float).reshape(-1, 2)
    np.testing.assert_allclose(np.cumsum(numbers, 0), np.round(points, 1), atol=1e-9)
