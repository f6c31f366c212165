import re

from pipeline.report.svg import FAMILY, svg


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
    assert re.findall(r'data-(curve|band)="(\d+)"', text) == [("curve", "3"), ("band", "3")] or re.findall(
        r'data-(curve|band)="(\d+)"', text
    ) == [("band", "3"), ("curve", "3")]
    ids = re.findall(r' id="([^"]*)"', text)
    assert ids
    other = re.findall(r' id="([^"]*)"', svg(draw, (2, 2), "t", "d/f loss"))
    assert not {*ids} & {*other}, "no two plots of a page share one"
    assert {*re.findall(r'(?:url\(|href=")#([^)"]*)', text)} == {*ids}
