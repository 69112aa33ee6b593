"""Bundles: the same bytes every time, every changed byte found, no archive that bites."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.errors import DataError
from benchmark.evidence.archive import pack, unpack
from benchmark.evidence.bundle import verify_bundle, write_bundle

Files = dict[str, bytes]


@pytest.fixture(scope="session")
def bundle(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(run_folder, tmp_path_factory.mktemp("bundles") / "bundle.zip")


def parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def consistent(files: Files) -> Files:
    """The same with all digests made to fit: what somebody would do who means to deceive."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {n: hashlib.sha256(files[n]).hexdigest() for n in manifest["files"]}
    files = {**files, "manifest.json": json.dumps(manifest, indent=2).encode()}
    files.pop("SHA256SUMS")
    sums = [f"{hashlib.sha256(files[n]).hexdigest()}  {n}\n" for n in sorted(files)]
    return {**files, "SHA256SUMS": "".join(sums).encode()}


def test_the_same_run_gives_the_same_bytes_and_verifies(
    bundle: Path, run_folder: Path, tmp_path: Path
) -> None:
    again = write_bundle(run_folder, tmp_path / "again.zip")
    assert again.read_bytes() == bundle.read_bytes()
    found = verify_bundle(bundle)
    assert found.problems == ()
    assert {"groups", "gaps", "effects", "tiers"} <= set(found.recomputed)
    assert found.by_digest == ("samples",)
    assert found.drawn == ("figures/dots.svg", "report.html")
    assert found.sha256 == hashlib.sha256(bundle.read_bytes()).hexdigest()
    names = zipfile.ZipFile(bundle).namelist()
    assert {"manifest.json", "report.html", "figures/dots.svg", "specification.json"} <= set(names)


