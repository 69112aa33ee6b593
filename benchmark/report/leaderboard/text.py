"""Texts that somebody else wrote, made safe: Markdown without HTML, links of known kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from benchmark.report.wording import clean, humanise, shorten
from benchmark.spec.submission import SubmissionSpec

_LINK = re.compile(r"https?://[^\s<>\"'`\\]{1,300}")
#: Of a submission's file: what a reader of its page already sees elsewhere.
_SHOWN = frozenset({"format", "owner", "name", "title"})
#: The longest text that a submission's file may hold; what is longer came by another way.
_LONGEST = 1200


def markdown(source: str) -> Markup:
    """CommonMark with tables; HTML in it is shown as text, links to scripts are not links.

    Headings go down by one level, because the page has a heading of its own; its first is dropped.
    """
    engine = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = engine.parse(clean_lines(source))
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, max(2, int(token.tag[1])))}"
        if token.type in {"th_open", "td_open"} and token.attrs.pop("style", ""):
            token.attrSet("class", "num")  # the page's policy forbids styles in attributes
        if token.type == "th_open":
            token.attrSet("scope", "col")
    page = engine.renderer.render(tokens, engine.options, {})
    return Markup(_reachable(page))


def _reachable(page: str) -> str:
    """What scrolls sideways can be reached by keyboard and has a name."""
    number = count(1)
    page = page.replace("<pre>", '<pre tabindex="0">').replace("</table>", "</table></div>")
    return re.sub(
        "<table>",
        lambda _: (
            f'<div class="scroll" role="region" tabindex="0" aria-label="Table {next(number)}">'
            "<table>"
        ),
        page,
    )


def clean_lines(source: str) -> str:
    """A text of several lines without control and direction characters."""
    return "\n".join(clean(line) for line in source.splitlines())


def submission_card(spec: SubmissionSpec) -> Iterator[tuple[str, str]]:
    """What a submission says of itself, key by key, in the order of the file."""
    for name, value in spec.model_dump(mode="json").items():
        if name not in _SHOWN and value not in (None, [], {}):
            yield humanise(name), said(value)
        elif name == "training_data" and not value:
            yield humanise(name), "nothing was learned"


def said(value: Any) -> str:
    """Plain data in words; texts that are addresses become links."""
    if isinstance(value, Mapping):
        parts = [Markup("{}: {}").format(humanise(str(k)), said(v)) for k, v in value.items()]
        return Markup("; ").join(parts)
    if isinstance(value, list | tuple):
        return Markup("<br>").join(said(item) for item in value)
    return link(str(value))


def link(value: str) -> str:
    """An address as a link that tells its target nothing; any other text as it is."""
    plain = shorten(value, _LONGEST)
    if not _LINK.fullmatch(plain):
        return Markup(escape(plain))
    return Markup('<a href="{0}" rel="noopener noreferrer nofollow">{0}</a>').format(plain)
