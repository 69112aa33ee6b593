"""Every relative link in README, docs and cards leads to a file, and every anchor to a heading."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from .pages import HOME, PAGES, prose

_CARDS = sorted([*HOME.glob("tasks/*/card.md"), *HOME.glob("leaderboards/**/*.md")])
_LINK = re.compile(r"\]\((?P<inline>[^()\s]+)\)|^\[[^\]]+\]: *(?P<below>\S+)", re.M)
_HEADING = re.compile(r"^#+ +(.+?) *$", re.M)


def _links(page: Path) -> list[str]:
    return [found["inline"] or found["below"] for found in _LINK.finditer(prose(page))]


def _anchors(page: Path) -> set[str]:
    """Of headings, as GitHub makes them: one that is there already gets a number."""
    slugs: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{slug}-{slugs[slug]}" if slugs[slug] else slug)
        slugs[slug] += 1
    return found


def _broken(page: Path, home: Path = HOME) -> list[str]:
    return [link for link in _links(page) if not _leads(page, link, home)]


def _leads(page: Path, link: str, home: Path) -> bool:
    if re.match(r"[a-z]+:", link):  # to the web: nobody waits for a network here
        return True
    name, _, anchor = unquote(link).partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or home not in (target, *target.parents):
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


@pytest.mark.parametrize("page", [*PAGES, *_CARDS], ids=lambda page: page.relative_to(HOME))
def test_its_links_lead_somewhere(page: Path) -> None:
    assert _broken(page) == []


def test_every_page_is_reached_from_the_readme() -> None:
    seen, ahead = set(), [PAGES[0]]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        names = [unquote(link).partition("#")[0] for link in _links(page)]
        linked = [(page.parent / name).resolve() for name in names]
        ahead += [target for target in linked if target in PAGES and target not in seen]
    assert set(PAGES) == seen


def test_a_broken_one_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`, three\n\n[a](#one-two-three) [b](#four) [c](none.md)\n", "utf-8")
    assert _broken(page, tmp_path) == ["#four", "none.md"]
