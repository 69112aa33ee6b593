"""What each stage computes. A stage reads its inputs' folders and writes its own, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.data.views import OK
from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.adapters.outside import build
from benchmark.enhancers.base import Enhancer
from benchmark.errors import StoreError, TrainingError
from benchmark.files import write_json
from benchmark.metrics import Scorer, make_scorer
from benchmark.runner.execute import StageFunction, Work
from benchmark.runner.outputs import enhance_all, no_outputs, read_all, to_batch
from benchmark.runner.tables import samples_table, timings_table
from benchmark.runner.units import Stage

_SCORE_BATCH = 32
#: File with a retrained reader.
READER = "reader.safetensors"


def data(work: Work) -> None:
    """Render or read the clean views, degrade them, and keep the evaluation set."""
    from benchmark.data.build import phantom_evalset, probe_evalset, real_evalset

    if work.payload["source"] == "probe":
        evalset = probe_evalset(work.payload, work.reporter)
    elif work.payload["source"] == "phantoms":
        evalset = phantom_evalset(work.payload)
    else:
        evalset = real_evalset(work.payload, work.unit.hints["reference"], work.reporter)
    evalset.save(work.out)


def pool(work: Work) -> None:
    """Assemble the training pool and predict the context of every sample in it."""
    from benchmark.training.pools import run_pool

    run_pool(work.payload, out=work.out, reporter=work.reporter, device=work.unit.device)


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
            calibration=work.inputs.get("calibration"),
            validation=work.inputs.get("validation"),
            out=work.out,
            scratch=work.scratch,
            device=work.unit.device,
            advance=advance,
        )


def enhance(work: Work) -> None:
    """Run one system over every sample."""
    evalset = EvalSet.load(work.inputs["data"])
    device = torch.device(work.unit.device)
    try:
        system = _system(work)
    except TrainingError as error:
        outputs = no_outputs(evalset, error.what)
    else:
        with work.reporter.task(f"enhance {work.unit.title}", len(evalset)) as advance:
            if isinstance(system, OutputFolder):
                outputs = read_all(system, evalset, advance=advance)
            else:
                outputs = enhance_all(system, evalset, device=device, advance=advance)
    np.save(work.out / "images.npy", outputs.images, allow_pickle=False)
    np.save(work.out / "milliseconds.npy", outputs.milliseconds, allow_pickle=False)
    pd.DataFrame({"status": outputs.status}).to_parquet(work.out / "status.parquet", index=False)
    (work.out / "errors.json").write_text(json.dumps(outputs.errors), encoding="utf-8")


def _system(work: Work) -> Enhancer | OutputFolder:
    name = work.payload["enhancer"]
    if not isinstance(name, str):
        path, trusted = Path(work.unit.hints["path"]), work.unit.hints.get("trusted") == "yes"
        if name["form"] == "outputs":
            return OutputFolder(path)
        return build(name["form"], path, factory=name.get("factory", ""), trusted=trusted)
    if "weights" not in work.inputs:
        return ENHANCERS.get(name)()
    from benchmark.training import load_host

    return load_host(name, work.inputs["weights"], work.unit.device)


def prepare(work: Work) -> None:
    """Everything about references, inputs and gallery that every system shares."""
    scorer = _scorer(work)
    state = scorer.prepare(EvalSet.load(work.inputs["data"]))
    write_json(work.out / "notes.json", scorer.notes(state))
    np.savez(work.out / "state.npz", allow_pickle=False, **state)


def score(work: Work) -> None:
    """Score one system's outputs with one scorer; failed rows stay NaN."""
    evalset = EvalSet.load(work.inputs["data"])
    with np.load(work.inputs["state"] / "state.npz", allow_pickle=False) as stored:
        state = dict(stored)
    images = np.load(work.inputs["outputs"] / "images.npy", allow_pickle=False)
    status = pd.read_parquet(work.inputs["outputs"] / "status.parquet")["status"]
    scorer = _scorer(work)
    columns = {spec.name: np.full(len(evalset), np.nan) for spec in scorer.specs}
    usable = np.flatnonzero(status == OK)
    with work.reporter.task(f"score {work.unit.title}", len(usable)) as advance:
        for rows, batch in _batches(images, usable, torch.device(work.unit.device)):
            with torch.inference_mode():
                found = scorer.score(batch, rows, evalset, state)
            for name, values in found.items():
                columns[name][rows] = values
            advance(len(rows))
    pd.DataFrame(columns).to_parquet(work.out / "scores.parquet", index=False)


