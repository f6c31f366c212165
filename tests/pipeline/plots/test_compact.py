import re

import pytest

from pipeline.plots.compact import Shared
from pipeline.plots.svg import MAIN, MUTED, svg

NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")


def points(data):
    """The points of a path of lines, as a browser reads it."""
    at, found = (0.0, 0.0), []
    for command, rest in re.findall(r"([Mlhv])([^Mlhv]*)", data):
        values = [float(value) for value in NUMBER.findall(rest)]
        steps = {"h": [(x, 0) for x in values], "v": [(0, y) for y in values]}
        for dx, dy in steps.get(command) or zip(values[::2], values[1::2], strict=True):
            at = (dx, dy) if command == "M" else (at[0] + dx, at[1] + dy)
            found.append(at)
    return found


def line(y, colour=MAIN, alpha=None):
    def draw(axes):
        axes.plot(range(len(y)), y, color=colour, alpha=alpha)
        axes.plot([0, len(y) - 1], [0.5, 0.5], color=MUTED)
        axes.set_ylim(-1, 2)

    return draw


def test_a_line_goes_where_matplotlib_draws_it():
    y = [0, 1, 1, 1, -0.7, 0.25, *[0.25 + 1e-4 * i for i in range(400)]]
    text = svg(line(y), (2, 2), "t", "salt")
    drawn = points(re.search(r'stroke:var\(--main\)[^>]* d="([^"]*)"', text)[1])
    box = re.search(r'<rect x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', text)
    left, top, wide, high = map(float, box.groups())
    assert drawn[0] == pytest.approx((left + 0.05 / 1.1 * wide, top + high * 2 / 3), abs=0.2)
    assert drawn[-1] == pytest.approx((left + 1.05 / 1.1 * wide, top + high * (2 - y[-1]) / 3), abs=0.2)
    assert len(text) < 6000


def test_a_line_without_length_is_a_dot():
    def draw(axes):
        axes.plot([1, 1], [1, 1], color=MAIN)

    text = svg(draw, (2, 2), "t", "salt")
    assert re.search(r'stroke:var\(--main\)[^>]* d="M[\d. ]+v0"', text)


def test_what_panels_have_in_common_is_written_once_and_nothing_is_lost():
    panels = {name: svg(line([0, i, 1]), (2, 2), name, name) for i, name in enumerate(("a", "b", "c"))}
    shared = Shared()
    found = shared.panels(panels)
    assert ">2</text>" in found["a"]
    assert "<text" not in found["b"] + found["c"]
    assert len(found["b"]) < len(panels["b"]) / 4
    styles = {name: style for style, name in shared.styles.items()}
    once = dict(re.findall(r'<g id="([^"]*)">((?:<g.*?</g>|<path[^>]*>)*)</g>', found["a"]))
    assert once
    for name, text in found.items():
        whole = re.sub(r'<use href="#(u[^"]*)"/>', lambda use: once[use[1]], text)
        whole = re.sub(r'<g id="u[^"]*">((?:<g.*?</g>|<path[^>]*>)*)</g>', r"\1", whole)
        whole = re.sub(r'class="(s\d+)"', lambda one: f'style="{styles[one[1]]}"', whole)
        clip = re.search(r"<clipPath.*?</clipPath>", panels[name])[0]
        expected = re.sub(r"#[^)\"]*\)", "#)", panels[name])
        if name == "a":
            assert clip in whole
        else:
            expected = expected.replace(clip, "")
        assert re.sub(r"#[^)\"]*\)", "#)", whole) == expected


def test_seen_through_lines_stay_apart_and_others_become_one():
    def draw(axes, alpha=None):
        for y in (1, 2):
            axes.plot([0, 1], [0, y], color=MAIN, alpha=alpha)

    solid, pale = (svg(lambda axes, a=a: draw(axes, a), (2, 2), "t", "salt") for a in (None, 0.5))
    assert re.search(r'stroke:var\(--main\)[^>]* d="M[^"M]*M[^"M]*"/>', solid)
    assert re.search(r'<g style="[^"]*stroke-opacity:0.5[^"]*"[^>]*>(<path d="[^"]*"/>){2}</g>', pale)


def test_an_area_keeps_its_fill():
    def draw(axes):
        axes.fill_between([0, 1, 2], [0, 1, 0], [1, 3, 2], color=MAIN, alpha=0.3, linewidth=0)

    assert re.search(r'<path style="[^"]*fill:var\(--main\)[^"]*"[^>]* d="M[^"]*z"', svg(draw, (2, 2), "t", "salt"))
