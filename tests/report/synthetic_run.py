"""A small run folder with realistic tables, made without any engine, for tests of the report.

People are the clusters; tone levels hold 34, 30 and 12 of them (the last is *small*), the pose
``tilted`` has too few people (*insufficient*), one metric is unavailable and some values are NaN.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats

from benchmark.files import sha256_of_file

from .synthetic_parts import PREDICTOR, write_parts

LEVELS = {
    "tone_level": ["light", "medium", "dark"],
    "illumination": ["dim", "dark"],
    "pose": ["frontal", "tilted"],
}
PEOPLE = {"light": 34, "medium": 30, "dark": 12}
METRICS = {
    "psnr": (1, "dB"),
    "id_cosine": (1, ""),
    "detected": (1, "%"),
    "delta_ita": (-1, "deg"),
    "lesion_omission": (-1, "%"),
    "lesion_hallucination": (-1, ""),
}
#: Numeric columns of the gap table.
NUMBERS = (
    *("gap", "ci_low", "ci_high", "null_mean", "null_p95", "excess", "p_value", "p_holm"),
    *("v_dc", "v_dc_low", "v_dc_high", "sd_dc", "noise_share", "cochran_q", "cochran_p"),
    *("gap_to_overall", "ratio", "worst_frequency", "mde"),
)
#: psnr, cosine, detection rate and tone shift of light faces; then the loss of dark ones.
SYSTEMS: dict[tuple[str, str], tuple[float, float, float, float, float]] = {
    ("input", ""): (7.9, 0.41, 0.42, 31.0, 0.9),
    ("gamma", ""): (14.8, 0.58, 0.72, 9.0, 0.6),
    ("clahe", ""): (12.1, 0.55, 0.66, 14.0, 0.7),
    ("lime", ""): (15.9, 0.57, 0.70, 11.0, 0.6),
    ("curve", "matched"): (19.4, 0.66, 0.88, 6.0, 0.5),
    ("curve", "cals"): (19.1, 0.69, 0.91, 5.5, 0.35),
    ("oracle", ""): (100.0, 1.0, 0.99, 0.0, 0.0),
}


@dataclass(frozen=True)
class Options:
    """What to make different from the ordinary run."""

    seeds: tuple[int, ...] = (0, 1, 2)
    hostile: bool = False
    levelled_down: bool = False
    gallery: bool = True
    groups: int = 3
    parts: bool = False


def write_run(folder: Path, options: Options = Options()) -> Path:
    """Write manifest, tables and gallery of a run and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = _Names(options)
    samples = _samples(names, options)
    groups = _groups(samples, names)
    tables = {
        "samples": samples,
        "groups": groups,
        "gaps": _gaps(groups, names),
        "effects": _effects(groups, names, options),
        "tiers": _tiers(groups),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    if options.gallery:
        _gallery(folder / "gallery", names)
    if options.parts:
        write_parts(folder, list(SYSTEMS), names.tones, LEVELS["illumination"])
    content = manifest(names, options)
    content["files"] = {p.name: sha256_of_file(p) for p in sorted(folder.glob("*.parquet"))}
    (folder / "manifest.json").write_text(json.dumps(content, indent=2))
    return folder


class _Names:
    """The names of everything; the hostile ones try to run, to break out and to overflow."""

    def __init__(self, options: Options) -> None:
        hostile = options.hostile
        self.title = "Face <script>alert(1)</script> & identity" if hostile else "Face identity"
        self.dark = '"><img src=x onerror=alert(2)>$\\frac{1}{0}$' if hostile else "dark"
        self.label = "{{ 7*7 }} </style></script><b>\x1b[31m\u202egnol" + "x" * 300
        self.hostile = hostile
        self.tones = ["light", "medium", self.dark]
        extra = [f"tone {i}" for i in range(3, options.groups)]
        self.levels = {**LEVELS, "tone_level": self.tones + extra}
        people = [*PEOPLE.values(), *[30] * len(extra)]
        self.people = dict(zip(self.levels["tone_level"], people, strict=True))


def _samples(names: _Names, options: Options) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for (system, arm), (psnr, cosine, detected, ita, loss) in SYSTEMS.items():
        for seed in options.seeds if arm else (-1,):
            for level, (tone, count) in enumerate(names.people.items()):
                severity = min(level, 2) / 2
                person = np.random.default_rng(level).normal(0, 1, count)
                for illumination in LEVELS["illumination"]:
                    dim = 0.0 if illumination == "dim" else 0.5
                    shift = loss * severity * (1 + dim) + 0.2 * dim
                    noise = rng.normal(0, 1, count)
                    chance = np.clip(detected * (1 - 0.8 * shift), 0, 1)
                    exact = system == "oracle"
                    rows.append(
                        pd.DataFrame(
                            {
                                "system": system,
                                "arm": arm,
                                "seed": seed,
                                "sample": [f"{tone}-{i}-{illumination}" for i in range(count)],
                                "cluster": [f"{tone}-{i}" for i in range(count)],
                                "tone_level": tone,
                                "illumination": illumination,
                                "pose": ["tilted" if i < 2 else "frontal" for i in range(count)],
                                "status": "ok",
                                "psnr": psnr + (0 if exact else 1) * (0.4 * level + noise),
                                "id_cosine": cosine
                                - (0 if exact else 1)
                                * (0.25 * shift - 0.05 * person - 0.02 * noise),
                                "detected": (rng.random(count) < chance).astype(float),
                                "delta_ita": np.abs(ita * (1 + shift) + noise * (not exact)),
                                "lesion_omission": (noise > 1.6 - shift).astype(float),
                                "lesion_hallucination": np.round(np.abs(noise) * (0.3 + shift)),
                            }
                        )
                    )
    frame = pd.concat(rows, ignore_index=True)
    if options.levelled_down:
        best = (frame["arm"] == "cals") & (frame["tone_level"] == "light")
        frame.loc[best, "id_cosine"] -= 0.15
    broken = frame.index[(frame["system"] == "lime")][:3]
    frame.loc[broken, "status"] = "nonfinite_output"
    frame.loc[broken, list(METRICS)] = np.nan
    return frame


def _groups(samples: pd.DataFrame, names: _Names) -> pd.DataFrame:
    axes = [("", []), *[(axis, [axis]) for axis in names.levels]]
    axes.append(("tone_level*illumination", ["tone_level", "illumination"]))
    rows = []
    for (system, arm), part in samples.groupby(["system", "arm"], sort=False):
        for axis, columns in axes:
            pieces = part.groupby(columns, sort=False) if columns else [((), part)]
            for key, piece in pieces:
                for metric in METRICS:
                    means = piece.groupby("cluster")[metric].mean().dropna()
                    key_columns = (system, arm, metric, axis, "*".join(key))
                    rows.append(_group(key_columns, piece, means))
    return pd.DataFrame(rows)


def _group(key: tuple[str, ...], piece: pd.DataFrame, means: Any) -> dict[str, Any]:
    n = len(means)
    sd = float(means.std()) if n > 1 else float("nan")
    half = stats.t.ppf(0.975, n - 1) * sd / n**0.5 if n > 1 else float("nan")
    size = "full" if n >= 30 else "small" if n >= 8 else "insufficient"
    mean = float(means.mean())
    return {
        **dict(zip(("system", "arm", "metric", "axis", "group"), key, strict=True)),
        "n_items": len(piece),
        "n_clusters": n,
        "mean": mean,
        "ci_low": mean - half if size != "insufficient" else float("nan"),
        "ci_high": mean + half if size != "insufficient" else float("nan"),
        "ci_method": "t" if size != "insufficient" else "",
        "sd": sd,
        "p10": float(means.quantile(0.1)),
        "failures": int((piece["status"] != "ok").sum()),
        "coverage": float((piece["status"] == "ok").mean()),
        "size_class": size,
        "worst_frequency": float("nan"),
        "mde": 2.8 * sd / n**0.5 if n > 1 else float("nan"),
    }


def _gaps(groups: pd.DataFrame, names: _Names) -> pd.DataFrame:
    rows = []
    for (system, arm, metric, axis), part in groups[groups["axis"] != ""].groupby(
        ["system", "arm", "metric", "axis"], sort=False
    ):
        usable = part[part["size_class"] != "insufficient"]
        row: dict[str, Any] = dict.fromkeys(NUMBERS, float("nan"))
        row |= {"system": system, "arm": arm, "metric": metric, "axis": axis, "family_size": 12}
        row |= {"best_group": "", "worst_group": "", "reason": "", "verdict": "single_group"}
        if len(usable) < 2:
            rows.append(row | {"reason": "only one group has enough people"})
            continue
        oriented = METRICS[metric][0] * usable["mean"]
        worst, best = usable.loc[oriented.idxmin()], usable.loc[oriented.idxmax()]
        rest = usable[usable["group"] != worst["group"]]["mean"].mean()
        error = float((usable["sd"] ** 2 / usable["n_clusters"]).mean() ** 0.5)
        deficit = METRICS[metric][0] * (rest - worst["mean"])
        gap = abs(best["mean"] - worst["mean"])
        null, null95 = 1.3 * error, 2.4 * error
        p = float(2 * stats.norm.sf(abs(deficit) / (1.3 * error))) if error else 1.0
        rows.append(
            row
            | {
                "best_group": best["group"],
                "worst_group": worst["group"],
                "gap": gap,
                "ci_low": deficit - 2 * error,
                "ci_high": deficit + 2 * error,
                "null_mean": null,
                "null_p95": null95,
                "excess": max(0.0, gap - null),
                "p_value": p,
                "p_holm": min(1.0, p * 12),
                "v_dc": float(usable["mean"].var() - error**2),
                "noise_share": error**2 / max(1e-12, float(usable["mean"].var())),
                "worst_frequency": 0.97 if p < 0.05 else 0.41,
                "mde": 2.8 * error,
                "verdict": "gap" if p * 12 < 0.05 else "no_evidence",
            }
        )
    return pd.DataFrame(rows)


def _effects(groups: pd.DataFrame, names: _Names, options: Options) -> pd.DataFrame:
    rows = []
    axis_rows = groups[groups["axis"].isin(["", "tone_level"]) & (groups["system"] == "curve")]
    single = len(options.seeds) < 3
    for metric, (direction, _) in METRICS.items():
        part = axis_rows[axis_rows["metric"] == metric].set_index(["arm", "group"])
        levels = [""] + names.levels["tone_level"]
        means = {a: part.loc[a].loc[levels, "mean"] for a in ("cals", "matched")}
        changes = {
            ("overall" if g == "" else g): means["cals"][g] - means["matched"][g] for g in levels
        }
        spread = {a: float(np.ptp(means[a].iloc[1:])) for a in means}
        changes["gap"] = spread["cals"] - spread["matched"]
        changes["range"], changes["v_dc"] = changes["gap"], changes["gap"] / 4
        low = {a: float((direction * means[a].iloc[1:]).min()) for a in means}
        changes["worst"] = direction * (low["cals"] - low["matched"])
        half = 0.6 * float(part["sd"].mean()) / 30**0.5
        for target, effect in changes.items():
            sign = -1 if target in {"gap", "range", "v_dc"} else direction
            verdict = (
                "no_evidence" if abs(effect) < half else "better" if sign * effect > 0 else "worse"
            )
            if options.levelled_down and metric == "id_cosine" and target == "gap":
                verdict = "levelled_down"
            verdict = "no_claim" if single else verdict
            rows.append(
                {
                    "system": "curve",
                    "metric": metric,
                    "axis": "" if target == "overall" else "tone_level",
                    "target": target,
                    "arm": "cals",
                    "baseline": "matched",
                    "n_seeds": len(options.seeds),
                    "effect": effect,
                    "ci_low": float("nan") if single else effect - half,
                    "ci_high": float("nan") if single else effect + half,
                    "p_value": float("nan") if single else 0.02,
                    "p_holm": float("nan") if single else 0.11,
                    "family_size": 8,
                    "verdict": verdict,
                    "sentence": f"cals changes {target} of {metric} by {effect:+.3f}: {verdict}.",
                }
            )
    return pd.DataFrame(rows)


def _tiers(groups: pd.DataFrame) -> pd.DataFrame:
    overall = groups[groups["axis"] == ""][["system", "arm", "metric", "mean"]].copy()
    overall = overall.rename(columns={"mean": "value"}).assign(axis="", target="overall")
    overall["rank"] = overall.groupby("metric")["value"].rank(ascending=False).astype(int)
    overall["tier"] = (overall["rank"] + 1) // 2
    overall["rank_low"], overall["rank_high"] = overall["rank"], overall["rank"] + 1
    return overall.assign(n_seeds=1, coverage=1.0)


def _gallery(folder: Path, names: _Names) -> None:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    items = []
    y, x = np.mgrid[:96, :96] / 96
    for number, tone in enumerate(names.levels["tone_level"]):
        face = np.exp(-((((x - 0.5) / 0.25) ** 2 + ((y - 0.5) / 0.34) ** 2) ** 2))[..., None]
        colour = np.array([0.9, 0.72, 0.6]) * (1 - 0.33 * min(number, 2))
        clean = face * colour + (1 - face) * np.array([0.35, 0.42, 0.5])
        views = {"reference": clean, "input": clean * 0.08 + rng.normal(0, 0.01, clean.shape)}
        for kind, image in views.items():
            _save(folder / f"{number}-{kind}.png", image)
        for system, arm in SYSTEMS:
            for rank in range(2):
                output = f"{number}-{system}{arm}-{rank}.png"
                _save(folder / output, clean * 0.7 + rng.normal(0, 0.04 + 0.03 * rank, clean.shape))
                items.append(
                    {
                        "system": system,
                        "arm": arm,
                        "seed": 0 if arm else -1,
                        "axis": "tone_level",
                        "group": tone,
                        "sample": f"{tone}-{rank}-dim",
                        "metric": "id_cosine",
                        "value": None if system == "lime" and rank else 0.1 + 0.1 * rank,
                        "input": f"gallery/{number}-input.png",
                        "output": f"gallery/{output}",
                        "reference": f"gallery/{number}-reference.png",
                    }
                )
    (folder / "index.json").write_text(json.dumps(items))


def _save(path: Path, image: Any) -> None:
    Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8)).save(path)


