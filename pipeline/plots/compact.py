"""SVG in few bytes: matplotlib's written anew in parts, and what the panels of a page have in common written once."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby, pairwise
from xml.etree.ElementTree import Element

NAMES = {"svg": "{http://www.w3.org/2000/svg}", "href": "{http://www.w3.org/1999/xlink}href"}

STEP = re.compile(r"([MLQCz])([^MLQCz]*)")
"""A command of a path and its coordinates, as matplotlib writes them."""

PART = re.compile(r"<(g|defs|clipPath)\b.*?</\1>|<(?:path|use|text)\b[^>]*/>")
TENTHS = 10

Look = tuple[str, str, str]
"""Of what is drawn: its tag, its style, and the id of what it is cut to."""


def compact(text: str) -> str:
    """What is drawn in one of matplotlib's SVG files, as SVG parts, none of which lies in another.

    Axes come first, as what they are made of does not overlap. Neighbours that look alike are one part. Coordinates
    are relative, with one decimal.
    """
    from xml.etree import ElementTree as ET

    root = ET.fromstring(text)  # noqa: S314 -- matplotlib has just written it
    known = {element.get("id", ""): element for element in root.iter(f"{NAMES['svg']}path")}
    axes: list[tuple[Look, str]] = []
    rest: list[tuple[Look, str]] = []
    for leaf, on_axis in _leaves(root):
        (axes if on_axis else rest).append(_drawn(leaf, known))
    styles = [look for look, _ in axes]
    axes.sort(key=lambda one: styles.index(one[0]))
    parts = [_part(look, [drawn for _, drawn in alike]) for look, alike in groupby(axes + rest, lambda one: one[0])]
    used = re.findall(r'href="#([^"]*)"', "".join(parts))
    marks = [
        f'<defs><path id="{name}" d="{"".join(_relative(known[name].get("d", "")))}"/></defs>'
        for name in dict.fromkeys(used)
    ]
    clips = []
    for clip in root.iter(f"{NAMES['svg']}clipPath"):
        name, box = clip.get("id"), clip[0].attrib
        size = " ".join(f'{key}="{_decimal(_tenths(box[key]))}"' for key in ("x", "y", "width", "height"))
        clips.append(f'<clipPath id="{name}"><rect {size}/></clipPath>' if f"#{name})" in "".join(parts) else "")
    return "".join([*clips, *marks, *parts])


def _leaves(element: Element, clip: str = "", *, on_axis: bool = False) -> Iterator[tuple[Element, bool]]:
    """All that is drawn, whether on an axis; definitions are not drawn."""
    for child in element:
        inner = child.get("clip-path", clip)
        if child.tag == f"{NAMES['svg']}g":
            yield from _leaves(child, inner, on_axis=on_axis or child.get("id", "").startswith("matplotlib.axis"))
        elif child.tag != f"{NAMES['svg']}defs":
            child.set("clip-path", "" if on_axis else inner)
            yield child, on_axis


def _drawn(leaf: Element, known: Mapping[str, Element]) -> tuple[Look, str]:
    """How it looks, and what it is: a path's data, a text's or a use's own attributes."""
    from markupsafe import escape

    tag, style, clip = leaf.tag.removeprefix(NAMES["svg"]), leaf.get("style", ""), leaf.get("clip-path", "")
    x, y = _tenths(leaf.get("x", "0")), _tenths(leaf.get("y", "0"))
    at = f'x="{_decimal(x)}" y="{_decimal(y)}"'
    name = leaf.get(NAMES["href"], "#")[1:]
    if tag == "use" and "C" not in known[name].get("d", ""):  # a tick or an area is shorter in full
        if "z" not in known[name].get("d", ""):
            style = "; ".join(["fill: none", *(one for one in style.split("; ") if not one.startswith("fill"))])
        return ("path", _style(style), clip), _relative(known[name].get("d", ""), x, y)
    if tag == "use":
        style = f"{style}; {known[name].get('style', '')}".strip("; ")
        return (tag, _style(style), clip), f'<use href="#{name}" {at}/>'
    if tag == "text":
        turned = re.match(r"rotate\((-?[\d.]+)", leaf.get("transform", ""))
        turn = f' transform="rotate({turned[1]} {_decimal(x)} {_decimal(y)})"' if turned and float(turned[1]) else ""
        return (tag, _style(style), clip), f"<text {at}{turn}>{escape(leaf.text or '')}</text>"
    return (tag, _style(style), clip), _relative(leaf.get("d", ""))


def _part(look: Look, drawn: list[str]) -> str:
    tag, style, clip = look
    style = f' style="{style}"' if style else ""
    clip = f' clip-path="{clip}"' if clip else ""
    if tag != "path":
        return f"<g{style}{clip}>{''.join(drawn)}</g>"
    # Lines that can be seen through are darker where they cross, which those of one path are not.
    if len(drawn) == 1 or ("fill:none" in style and "opacity" not in style):
        return f'<path{style}{clip} d="{"".join(drawn)}"/>'
    paths = "".join(f'<path d="{data}"/>' for data in drawn)
    return f"<g{style}{clip}>{paths}</g>"


