"""What each stage computes. A stage reads its inputs' folders and writes its own, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmark.data.evalset import EvalSet
from benchmark.data.views import OK
from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.base import Enhancer
from benchmark.files import write_json
from benchmark.runner.execute import StageFunction, Work
from benchmark.runner.outputs import enhance_all, to_batch
from benchmark.runner.tables import samples_table, timings_table
from benchmark.runner.units import Stage

_SCORE_BATCH = 32


def data(work: Work) -> None:
    """Render or read the clean views, degrade them, and keep the evaluation set."""
    from benchmark.data.build import folder_evalset, probe_evalset

    if work.payload["source"] == "probe":
        evalset = probe_evalset(work.payload, work.reporter)
    else:
        evalset = folder_evalset(work.payload, Path(work.unit.hints["folder"]))
    evalset.save(work.out)


def pool(work: Work) -> None:
    """Assemble the training pool and predict the context of every sample in it."""
    from benchmark.training.pools import run_pool

    run_pool(work.payload, out=work.out, reporter=work.reporter)


def calibrate(work: Work) -> None:
    """Bring the loss terms to one scale at the initial weights that all arms share."""
    from benchmark.training import run_calibration

    run_calibration(work.payload, pool=work.inputs["pool"], out=work.out, device=work.unit.device)


def train(work: Work) -> None:
    """Train one arm of one host from one seed; goes on from its last checkpoint."""
    from benchmark.training import run_training

    with work.reporter.task(f"train {work.unit.title}", work.payload["steps"]) as advance:
        run_training(
            work.payload,
            pool=work.inputs["pool"],
            calibration=work.inputs["calibration"],
            out=work.out,
            scratch=work.scratch,
            device=work.unit.device,
            advance=advance,
        )


def enhance(work: Work) -> None:
    """Run one system over every sample."""
    evalset = EvalSet.load(work.inputs["data"])
    device = torch.device(work.unit.device)
    enhancer = _enhancer(work)
    with work.reporter.task(f"enhance {work.unit.title}", len(evalset)) as advance:
        outputs = enhance_all(enhancer, evalset, device=device, advance=advance)
    np.save(work.out / "images.npy", outputs.images, allow_pickle=False)
    np.save(work.out / "milliseconds.npy", outputs.milliseconds, allow_pickle=False)
    pd.DataFrame({"status": outputs.status}).to_parquet(work.out / "status.parquet", index=False)
    (work.out / "errors.json").write_text(json.dumps(outputs.errors), encoding="utf-8")


def _enhancer(work: Work) -> Enhancer:
    name = work.payload["enhancer"]
    if "weights" not in work.inputs:
        return ENHANCERS.get(name)()
    from benchmark.training import load_host

    return load_host(name, work.inputs["weights"], work.unit.device)


def prepare(work: Work) -> None:
    """Everything about references, inputs and gallery that every system shares."""
    from benchmark.metrics import make_scorer

    scorer = make_scorer(work.payload["scorer"], work.unit.device)
    state = scorer.prepare(EvalSet.load(work.inputs["data"]))
    write_json(work.out / "notes.json", scorer.notes(state))
    np.savez(work.out / "state.npz", allow_pickle=False, **state)


def score(work: Work) -> None:
    """Score one system's outputs with one scorer; failed rows stay NaN."""
    from benchmark.metrics import make_scorer

    evalset = EvalSet.load(work.inputs["data"])
    with np.load(work.inputs["state"] / "state.npz", allow_pickle=False) as stored:
        state = dict(stored)
    images = np.load(work.inputs["outputs"] / "images.npy", allow_pickle=False)
    status = pd.read_parquet(work.inputs["outputs"] / "status.parquet")["status"]
    scorer = make_scorer(work.payload["scorer"], work.unit.device)
    columns = {spec.name: np.full(len(evalset), np.nan) for spec in scorer.specs}
    usable = np.flatnonzero(status == OK)
    with work.reporter.task(f"score {work.unit.title}", len(usable)) as advance:
        for start in range(0, len(usable), _SCORE_BATCH):
            rows = usable[start : start + _SCORE_BATCH]
            batch = to_batch(images[rows], torch.device(work.unit.device))
            with torch.inference_mode():
                found = scorer.score(batch, rows, evalset, state)
            for name, values in found.items():
                columns[name][rows] = values
            advance(len(rows))
    pd.DataFrame(columns).to_parquet(work.out / "scores.parquet", index=False)


def analyse(work: Work) -> None:
    """Join the scores and compute the group statistics."""
    from benchmark.runner.statistics import analyse_samples

    payload = work.payload
    evalset = EvalSet.load(work.inputs["data"])
    samples = samples_table(
        evalset,
        work.inputs,
        systems=payload["systems"],
        scorers=payload["scorers"],
        metrics=payload["metrics"],
    )
    tables: Mapping[str, Any] = {"samples": samples, **analyse_samples(samples, payload)}
    for name, table in tables.items():
        table.to_parquet(work.out / f"{name}.parquet", index=False, compression="zstd")
    timings = timings_table(work.inputs, payload["systems"])
    timings.to_parquet(work.out / "timings.parquet", index=False)


STAGES: Mapping[Stage, StageFunction] = {
    "data": data,
    "pool": pool,
    "calibrate": calibrate,
    "train": train,
    "enhance": enhance,
    "prepare": prepare,
    "score": score,
    "analyse": analyse,
}