def observe(work: Work) -> None:
    """What a judge sees in one system's outputs, or in the clean references without any."""
    from benchmark.judges.base import Observer, make_judge

    evalset = EvalSet.load(work.inputs["data"])
    device = torch.device(work.unit.device)
    if "outputs" in work.inputs:
        images = np.load(work.inputs["outputs"] / "images.npy", allow_pickle=False)
        status = pd.read_parquet(work.inputs["outputs"] / "status.parquet")["status"]
    else:
        images, status = evalset.references, evalset.frame["status"]
    judge = make_judge(work.payload["judge"], work.payload["kind"], device=work.unit.device)
    assert isinstance(judge, Observer)
    usable = np.flatnonzero(status == OK)
    found: NDArray[np.float32] | None = None
    with work.reporter.task(f"observe {work.unit.title}", len(usable)) as advance:
        for rows, batch in _batches(images, usable, device):
            with torch.inference_mode():
                values = judge.observe(batch, rows, evalset)
            if found is None:
                found = np.full((len(evalset), values.shape[1]), np.nan, np.float32)
            found[rows] = values
            advance(len(rows))
    np.save(
        work.out / "values.npy",
        found if found is not None else np.empty((len(evalset), 0), np.float32),
        allow_pickle=False,
    )


def invent(work: Work) -> None:
    """Count the structure that a system makes of pictures without any (the null test)."""
    from benchmark.metrics.fidelity import valid_pixels
    from benchmark.metrics.structure.nulls import count_invented

    evalset = EvalSet.load(work.inputs["data"])
    device = torch.device(work.unit.device)
    images = np.load(work.inputs["outputs"] / "images.npy", allow_pickle=False)
    status = pd.read_parquet(work.inputs["outputs"] / "status.parquet")["status"]
    table = evalset.frame[["sample", "phantom"]].copy()
    for rows, batch in _batches(images, np.flatnonzero(status == OK), device):
        clean = to_batch(evalset.references[rows], device)
        found = count_invented(
            batch,
            clean,
            device=work.unit.device,
            judges=tuple(work.payload["judges"]),
            valid=valid_pixels(evalset, rows, batch),
        )
        for name, values in found.items():
            table.loc[rows, name] = values
    table.to_parquet(work.out / "invented.parquet", index=False)


def sanity(work: Work) -> None:
    """Does every structure metric behave on this dataset as its name promises?"""
    from benchmark.metrics.structure.sanity import run_sanity

    evalset = EvalSet.load(work.inputs["data"])
    checks = run_sanity(evalset, work.payload["scorers"], device=work.unit.device)
    write_json(work.out / "sanity.json", checks)


def retrain(work: Work) -> None:
    """Let a copy of the reader go on learning from one system's outputs on training scenes."""
    from benchmark.judges.retraining import TrainingViews, retrain, save_retrained
    from benchmark.probes.signs import render_signs

    payload = work.payload
    evalset = EvalSet.load(work.inputs["data"])
    images = np.load(work.inputs["outputs"] / "images.npy", allow_pickle=False)
    scenes = render_signs(payload["scenes"], split="lessons", seed=payload["seed"])
    if scenes.frame["sample"].tolist() != evalset.frame["sample"].tolist():
        raise StoreError("the lessons are not those that were enhanced", where=work.unit.title)
    state = retrain(
        payload["base"],
        TrainingViews.of_signs(scenes, images),
        seed=payload["seed"],
        steps=payload["steps"],
        device=work.unit.device,
        reporter=work.reporter,
    )
    save_retrained(state, work.out / READER, base=payload["base"])


def _scorer(work: Work) -> Scorer:
    """The scorer of this unit, looking through a retrained reader if it is given one."""
    scorer = make_scorer(work.payload["scorer"], work.unit.device)
    if "reader" in work.inputs:
        from benchmark.judges.retraining import load_retrained
        from benchmark.metrics.recognition import Reads

        assert isinstance(scorer, Reads)
        scorer.look_through(load_retrained(work.inputs["reader"] / READER, device=work.unit.device))
    return scorer


def _batches(
    images: NDArray[np.uint8], rows: NDArray[np.intp], device: torch.device
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    for start in range(0, len(rows), _SCORE_BATCH):
        chosen = rows[start : start + _SCORE_BATCH]
        yield chosen, to_batch(images[chosen], device)


def analyse(work: Work) -> None:
    """Join the scores and compute the group statistics."""
    from benchmark.runner.sets import set_level_tables
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
    tables: Mapping[str, Any] = {
        "samples": samples,
        **analyse_samples(samples, payload),
        **set_level_tables(samples, evalset.frame, work.inputs, payload),
    }
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
    "observe": observe,
    "invent": invent,
    "sanity": sanity,
    "retrain": retrain,
    "analyse": analyse,
}
