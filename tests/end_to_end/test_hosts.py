"""A run with several hosts: NAFNet trains in both arms; an arm that breaks costs nobody else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from rich.console import Console
from torch import Tensor

from benchmark.enhancers.hosts import HOSTS
from benchmark.enhancers.nafnet import host_of
from benchmark.losses.base import Features
from benchmark.losses.colour import Chroma
from benchmark.progress import Reporter
from benchmark.registry import Entry
from benchmark.report import print_summary
from benchmark.runner import run as runner
from benchmark.runner.executors import run_here
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import resolve
from benchmark.runner.store import Store
from benchmark.spec.catalogue import find_task
from benchmark.spec.task import HostStudy, Training
from benchmark.training import stages

pytestmark = pytest.mark.slow


class Planted(Chroma):
    """The colour term, which is no number any more from its third look at a chosen arm on."""

    chosen = False
    looks = 0

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        values: Tensor = super().forward(outputs, features, weight)
        Planted.looks += Planted.chosen
        return values * torch.nan if Planted.looks > 2 else values


@pytest.fixture(scope="module")
def planted() -> Iterator[None]:
    from benchmark.losses import LOSSES

    train = stages.train_arm

    def choosing(unit: Any, *data: Any, **settings: Any) -> Any:
        Planted.chosen, Planted.looks = (unit.host, unit.arm) == ("curve", "cals"), 0
        try:
            return train(unit, *data, **settings)
        finally:
            Planted.chosen = False

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOSSES._entries, "chroma", Entry("chroma", Planted, "", "test"))
        # NAFNet as thin as it can be: two cores have other things to do
        patch.setitem(HOSTS._entries, "nafnet2", Entry("nafnet2", host_of(2), "", "test"))
        patch.setattr(stages, "train_arm", choosing)
        patch.setattr(stages, "_default", None)
        patch.setattr("benchmark.training.features._latest", None)
        # in this process, where the term is planted
        patch.setattr(
            runner, "run_in_workers", lambda units, store: run_here(units, store, Reporter.silent())
        )
        yield


@pytest.fixture(scope="module")
def finished(
    planted: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Plan, Store, str]:
    folder = tmp_path_factory.mktemp("hosts")
    task = find_task("face-identity")
    small = task.spec.profiles["smoke"].model_copy(
        update={
            "subjects": 4,
            "training": Training(samples=2, steps=3, seeds=[0]),
            "replicates": 100,
        }
    )
    spec = task.spec.model_copy(
        update={
            "profiles": task.spec.profiles | {"smoke": small},
            "hosts": [HostStudy(host="nafnet2"), HostStudy(host="curve")],
            "systems": ["input"],
            "representation": None,
            "distribution": None,
        }
    )
    request = resolve(
        replace(task, spec=spec), profile="smoke", device="cpu", metrics=("psnr", "ssim")
    )
    plan, store = make_plan(request), Store(folder / "cache")
    done = runner.execute(
        request, plan, store=store, runs=folder / "runs", reporter=Reporter.silent()
    )
    said = io.StringIO()
    print_summary(done.folder, Console(width=200, file=said))
    return done.folder, plan, store, said.getvalue()


def test_nafnet_trains_in_both_arms(finished: tuple[Path, Plan, Store, str]) -> None:
    folder, plan, store, _ = finished
    samples = pd.read_parquet(folder / "samples.parquet")
    naf = samples[samples["system"] == "nafnet2"]
    assert set(naf["arm"]) == {"matched", "cals"}
    assert (naf["status"] == "ok").all()
    assert naf["psnr"].notna().all()
    states = {
        run.arm: stages.TrainedArm.load(store.require(*unit.need())).state
        for run, unit in plan.trainings.items()
        if run.system == "nafnet2"
    }
    assert any(not torch.equal(v, states["cals"][n]) for n, v in states["matched"].items())


def test_an_arm_that_breaks_is_a_failure_with_a_name_and_the_rest_is_there(
    finished: tuple[Path, Plan, Store, str],
) -> None:
    folder, _, _, said = finished
    samples = pd.read_parquet(folder / "samples.parquet").set_index(["system", "arm"]).sort_index()
    broken = samples.loc[("curve", "cals")]
    assert set(broken["status"]) == {"training_failed"}
    assert broken["psnr"].isna().all()
    others = samples.drop(("curve", "cals"))
    assert (others["status"] == "ok").all()
    assert others["psnr"].notna().all()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    reason = "the objective stopped being finite at step 2 (chroma)"
    assert manifest["failures"] == [
        {"unit": "curve cals seed 0", "stage": "train", "status": "failed", "reason": reason}
    ]
    assert sum(reason in warning for warning in manifest["warnings"]) == 1
    assert reason in (folder / "report.html").read_text(encoding="utf-8")
    assert "step 2 (chroma)" in " ".join(said.split())
    effects = pd.read_parquet(folder / "effects.parquet")
    assert not effects.loc[effects["system"] == "curve", "effect"].notna().any()
    assert effects.loc[effects["system"] == "nafnet2", "effect"].notna().any()