def _metric(name: str, summary: str, **changes: Any) -> dict[str, Any]:
    ordinary = {
        "name": name, "summary": summary, "version": "1", "direction": 1, "unit": "",
        "range": [0, 1], "kind": "value", "ratio_scale": False, "licence": "Apache-2.0",
        "source": "", "role": "primary", "available": True, "reason": "", "mend": "",
        "in_loss": False,
    }  # fmt: skip
    return ordinary | changes


def manifest(names: _Names, options: Options) -> dict[str, Any]:
    """The manifest of the run, as the runner would write it."""
    metrics = [
        _metric("psnr", "peak signal to noise ratio", unit="dB", range=[0, 100], in_loss=True)
        | {"licence": "PolyForm-Noncommercial-1.0.0"},
        _metric("id_cosine", "likeness to the same person's clean view", range=[-1, 1]),
        _metric("detected", "share of faces that the detector still finds", kind="rate"),
        _metric("delta_ita", "shift of skin tone, absolute", unit="deg", range=[0, None])
        | {"direction": -1, "role": "secondary"},
        _metric("lesion_omission", "share of lesions that the judge no longer finds", kind="rate")
        | {"direction": -1, "role": "secondary"},
        _metric("lesion_hallucination", "lesions per image that are not there", range=[0, None])
        | {"direction": -1, "role": "secondary"},
        _metric("musiq", "no-reference quality", role="diagnostic", available=False)
        | {"reason": "its weights are not on this machine"}
        | {"mend": "python -m benchmark weights fetch musiq"},
    ]
    kinds = {"input": "reference", "oracle": "reference", "curve": "trained"}
    systems = [
        {
            "system": system,
            "arm": arm,
            "label": names.label
            if names.hostile and system == "gamma"
            else f"{system} {arm}".strip(),
            "kind": kinds.get(system, "classical"),
            "parameters": 79_416 if arm else 0,
            "licence": "Apache-2.0",
            "latency_ms": 3.2 if arm else None,
            "note": "",
        }
        for system, arm in SYSTEMS
    ]
    roles = {"tone_level": "sensitive", "illumination": "context", "pose": "control"}
    return {
        "format": 1,
        "run_id": "face-identity-quick-3f2a",
        "specification": {"name": "face-identity", "version": 1},
        "data": {"source": "probe", "probe": "faces"},
        "task": {
            "name": "face-identity",
            "title": names.title,
            "question": "Does enhancement keep a person recognisable, whatever the skin tone?",
        },
        "profile": "quick",
        "device": "cpu",
        "n_samples": 2 * sum(names.people.values()),
        "seeds": list(options.seeds),
        "created_with": {"equilux": "0.1.0", "python": "3.11.9", "torch": "2.15.0"},
        "phases": [
            {"name": "train", "seconds": 91.25, "units": 6, "cached": 0},
            {"name": "enhance", "seconds": 22.5, "units": 11, "cached": 5},
            {"name": "score", "seconds": 71.0, "units": 11, "cached": 5},
            {"name": "aggregate", "seconds": 4.0, "units": 1, "cached": 0},
        ],
        "systems": systems,
        "metrics": metrics,
        "axes": [
            {"name": n, "role": roles[n], "levels": levels} for n, levels in names.levels.items()
        ],
        "headline": {
            "axis": "tone_level",
            "endpoint": "id_cosine",
            "quality": "psnr",
            "outcome": "detected",
        },
        "comparisons": [{"system": "curve", "arm": "cals", "baseline": "matched"}],
        "notes": ["Faces are rendered: a result on them is a hint about people, not proof."],
        "warnings": [
            "The detector finds 97 % of dark faces at normal exposure, 99 % of light ones."
        ],
        "licences": [
            {
                "name": "pyiqa",
                "kind": "metric implementations",
                "licence": "PolyForm-Noncommercial / NTU S-Lab 1.0",
                "note": "non-commercial use only",
            },
            {
                "name": "faces probe",
                "kind": "data",
                "licence": "Apache-2.0",
                "note": "rendered here",
            },
        ],
        "files": {},
        "predictor": PREDICTOR if options.parts else None,
        "statistics": {"replicates": 10_000, "n_min": 8, "n_full": 30, "level": 0.95},
    }
