"""The page as a document: self-contained, structured, safe, and the same for the same run."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from benchmark.report import gallery, render_report
from benchmark.report.model import RunView, load_run
from benchmark.report.page import slug

from .synthetic_run import SYSTEMS, Options, write_run

VOID = {"meta", "link", "input", "img", "br", "hr"}
SVG_SELF_CONTAINED = {"path", "use", "rect", "circle", "line", "image"}


@dataclass
class Element:
    """A start tag with what was open around it."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""


@dataclass
class Document(HTMLParser):
    """A flat list of elements; fails on tags that are not closed in order."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {k: v or "" for k, v in attrs}, tuple(e.tag for e in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes something else"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]


def _parse(folder: Path) -> Document:
    document = Document()
    document.feed((folder / "report.html").read_text(encoding="utf-8"))
    document.close()
    assert not document.open, "every tag is closed"
    return document


@pytest.fixture(scope="session", params=["ordinary", "hostile"])
def document(request: pytest.FixtureRequest) -> Document:
    name = {"ordinary": "run_folder", "hostile": "hostile_folder"}[request.param]
    return _parse(request.getfixturevalue(name))


def test_headings_make_an_outline(document: Document) -> None:
    levels = [int(h.tag[1]) for h in document.all("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_is_captioned_and_scoped(document: Document) -> None:
    tables = document.all("table")
    assert len(tables) >= 12
    assert len([c for c in document.all("caption") if c.text.strip()]) == len(tables)
    headers = document.all("th")
    assert {th.attributes.get("scope") for th in headers} == {"col", "row"}
    rows = [tr for tr in document.all("tr") if "tbody" in tr.inside]
    assert len([th for th in headers if th.attributes["scope"] == "row"]) == len(rows)


def test_pictures_and_controls_have_names(document: Document) -> None:
    for image in document.all("img"):
        assert image.attributes["alt"].strip()
        assert image.attributes["src"].startswith("data:image/webp;base64,")
        assert image.attributes["loading"] == "lazy"
        assert int(image.attributes["width"]) > 0
    drawings = [s for s in document.all("svg") if s.attributes.get("aria-hidden") != "true"]
    assert len(drawings) >= 4
    names = {e.attributes.get("id") for e in document.all("title", "desc")}
    for drawing in drawings:
        assert drawing.attributes["role"] == "img"
        assert set(drawing.attributes["aria-labelledby"].split()) <= names
    for control in document.all("input", "select"):
        assert "label" in control.inside
    for region in document.elements:
        if region.attributes.get("role") == "region":
            assert region.attributes["tabindex"] == "0"
            assert {"aria-label", "aria-labelledby"} & set(region.attributes)


def test_ids_are_unique_and_links_lead_somewhere(document: Document) -> None:
    ids = [e.attributes["id"] for e in document.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in document.elements:
        href = element.attributes.get("href", "")
        assert not href or href == "data:," or href[1:] in ids
        for name in element.attributes.get("aria-labelledby", "").split():
            assert name in ids


def test_nothing_is_loaded_and_nothing_foreign_can_run(document: Document) -> None:
    assert len(document.all("script")) == 1
    assert not document.all("iframe", "object", "embed", "form", "base", "audio", "video")
    for element in document.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert "style" not in element.attributes
        assert element.attributes.get("src", "data:").startswith("data:")
    policy = next(m for m in document.all("meta") if "http-equiv" in m.attributes)
    assert policy.attributes["http-equiv"] == "Content-Security-Policy"
    content = policy.attributes["content"]
    assert content.startswith("default-src 'none'")
    assert "unsafe" not in content
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", content)) == 2


def test_what_a_reader_needs_is_there(run_folder: Path) -> None:
    document = _parse(run_folder)
    text = " ".join(next(iter(document.all("body"))).text.split())
    assert text.count("CALS here is a reconstruction") >= 2
    for system, _ in SYSTEMS:
        assert system in text
    for phrase in (
        "python -m benchmark weights fetch musiq",
        "non-commercial use only",
        "is part of a training loss here",
        "The detector finds 97 % of dark faces",
        "n_min = 8",
        "Responsible use",
        load_run(run_folder).digest,
    ):
        assert phrase in text


def test_the_tables_say_what_parquet_says(run_folder: Path, view: RunView) -> None:
    """The headline table holds each system's mean and gap as in the tables, to its decimals."""
    html = (run_folder / "report.html").read_text(encoding="utf-8")
    body = html[html.index('id="headline-id-cosine"') :]
    rows = re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", body[: body.index("</tbody>")], re.S)
    assert len(rows) == len(SYSTEMS)
    for row, (system, arm) in zip(rows, SYSTEMS, strict=True):
        values = [float(v) for v in re.findall(r'data-v="([^"]+)"', row)]
        keys = f"system == '{system}' and arm == '{arm}' and metric == 'id_cosine'"
        groups = view.groups.query(f"{keys} and axis == 'tone_level'").set_index("group")["mean"]
        gap = view.gaps.query(f"{keys} and axis == 'tone_level'").iloc[0]
        assert values[2:5] == [groups[level] for level in ("light", "medium", "dark")]
        assert values[5] == gap["gap"]
        assert values[6] == gap["null_mean"]