def _style(text: str) -> str:
    """Without the font, which is the page's, and what is so anyway."""
    wanted = [one.replace(": ", ":") for one in dict.fromkeys(text.split("; ")) if one != "stroke-dashoffset: 0"]
    return ";".join(one for one in wanted if one and not one.startswith("font-family"))


def _relative(data: str, x: int = 0, y: int = 0) -> str:
    """A path's data, moved by (x, y) tenths, each point relative to the one before it.

    Each is rounded before the difference is taken, so that no error adds up. A point that does not move the pen is left
    out, unless it is all there is of a line: that is a dot.
    """
    written: list[str] = []
    at, start, fresh = (0, 0), (0, 0), False
    for command, numbers in STEP.findall(data):
        values = [_tenths(value) for value in numbers.split()]
        points = [(values[i] + x, values[i + 1] + y) for i in range(0, len(values), 2)]
        if command == "z":
            written.append("z")
            at = start
            continue
        if command == "M":
            written.append("M" + _joined(points[-1]))
        elif command == "L":
            dx, dy = points[-1][0] - at[0], points[-1][1] - at[1]
            if dx or dy or fresh:
                step = f"h{_decimal(dx)}" if not dy else "l" + _joined((dx, dy))
                written.append(step if dx else f"v{_decimal(dy)}")
        else:
            moved = [coordinate - origin for point in points for coordinate, origin in zip(point, at, strict=True)]
            written.append(command.lower() + _joined(moved))
        at, fresh = points[-1], command == "M"
        start = at if command == "M" else start
    return _merged(written)


def _merged(written: list[str]) -> str:
    """Without a command's letter where it is the one before."""
    text = "".join(written[:1])
    for one, other in pairwise(written):
        if one[0] == other[0] and other[0] in "lhvqc":
            text += other[1:] if other[1] == "-" else f" {other[1:]}"
        else:
            text += other
    return text


def _joined(values: tuple[int, ...] | list[int]) -> str:
    text = _decimal(values[0])
    for value in values[1:]:
        one = _decimal(value)
        text += one if one.startswith("-") else f" {one}"
    return text


def _tenths(text: str) -> int:
    return round(TENTHS * float(text))


def _decimal(tenths: int) -> str:
    """In full, but for a zero before the point: -0.5 is -.5."""
    whole, rest = divmod(abs(tenths), TENTHS)
    text = f"{whole or ''}.{rest}" if rest else f"{whole}"
    return f"-{text}" if tenths < 0 else text


class Shared:
    """What the panels of one page have in common, written once.

    Attributes:
        styles: the style of a part -> the class that stands for it.
    """

    def __init__(self) -> None:
        self.styles: dict[str, str] = {}
        self._groups = 0

    def panels(self, panels: Mapping[str, str]) -> dict[str, str]:
        """Panels that are shown together: a part that two of them have is in the first and used in the others."""
        self._groups += 1
        clips: dict[str, str] = {}
        clipped = {name: _one_clip(text, clips) for name, text in panels.items()}
        times: dict[str, int] = {}
        for text in clipped.values():
            for part in _split(text)[1]:
                times[part] = times.get(part, 0) + 1
        names: dict[str, str] = {}
        return {name: self._classes(self._used(text, times, names)) for name, text in clipped.items()}

    def style(self) -> str:
        """The classes, for the page's style sheet."""
        return "\n".join(f".{name} {{ {style} }}" for style, name in self.styles.items())

    def _used(self, text: str, times: Mapping[str, int], names: dict[str, str]) -> str:
        """The panel with parts that others have by their ids; runs of them are one."""
        head, parts = _split(text)
        written = [head]
        for count, run in groupby(parts, lambda part: times[part] if part.startswith(("<g", "<path")) else 0):
            part = "".join(run)
            if count > 1 and part in names:
                part = f'<use href="#{names[part]}"/>'
            elif count > 1:
                names[part] = f"u{self._groups}-{len(names)}"
                part = f'<g id="{names[part]}">{part}</g>'
            written.append(part)
        return "".join([*written, "</svg>"])

    def _classes(self, text: str) -> str:
        def of(found: re.Match[str]) -> str:
            return f'class="{self.styles.setdefault(found[1], f"s{len(self.styles)}")}"'

        return re.sub(r'style="([^"]*)"', of, text)


def _split(text: str) -> tuple[str, list[str]]:
    """An SVG element before its parts, and its parts."""
    head, end, body = text.partition("</title>")
    return head + end, [found[0] for found in PART.finditer(body)]


def _one_clip(text: str, clips: dict[str, str]) -> str:
    """The panel, cut to the box of an earlier one where that is the same."""
    for whole, name, box in re.findall(r'(<clipPath id="([^"]*)">(.*?)</clipPath>)', text):
        if clips.setdefault(box, name) != name:
            text = text.replace(whole, "").replace(f"#{name})", f"#{clips[box]})")
    return text
