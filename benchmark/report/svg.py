"""Figures as bytes that never change for the same data, and as elements that follow the page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from benchmark.report.palette import light, themed

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_DROPPED = {f"{_SVG}metadata", f"{_SVG}style"}

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "equilux",
    "text.parse_math": False,  # a name with two dollar signs is a name
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": light("muted"),
    "axes.labelcolor": light("ink"),
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": light("rule"),
    "grid.linewidth": 0.7,
    "text.color": light("ink"),
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "xtick.labelcolor": light("ink"),
    "ytick.labelcolor": light("ink"),
    "figure.facecolor": light("paper"),
    "savefig.facecolor": light("paper"),
}


@contextmanager
def drawing() -> Iterator[None]:
    """The settings under which figures are drawn and saved; nothing global is left changed."""
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # names may be in scripts that the bundled font lacks; the browser has its own fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def svg_bytes(figure: Figure) -> bytes:
    """A standalone SVG in the light theme, without date."""
    return _saved(figure, "svg", metadata={"Date": None, "Creator": None})


def png_bytes(figure: Figure) -> bytes:
    """A PNG at 160 dpi in the light theme, without software version."""
    return _saved(figure, "png", dpi=160, metadata={"Software": None})


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with drawing():
        figure.savefig(buffer, format=kind, **options)
        figure.set_layout_engine("none")  # solved once; the next format keeps the same layout
    return buffer.getvalue()


def inline(svg: bytes, *, slug: str, title: str, description: str) -> Markup:
    """An ``<svg>`` element for a page: themed colours, no style attributes, unique ids.

    Style attributes become presentation attributes, so that the page's content security policy can
    forbid inline styles; fonts are inherited from the page.

    Args:
        svg: what :func:`svg_bytes` returned.
        slug: prefix of all ids; unique within the page.
        title: accessible name.
        description: what a person who cannot see the figure needs to know.
    """
    root = ET.fromstring(svg)
    for parent in root.iter():
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)
    used = {reference for element in root.iter() for reference in _references(element)}
    for element in root.iter():
        _restyle(element)
        _rename(element, slug, used)
        element.tag = element.tag.removeprefix(_SVG)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    names = {"title": title, "desc": description}
    root.set("role", "img")
    root.set("aria-labelledby", " ".join(f"{slug}-{tag}" for tag in names))
    for position, (tag, text) in enumerate(names.items()):
        element = ET.Element(tag, {"id": f"{slug}-{tag}"})
        element.text = text
        root.insert(position, element)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=False))


def _references(element: ET.Element) -> Iterator[str]:
    href = element.get(_XLINK_HREF, "")
    if href.startswith("#"):
        yield href[1:]
    for value in element.attrib.values():
        if value.startswith("url(#"):
            yield value[5:-1]


def _restyle(element: ET.Element) -> None:
    style = element.attrib.pop("style", "")
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = (text.strip() for text in declaration.partition(":"))
        if name == "font":
            sizes = [word for word in value.split() if word.endswith("px")]
            element.set("font-size", sizes[0].removesuffix("px"))
            if "bold" in value.split() or "700" in value.split():
                element.set("font-weight", "600")
        else:
            element.set(name, themed(value))


def _rename(element: ET.Element, slug: str, used: set[str]) -> None:
    name = element.attrib.pop("id", None)
    if name in used:
        element.set("id", f"{slug}-{name}")
    href = element.attrib.pop(_XLINK_HREF, None)
    if href:
        element.set("href", f"#{slug}-{href[1:]}")
    for key, value in element.attrib.items():
        if value.startswith("url(#"):
            element.set(key, f"url(#{slug}-{value[5:]}")
