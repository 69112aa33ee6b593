"""The built site: deterministic, whole in itself, accessible, and deaf to hostile text."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmark.errors import DataError, StoreError
from benchmark.report.leaderboard import add_result, make_site, read_results
from benchmark.report.leaderboard.site import build_site, write_site
from benchmark.report.leaderboard.text import link, markdown
from benchmark.spec.submission import SubmissionSpec

from .publishing import write_published
from .synthetic_run import Options

HOSTILE = "</script><script>alert(1)</script> \u202egnol " + "x" * 10_000
CARD = f"# Card\n\n{HOSTILE}\n\n[a](javascript:alert(5))\n\n|a|b|\n|-|-:|\n"


def hostile_submission() -> SubmissionSpec:
    """Texts that the schema refuses, in case it ever lets them through."""
    return SubmissionSpec.model_construct(
        format=2,
        owner="mal",
        name="icious",
        title=HOSTILE,
        enhancer="gamma",
        weights=None,
        arms=[],
        licence="MIT",
        training_data=[],
        contact="javascript:alert(3)" + "y" * 100_000,
        links={"paper": "javascript:alert(4)", "home": "https://example.org/a?b=1&c=2"},
        responsible_use=HOSTILE,
    )


@pytest.fixture(scope="module")
def hostile_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    run = write_published(
        folder / "run", Options(seeds=(0, 1, 2), hostile=True, groups=7), lambda m: None
    )
    add_result(run, folder / "results", note=HOSTILE)
    return folder / "results"


@pytest.fixture(scope="module")
def site(hostile_results: Path) -> dict[str, str]:
    return build_site(
        read_results(hostile_results),
        submissions={"mal/icious": hostile_submission()},
        cards={
            "face-identity": f"# Card\n\n{HOSTILE}\n\n[a](javascript:alert(5))\n\n|a|b|\n|-|-:|\n"
        },
    )


class Outline(HTMLParser):
    """What a browser would run, load or name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def _pages(site: dict[str, str]) -> dict[str, Outline]:
    return {name: Outline(page) for name, page in site.items() if name.endswith(".html")}


def test_every_page_is_there(site: dict[str, str]) -> None:
    pages = set(_pages(site))
    systems = {f"systems/{name}.html" for name in ("input", "gamma", "clahe", "lime", "curve")}
    assert systems | {"index.html", "methods.html", "cards/face-identity.html"} <= pages
    assert "tasks/face-identity-quick.html" in pages
    assert json.loads(site["site.json"])["files"] == sorted(site)


def test_nothing_runs_but_the_one_script_and_nothing_is_loaded(site: dict[str, str]) -> None:
    for name, page in _pages(site).items():
        assert len(page.all("script")) == len(page.all("style")) == 1, name
        assert "src" not in page.all("script")[0]
        assert not page.all("iframe", "object", "embed", "base", "form", "template")
        for attributes in page.all("img"):
            assert (attributes["src"] or "").startswith("data:image/webp;base64,")
        for _, attributes in page.tags:
            assert not {key for key in attributes if key.startswith("on") or key == "style"}, name
        (policy,) = [a for a in page.all("meta") if a.get("http-equiv")]
        assert "default-src 'none'" in str(policy["content"])


def test_links_lead_to_files_of_the_site_or_to_addresses(site: dict[str, str]) -> None:
    for name, page in _pages(site).items():
        for attributes in page.all("a"):
            href = attributes["href"] or ""
            if href.startswith("https://"):
                assert "noopener" in str(attributes["rel"])
            elif not href.startswith("#"):
                target = os.path.normpath(Path(name).parent / href)
                assert target in site, (name, href)


