"""What a run says of contamination: the leak of a dataset, what each system has seen of it."""

from __future__ import annotations

from pathlib import Path

from benchmark.enhancers.contamination import LEAKS
from benchmark.runner import manifest as module
from benchmark.runner.request import Request, resolve
from benchmark.spec.catalogue import find_task


def on_lol(folder: Path, *systems: str) -> Request:
    """A request on two pairs that are laid out as LOL v1 is."""
    from PIL import Image

    for part in ("low", "high"):
        (folder / part).mkdir()
        for number in (1, 22):
            Image.new("RGB", (64, 48), (number, 9, 9)).save(folder / part / f"{number}.png")
    task = find_task("low-light-recognition")
    return resolve(
        task, profile="smoke", device="cpu", data=str(folder), mapping="lol-v1", systems=systems
    )


def test_the_leak_of_lol_is_told_wherever_it_is_used(tmp_path: Path) -> None:
    request = on_lol(tmp_path, "input")
    assert module._leaks(request) == [LEAKS["lol-v1"].statement]
    probe = resolve(find_task("face-identity"), profile="smoke", device="cpu")
    assert module._leaks(probe) == []


def test_every_published_system_says_what_it_has_seen(tmp_path: Path) -> None:
    request = on_lol(tmp_path, "input", "iat-lol-v1", "zero-dce-sdag")
    found = {run.system: module._description(request, run) for run in request.systems}
    assert {name: facts["seen"] for name, facts in found.items()} == {
        "input": "none",
        "iat-lol-v1": "trained",
        "zero-dce-sdag": "unknown",
    }
    notes = {name: facts["note"] for name, facts in found.items()}
    assert "trained on its pairs" in notes["iat-lol-v1"]
    assert "nobody says whether it has seen it" in notes["zero-dce-sdag"]
    assert "it learns nothing" in notes["input"]


def test_a_reader_that_a_loss_looks_through_is_no_evidence() -> None:
    assert {"sign-reader", "equilux-embedder"} <= module._loss_instruments()
    assert "sign-judge" not in module._loss_instruments()
