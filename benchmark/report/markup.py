"""What every page is made with: the template engine, the style, the policy and safe names."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmark.report.palette import css_variables
from benchmark.report.table import TD, TH
from benchmark.report.wording import clean, humanise, shorten


@dataclass(frozen=True)
class Assets:
    """Style and script of a page, and the security policy that allows these two and no others."""

    style: Markup
    script: Markup
    policy: str


def environment() -> Environment:
    """Templates of the report: everything is escaped and stripped of characters that disturb."""
    engine = Environment(
        loader=PackageLoader("benchmark.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    engine.filters |= {"humanise": humanise, "slug": slug, "shorten": shorten}
    engine.filters["cells"] = cells
    return engine


def cells(row: Sequence[TD], columns: Sequence[TH]) -> Markup:
    """The cells of one row, the first of them its header.

    In Python and not in a template: a site has a million of them.
    """
    parts = []
    for position, (cell, column) in enumerate(zip(row, columns, strict=True)):
        start, end = ('th scope="row"', "th") if position == 0 else ("td", "td")
        parts.append(f"<{start}{_attributes(cell, column)}>{_content(cell)}</{end}>")
    return Markup("".join(parts))


def _attributes(cell: TD, column: TH) -> str:
    names = " ".join(filter(None, ("num" if column.numeric else "", cell.tone)))
    text = f' class="{_escaped(names)}"' if names else ""
    if isinstance(cell.sort, int | float):
        text += f' data-v="{cell.sort}"'
    if cell.hint:
        text += f' title="{_escaped(cell.hint)}"'
    return text


def _content(cell: TD) -> str:
    text = _escaped(cell.text)
    if cell.note:
        text = f'<span class="v">{text}</span> <small>{_escaped(cell.note)}</small>'
    return f"{text}{cell.graphic or ''}"


def _escaped(text: str) -> str:
    return text if isinstance(text, Markup) else _plain(text)


@lru_cache(maxsize=1 << 14)
def _plain(text: str) -> str:
    return str(escape(clean(text)))


def assets(*extra_styles: str) -> Assets:
    """The style in both themes with further style sheets, and the script; both go inline."""
    light, dark = css_variables(0), css_variables(1)
    style = (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n"
    ) + "".join(_static(name) for name in ("report.css", *extra_styles))
    script = _static("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    return Assets(Markup(style), Markup(script), policy)


def slug(name: str) -> str:
    """``name`` as part of an id or a file name: lower-case letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    faithful = 0 < len(plain) <= 60 and plain == name.lower().replace("_", "-")
    return plain if faithful else f"{plain[:40]}-{_short(name)}"


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def _finalize(value: object) -> object:
    """Every text that reaches the page is stripped of characters that could disturb it."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _static(name: str) -> str:
    return files("benchmark.report").joinpath("static", name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"