def test_hostile_text_is_shown_and_harmless(site: dict[str, str]) -> None:
    page = site["systems/gamma.html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    every = "".join(site.values())
    assert "\u202e" not in every
    assert 'href="javascript' not in every.lower()
    assert "y" * 1201 not in every, "a field is never longer than its schema allows"
    assert 'href="https://example.org/a?b=1&amp;c=2"' in page


def test_tables_have_captions_scopes_and_names(site: dict[str, str]) -> None:
    for name, page in _pages(site).items():
        assert len(page.all("h1")) == 1, name
        assert page.all("html")[0]["lang"] == "en"
        for attributes in page.all("th"):
            assert attributes["scope"] in {"col", "row"}
        for attributes in page.all("img"):
            assert attributes["alt"]
        ids = [a["id"] for _, a in page.tags if a.get("id")]
        assert len(ids) == len(set(ids)), name
        known = set(ids)
        for _, attributes in page.tags:
            for reference in str(attributes.get("aria-labelledby") or "").split():
                assert reference in known, (name, reference)
        if not name.startswith("cards/"):
            assert len(page.all("table")) == len(page.all("caption"))


def test_no_rank_stands_alone_and_there_is_no_overall_score(site: dict[str, str]) -> None:
    page = site["tasks/face-identity-quick.html"]
    assert "tie tier" in page
    assert re.search(r"rank \d+ to \d+", page)
    rows = list(csv.DictReader(io.StringIO(site["data/face-identity-quick-id-cosine.csv"])))
    assert {"all_tier", "all_rank_low", "all_rank_high", "gap_null_mean"} <= set(rows[0])
    assert not [column for column in rows[0] if "score" in column or column == "rank"]
    assert {row["system"] for row in rows} >= {"input", "gamma", "oracle"}


def test_csv_and_json_say_the_same(site: dict[str, str]) -> None:
    stem = "data/face-identity-quick-detected"
    rows = list(csv.DictReader(io.StringIO(site[f"{stem}.csv"])))
    content = json.loads(site[f"{stem}.json"])
    assert content["about"]["task"] == "face-identity"
    assert content["about"]["instruments"]["faces"]["weights"] == "55" * 32
    assert len(rows) == len(content["rows"]) == 7
    for one, other in zip(rows, content["rows"], strict=True):
        assert sorted(one) == sorted(other)
        assert float(one["all"]) == other["all"]


def test_no_cell_is_a_formula(site: dict[str, str]) -> None:
    for name, content in site.items():
        if name.endswith(".csv"):
            for row in csv.reader(io.StringIO(content)):
                for cell in row:
                    assert cell[:1] not in {"=", "@", "+"}, (name, cell)


def test_the_same_results_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    run = write_published(tmp_path / "run")
    add_result(run, tmp_path / "results")
    code = (
        "import sys; from pathlib import Path; from benchmark.report.leaderboard import make_site; "
        "make_site(*map(Path, sys.argv[1:]))"
    )
    made = []
    for seed in ("1", "2"):
        out = tmp_path / f"site{seed}"
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / "results", tmp_path / "none", out],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        made.append({p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")})
    assert made[0] == made[1]
    assert len(made[0]) > 20


def test_only_a_site_is_ever_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "home"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="not a site"):
        write_site({"index.html": "x", "site.json": "{}"}, precious)
    assert (precious / "thesis.txt").read_text() == "years of work"
    out = tmp_path / "site"
    write_site({"a.html": "old", "site.json": "{}"}, out)
    write_site({"b.html": "new", "site.json": "{}"}, out)
    assert sorted(p.name for p in out.iterdir()) == ["b.html", "site.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "site"]


def test_without_results_there_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no result"):
        make_site(tmp_path / "results", tmp_path / "submissions", tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/x", '<a href="https://example.org/x" rel="noopener'),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('https://x"onmouseover="y', "https://x&#34;onmouseover=&#34;y"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_only_addresses_become_links(text: str, expected: str) -> None:
    assert str(link(text)).startswith(expected)


def test_markdown_is_text_and_never_html() -> None:
    page = str(markdown("# Gone\n\n## Kept\n\n<img src=x onerror=y>\n\n[a](javascript:x)\n"))
    assert "Gone" not in page
    assert "<h2>Kept</h2>" in page
    assert "<img" not in page
    assert "<a" not in page
