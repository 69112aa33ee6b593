"""Cells as HTML: escaped, flagged, and drawn beside their text."""

from __future__ import annotations

from markupsafe import Markup

from benchmark.report.markup import cells
from benchmark.report.table import TD, TH, number, text


def test_cells_escape_texts_and_keep_drawings() -> None:
    drawing = Markup("<svg></svg>")
    row = [
        text("<a>", hint='"x"'),
        number(1.5, "1.50", note="<n>", graphic=drawing, tone="bad"),
        TD("–"),
    ]
    shown = cells(row, [TH("a"), TH("b", numeric=True), TH("c")])
    assert shown == (
        '<th scope="row" title="&#34;x&#34;">&lt;a&gt;</th>'
        '<td class="num bad" data-v="1.5"><span class="v">1.50</span> <small>&lt;n&gt;</small>'
        "<svg></svg></td><td>–</td>"
    )


def test_markup_in_a_cell_stays_markup() -> None:
    (link,) = [cells([TD(Markup('<a href="x">y</a>'), sort="y")], [TH("a")])]
    assert link == '<th scope="row"><a href="x">y</a></th>'