def test_coreutils_can_check_it_too(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("sha256sum is not installed")
    command = [tool, "--strict", "--quiet", "-c", "SHA256SUMS"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0


def test_any_flipped_byte_of_a_small_archive_is_found(tmp_path: Path) -> None:
    raw = pack({"a.txt": b"one", "b/c.txt": b"two"})
    path = tmp_path / "small.zip"
    for position in range(len(raw)):
        broken = bytearray(raw)
        broken[position] ^= 1 << position % 8
        path.write_bytes(bytes(broken))
        with pytest.raises(DataError):
            unpack(path)


def test_flipped_bytes_anywhere_in_a_bundle_are_found(bundle: Path, tmp_path: Path) -> None:
    raw, path = bundle.read_bytes(), tmp_path / "flipped.zip"
    for position in np.linspace(0, len(raw) - 1, 150).astype(int):
        broken = bytearray(raw)
        broken[position] ^= 0x20
        path.write_bytes(bytes(broken))
        with pytest.raises(DataError):
            verify_bundle(path)


@pytest.mark.parametrize("change", [b"", b"\0", b"more"])
def test_cut_and_lengthened_archives_are_refused(
    change: bytes, bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.zip"
    path.write_bytes(bundle.read_bytes() + change if change else bundle.read_bytes()[:-1])
    with pytest.raises(DataError):
        verify_bundle(path)


def better_mean(files: Files) -> Files:
    groups = pd.read_parquet(io.BytesIO(files["groups.parquet"]))
    groups.loc[groups["group"] == "dark", "mean"] += 0.01
    return {**files, "groups.parquet": parquet(groups)}


def better_verdict(files: Files) -> Files:
    gaps = pd.read_parquet(io.BytesIO(files["gaps.parquet"]))
    gaps["verdict"] = "no_evidence"
    gaps["p_holm"] = 1.0
    return {**files, "gaps.parquet": parquet(gaps)}


def fewer_rows(files: Files) -> Files:
    groups = pd.read_parquet(io.BytesIO(files["groups.parquet"]))
    return {**files, "groups.parquet": parquet(groups[groups["group"] != "dark"])}


def other_samples(files: Files) -> Files:
    samples = pd.read_parquet(io.BytesIO(files["samples.parquet"]))
    samples.loc[samples["tone"] == "dark", "psnr"] += 0.01
    return {**files, "samples.parquet": parquet(samples)}


def no_settings(files: Files) -> Files:
    manifest = json.loads(files["manifest.json"])
    manifest.pop("analysis")
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def settings(**changes: object) -> Callable[[Files], Files]:
    def forge(files: Files) -> Files:
        manifest = json.loads(files["manifest.json"])
        manifest["analysis"] = manifest["analysis"] | changes
        return {**files, "manifest.json": json.dumps(manifest).encode()}

    return forge


def one_page_more(files: Files) -> Files:
    return {**files, "press-release.html": b"<p>fair</p>"}


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (better_mean, "groups.parquet: mean of row"),
        (better_verdict, "gaps.parquet: p_holm of row"),
        (fewer_rows, "groups.parquet: .* rows, the samples give"),
        (other_samples, "groups.parquet: mean of row"),
        (no_settings, "does not say how its aggregates were computed"),
        (settings(axes=None), "settings of the manifest do not fit samples.parquet: TypeError"),
        (settings(metrics=["nothing"]), "do not fit samples.parquet: KeyError: 'nothing'"),
        (settings(replicates=10**9), "1000000000 replicates"),
        (one_page_more, "press-release.html is no file of a run"),
    ],
)
def test_a_forgery_with_fitting_digests_is_found_by_computing_again(
    forge: Callable[[Files], Files], said: str, bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "forged.zip"
    path.write_bytes(pack(consistent(forge(unpack(bundle)))))
    problems = "\n".join(verify_bundle(path).problems)
    assert re.search(said, problems), problems


@pytest.mark.parametrize("name", ["samples", "groups"])
def test_tables_that_cannot_be_read_are_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    path, files = tmp_path / "forged.zip", unpack(bundle)
    path.write_bytes(pack(consistent({**files, f"{name}.parquet": b"PAR1 no table"})))
    with pytest.raises(DataError, match=rf"{name}\.parquet: cannot be read"):
        verify_bundle(path)
    # a column of one value takes a few bytes, whatever it claims to hold
    many = pa.table({"psnr": pa.DictionaryArray.from_arrays(pa.nulls(10**6, pa.int8()), ["a"])})
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, many.schema) as writer:
        for _ in range(201):
            writer.write_table(many)
    path.write_bytes(pack(consistent({**files, f"{name}.parquet": stream.getvalue()})))
    with pytest.raises(DataError, match="201000000 rows"):
        verify_bundle(path)


def test_digests_that_do_not_fit_are_named(bundle: Path, tmp_path: Path) -> None:
    files = unpack(bundle)
    path = tmp_path / "x.zip"
    path.write_bytes(pack({**files, "report.html": b"<p>better</p>"}))
    assert verify_bundle(path).problems == ("report.html is not the file that SHA256SUMS names",)
    path.write_bytes(pack({n: c for n, c in files.items() if n != "groups.parquet"}))
    assert "groups.parquet, which the manifest names, is missing" in verify_bundle(path).problems
    path.write_bytes(pack({**files, "SHA256SUMS": files["SHA256SUMS"] + b"\n"}))
    assert verify_bundle(path).problems
    path.write_bytes(pack({**files, "specification.json": b"{}\n"}))
    assert len(verify_bundle(path).problems) == 2


def member(name: str, content: bytes = b"x", **changes: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, content)

    return write


def twice(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(2):
            info = zipfile.ZipInfo("a")
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, b"x")


def overlapping(path: Path) -> None:
    """Many entries of the directory that point at the same bytes: a bomb without compression."""
    raw = pack({"a": b"x" * 1000})
    start = raw.index(b"PK\x01\x02")
    end = raw.index(b"PK\x05\x06")
    entry = raw[start:end]
    entries = b"".join(entry.replace(b"a", bytes([97 + i])) for i in range(20))
    tail = bytearray(raw[end:])
    tail[8:10] = tail[10:12] = (20).to_bytes(2, "little")
    tail[12:16] = len(entries).to_bytes(4, "little")
    path.write_bytes(raw[:start] + entries + bytes(tail))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (member("link", b"/etc/passwd", external_attr=0o120777 << 16), "is a link"),
        (member("folder/", b"", external_attr=0o40755 << 16), "no plain path"),
        (member("../out.txt"), "no plain path"),
        (member("/etc/passwd"), "no plain path"),
        (member("a/../../b"), "no plain path"),
        (member("C:\\b"), "no plain path"),
        (member("a//b"), "no plain path"),
        (member("a\nb"), "no plain path"),
        (member("bomb", b"\0" * 10**6, compress_type=zipfile.ZIP_DEFLATED), "is compressed"),
        (twice, "two files are called 'a'"),
        (overlapping, "overlap|damaged"),
        (lambda path: path.write_bytes(b"not a zip"), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
    ],
)
def test_archives_that_bite_are_refused(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.zip"
    make(path)
    with pytest.raises(DataError, match=said):
        verify_bundle(path)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.zip"]


def test_names_that_leave_are_not_packed_either() -> None:
    with pytest.raises(DataError, match="no plain path"):
        pack({"../x": b""})


def test_a_damaged_run_makes_no_bundle(run_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    samples = pd.read_parquet(copy / "samples.parquet")
    samples["psnr"] += 1
    samples.to_parquet(copy / "samples.parquet")
    with pytest.raises(DataError, match=r"samples\.parquet is not the file that the run wrote"):
        write_bundle(copy)
    assert not list(tmp_path.glob("*.zip"))
    with pytest.raises(DataError, match="a folder of runs"):
        write_bundle(tmp_path)


def test_links_in_a_run_folder_stay_out(run_folder: Path, tmp_path: Path) -> None:
    copy, secret = tmp_path / "run", tmp_path / "secret.txt"
    shutil.copytree(run_folder, copy)
    secret.write_text("private", encoding="utf-8")
    (copy / "figures" / "leak.svg").symlink_to(secret)
    (copy / ".tmp-1").write_text("half a file", encoding="utf-8")
    (copy / "notes.txt").write_text("to myself", encoding="utf-8")
    files = unpack(write_bundle(copy, tmp_path / "b.zip"))
    assert not {"figures/leak.svg", ".tmp-1", "notes.txt"} & set(files)
