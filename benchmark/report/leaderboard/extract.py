"""From a finished run to a committed result: aggregates, digests and thumbnails; no sample rows."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from benchmark.files import write_bytes
from benchmark.report.leaderboard.admission import require_alike, require_comparable
from benchmark.report.leaderboard.protocol import ranked_metrics
from benchmark.report.leaderboard.store import (
    CLUSTERS,
    TABLES,
    Record,
    Thumbnail,
    csv_text,
    read_results,
)
from benchmark.report.manifest import GalleryItem
from benchmark.report.markup import slug
from benchmark.report.model import COLUMNS, RunView, check_untouched, load_run

#: Side of one of the three pictures of a thumbnail.
_SIDE = 88


def add_result(run: Path, results: Path, *, note: str = "") -> tuple[Path, bool]:
    """Commit the aggregates of ``runs/<run_id>`` under ``results``.

    The same run gives the same files. A run that is there already changes nothing.

    Args:
        run: the finished run.
        results: ``leaderboards/results``.
        note: why, for the history.

    Returns:
        The folder of the result, and whether it is new.

    Raises:
        DataError: if the run is unfinished or edited, or may not stand in a leaderboard, see
            :mod:`benchmark.report.leaderboard.admission`.
    """
    view = load_run(run)
    check_untouched(view)
    require_comparable(view)
    known = [r for r in read_results(results) if r.protocol.task == view.manifest.task.name]
    for result in known:
        if result.record.run_manifest == view.digest:
            return result.folder, False
    require_alike(view, known)
    number = 1 + max((result.number for result in known), default=0)
    folder = results / view.manifest.task.name / f"{view.manifest.profile}-{number:04d}"
    _write(view, folder, number=number, note=note)
    return folder, True


def _write(view: RunView, folder: Path, *, number: int, note: str) -> None:
    files, thumbnails = dict(_tables(view)), []
    for item in view.gallery:
        content = _thumbnail(view.folder, item)
        if content is not None:
            name = f"{slug('-'.join(filter(None, (item.system, item.arm, item.group))))}.webp"
            files[name] = content
            thumbnails.append(_described(item, name))
    record = Record(
        format=1,
        number=number,
        note=note,
        run_manifest=view.digest,
        files={name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
        clusters={group: tuple(ids) for group, ids in _clusters(view).items()},
        thumbnails=tuple(thumbnails),
        manifest=_manifest(view),
    )
    for name, content in files.items():
        write_bytes(folder / name, content)
    text = json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    write_bytes(folder / "result.json", f"{text}\n".encode())  # last: without it there is no result


def _manifest(view: RunView) -> dict[str, Any]:
    """What reports read; of the files only the tables, of the phases nothing but their names."""
    manifest = view.manifest.model_dump(mode="json")
    files = {n: d for n, d in view.manifest.files.items() if n.endswith(".parquet")}
    return manifest | {"files": files, "phases": []}


def _tables(view: RunView) -> Iterator[tuple[str, bytes]]:
    """CSV files of the tables that have rows, without crossings of metrics nobody ranks by."""
    ranked = set(ranked_metrics(view.manifest))
    for name in TABLES:
        table: pd.DataFrame = getattr(view, name)[list(COLUMNS[name])]
        if {"metric", "axis"} <= set(table):
            crossed = table["axis"].str.contains("*", regex=False)
            table = table[~crossed | table["metric"].isin(ranked)]
        if len(table):
            yield f"{name}.csv", csv_text(table).encode()
    yield "clusters.csv", csv_text(_cluster_means(view)).encode()


def _clusters(view: RunView) -> dict[str, list[str]]:
    """Who is in which group of the headline axis; "" is everybody."""
    axis, samples = view.manifest.headline.axis, view.samples
    groups = {"": samples} | {
        str(name): part for name, part in samples.groupby(axis, sort=True, observed=True)
    }
    return {name: sorted(map(str, part["cluster"].unique())) for name, part in groups.items()}


def _cluster_means(view: RunView) -> pd.DataFrame:
    """A row per system, arm, seed, ranked metric and group: the clusters' means in order."""
    axis = view.manifest.headline.axis
    names = [m for m in ranked_metrics(view.manifest) if m in view.samples]
    samples = view.samples.assign(cluster=view.samples["cluster"].astype(str))
    samples[names] = samples[names].where(samples["status"] == "ok")
    samples[names] = samples[names].replace([np.inf, -np.inf], np.nan)
    rows = []
    for group, ids in _clusters(view).items():
        part = samples if group == "" else samples[samples[axis].astype(str) == group]
        means = part.groupby(["system", "arm", "seed", "cluster"])[names].mean()
        for (system, arm, seed), block in means.groupby(level=[0, 1, 2]):
            found = block.droplevel([0, 1, 2]).reindex(ids)
            rows += [
                (system, arm, seed, name, group, " ".join(f"{v:.7g}" for v in found[name]))
                for name in names
            ]
    return pd.DataFrame(rows, columns=list(CLUSTERS))


def _described(item: GalleryItem, name: str) -> Thumbnail:
    return Thumbnail(
        system=item.system,
        arm=item.arm,
        group=item.group,
        metric=item.metric,
        value=None if item.value is None else float(f"{item.value:.7g}"),
        sample=item.sample,
        file=name,
    )


def _thumbnail(folder: Path, item: GalleryItem) -> bytes | None:
    """Input, output and reference side by side as WebP; None if a picture cannot be read."""
    strip = Image.new("RGB", (3 * _SIDE + 8, _SIDE), "white")
    for position, name in enumerate((item.input, item.output, item.reference)):
        try:
            with Image.open(folder / name) as opened:
                picture = opened.convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
            return None
        picture = picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        strip.paste(picture, (position * (_SIDE + 4), 0))
    buffer = io.BytesIO()
    strip.save(buffer, "WEBP", quality=72, method=6)
    return buffer.getvalue()
