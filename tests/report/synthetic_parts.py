"""Imitations of the optional tables of a run, for tests of the sections made from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_NAN = float("nan")
Keys = list[tuple[str, str]]


def write_parts(folder: Path, keys: Keys, tones: list[str], lights: list[str]) -> None:
    """Write every optional table and ``sanity.json`` into a run folder.

    Args:
        folder: of the run.
        keys: systems with their arms.
        tones: groups of ``tone_level``.
        lights: groups of ``illumination``.
    """
    tables = {
        "outcomes": _outcomes(keys, tones, lights),
        "representation": _representation(keys, tones),
        "divergences": _divergences(keys),
        "distribution": _distribution(keys, tones),
        "parity": _parity(keys, tones),
        "phantoms": _phantoms(keys),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "sanity.json").write_text(json.dumps(SANITY))


SANITY = [
    {
        "metric": "lesion_omission",
        "check": "falls_with_lesion",
        "holds": True,
        "values": {"2 px": 0.1, "4 px": 0.4, "8 px": 0.9},
        "detail": "painted on 12 images",
    },
    {
        "metric": "ssim",
        "check": "blur_above_deformation",
        "holds": False,
        "values": {"blurred": 0.912, "deformed": 0.915},
        "detail": "",
    },
]

PREDICTOR_CARD = {
    "accuracy": 0.9731,
    "ece": 0.021,
    "n": 1440,
    "by_exposure": {"dark": {"accuracy": 0.95, "n": 480}, "normal": {"accuracy": 1.0, "n": 480}},
    "face_recall": [
        {"exposure": "dark", "n": 80, "probability": 0.71, "recall": 0.74, "tone_level": "dark"},
        {"exposure": "dim", "n": 80, "probability": 0.98, "recall": 1.0, "tone_level": "dark"},
    ],
}


PREDICTOR = {"name": "context-cnn", "sha256": "0" * 64, "card": PREDICTOR_CARD}


def _outcomes(keys: Keys, tones: list[str], lights: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    places = [("", "", 240), *[("illumination", light, 120) for light in lights]]
    places += [("tone_level", tone, 80) for tone in tones]
    rows = []
    for judge in ("sign-judge", "sign-reader"):
        for system, arm in keys:
            for axis, group, n in places:
                worse = 0 if system == "input" else int(rng.integers(1, n // 10))
                better = 0 if system == "input" else int(rng.integers(2, n // 5))
                delta = (better - worse) / n
                rows.append(
                    {
                        "system": system,
                        "arm": arm,
                        "axis": axis,
                        "group": group,
                        "protocol": "frozen",
                        "judge": judge,
                        "n": n,
                        "n_clusters": n // 8,
                        "accuracy_input": 0.58,
                        "accuracy": 0.58 + delta,
                        "accuracy_reference": 0.97,
                        "delta": delta,
                        "delta_low": delta - 0.04,
                        "delta_high": delta + 0.04,
                        "worse": worse,
                        "better": better,
                        "mcnemar_p": 0.012,
                        "p_holm": 0.048 if axis == "" else _NAN,
                        "harm_rate": worse / n,
                        "harm_n": n,
                        "help_rate": better / n,
                        "help_n": n,
                        "net": delta,
                        "recovery": delta / 0.39,
                        "ece": 0.061 if n >= 200 else _NAN,
                        "ece_n": n,
                    }
                )
    return pd.DataFrame(rows)


def _representation(keys: Keys, tones: list[str]) -> pd.DataFrame:
    rows = []
    for number, (system, arm) in enumerate(keys):
        for position, tone in enumerate(tones):
            hit = 0.9 - 0.1 * min(position, 2) - 0.02 * number
            rows.append(
                {
                    "system": system,
                    "arm": arm,
                    "judge": "face-attributes",
                    "axis": "tone_level",
                    "group": tone,
                    "n": 100,
                    "hits": round(100 * hit),
                    "hit": hit,
                    "hit_low": hit - 0.05,
                    "hit_high": hit + 0.05,
                    "ceiling": 0.95,
                    "hit_relative": hit / 0.95,
                    "corrected": hit / 0.95 if position else _NAN,
                    "corrected_low": hit / 0.95 - 0.06 if position else _NAN,
                    "corrected_high": hit / 0.95 + 0.06 if position else _NAN,
                    "judged_share": 1 / len(tones),
                    "test_share": 1 / len(tones),
                    "flip_rate": 1 - hit,
                    "drift": 0.03 * position,
                }
            )
    return pd.DataFrame(rows)


def _divergences(keys: Keys) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for system, arm in keys:
        for kind in ("rdp", "pr"):
            fine = system != "lime"
            rows.append(
                {
                    "system": system,
                    "arm": arm,
                    "judge": "face-attributes",
                    "axis": "tone_level",
                    "kind": kind,
                    **dict.fromkeys(
                        ("chi2", "chi2_corrected", "cheb", "tv", "tv_l1", "kl", "js"),
                        0.0142 if fine else _NAN,
                    ),
                    "test": "chi-squared" if fine else None,
                    "statistic": 5.2 if fine else _NAN,
                    "p_value": 0.0004 if fine else _NAN,
                    "n": 300,
                    "reason": None if fine else "no hit at all",
                }
            )
    return pd.DataFrame(rows)


def _distribution(keys: Keys, tones: list[str]) -> pd.DataFrame:
    rows = []
    for number, (system, arm) in enumerate(keys):
        for net, scale in (("face-embedder", 1.0), ("squeezenet", 4.0)):
            for position, tone in enumerate(tones):
                small = position == len(tones) - 1 and net == "squeezenet"
                kid = scale * (0.002 * position + 0.001 * number - 0.0003)
                rows.append(
                    {
                        "system": system,
                        "arm": arm,
                        "axis": "tone_level",
                        "features": net,
                        "group": tone,
                        "n": 60 if small else 120,
                        "kid": _NAN if small else kid,
                        "ci_low": _NAN if small else kid - 0.001,
                        "ci_high": _NAN if small else kid + 0.001,
                        "reason": "fewer than 100 images" if small else "",
                    }
                )
    return pd.DataFrame(rows)


def _parity(keys: Keys, tones: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "system": system,
                "arm": arm,
                "axis": "tone_level",
                "features": net,
                "attribute_aware": net == "face-embedder",
                "best_group": tones[0],
                "worst_group": tones[1 + (system == "gamma" and net == "squeezenet")],
                "gap": 0.004,
                "v_dc": 2e-6,
                "disagreement": system == "gamma",
                "reason": "",
            }
            for system, arm in keys
            for net in ("face-embedder", "squeezenet")
        ]
    )


def _phantoms(keys: Keys) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "system": system,
                "arm": arm,
                "seed": seed,
                "phantom": phantom,
                "structure": structure,
                "n": 8,
                "invented": 0.0 if system == "input" else 0.25 * (seed + 2),
                "ci_low": 0.0,
                "ci_high": 1.1,
            }
            for system, arm in keys
            for seed in ((0, 1) if arm else (-1,))
            for phantom in ("flat", "noise", "water")
            for structure in ("vessels", "lesions")
        ]
    )