def test_the_same_run_gives_the_same_bytes(run_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_folder, tmp_path / "copy"))
    before = {p.name: p.read_bytes() for p in [copy / "report.html", *(copy / "figures").iterdir()]}
    shutil.rmtree(copy / "figures")
    assert render_report(copy) == copy / "report.html"
    after = {p.name: p.read_bytes() for p in [copy / "report.html", *(copy / "figures").iterdir()]}
    assert after == before


def test_it_is_small(hostile_folder: Path) -> None:
    assert (hostile_folder / "report.html").stat().st_size < 3_000_000


def test_hostile_names_stay_text(hostile_folder: Path) -> None:
    html = (hostile_folder / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7*7 }}" in html, "a name is not a template"
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_missing_and_broken_pictures_are_said(hostile_folder: Path) -> None:
    html = (hostile_folder / "report.html").read_text(encoding="utf-8")
    assert html.count("image missing") == 2
    assert "id cosine not measured" in html, "a null value in the index"


def test_the_gallery_keeps_to_its_budget(view: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = gallery.build(view)
    assert everything is not None
    monkeypatch.setattr(gallery, "BUDGET", 20_000)
    some = gallery.build(view)
    assert some is not None
    assert everything.left_out == 0
    cases = sum(len(section.cases) for section in some.sections)
    assert 0 < cases < len(view.gallery)
    assert some.left_out == len(view.gallery) - cases
    assert {s.group for s in some.sections} == {"light", "medium", "dark"}, "no group is left out"


def test_a_bare_run_still_has_a_report(tmp_path: Path) -> None:
    """No arms, no gallery, no outcome metric, no tiers, every gap undefined."""
    folder = write_run(tmp_path / "run", Options(gallery=False))
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["comparisons"] = []
    manifest["headline"]["outcome"] = None
    path.write_text(json.dumps(manifest))
    gaps = pd.read_parquet(folder / "gaps.parquet")
    numbers = gaps.select_dtypes("float").columns
    gaps[numbers] = float("nan")
    gaps.assign(verdict="insufficient", worst_group=None, best_group=None).to_parquet(
        folder / "gaps.parquet"
    )
    effects = pd.read_parquet(folder / "effects.parquet")
    effects.iloc[:0].to_parquet(folder / "effects.parquet")
    (folder / "tiers.parquet").unlink()
    render_report(folder)
    document = _parse(folder)
    assert "too few" in next(iter(document.all("main"))).text
    assert not [e for e in document.elements if e.attributes.get("id") == "arms-section"]


@pytest.mark.parametrize("name", ["psnr", "id_cosine", "<b>", "ä/../x", "A b", "x" * 200, ""])
def test_slugs_are_safe(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,50}", slug(name))


def test_slugs_tell_names_apart() -> None:
    names = ["a b", "a-b", "a_b", "A b", "ä", "ö"]
    assert len({slug(name) for name in names}) >= len(names) - 1
