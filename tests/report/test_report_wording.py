"""Numbers, names and colours: what every view of a report shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from benchmark.report.manifest import MetricRecord
from benchmark.report.palette import THEMES, contrast, group_style, themed
from benchmark.report.wording import Scale, clean, humanise, p_value, shorten


def _metric(**changes: object) -> MetricRecord:
    fields = {
        "name": "psnr", "version": "1", "direction": 1, "unit": "dB", "range": (0.0, 100.0),
        "summary": "", "kind": "value", "ratio_scale": False, "licence": "", "source": "",
        "role": "primary", "available": True, "reason": "", "mend": "", "in_loss": False,
    }  # fmt: skip
    return MetricRecord.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("metric", "value", "shown", "signed"),
    [
        (_metric(), 12.345, "12.35", "+12.35"),
        (_metric(), -0.001, "0.00", "0.00"),
        (_metric(range=(-1.0, 1.0), unit=""), -0.1234, "-0.123", "-0.123"),
        (_metric(range=(-2.0, 2.0), unit=""), -0.0114, "-0.011", "-0.011"),
        (_metric(kind="rate", range=(0.0, 1.0), unit=""), 0.7251, "73", "+73"),
        (_metric(unit="deg", range=(0.0, None)), 31.26, "31.3", "+31.3"),
        (_metric(), math.nan, "-", "-"),
        (_metric(), math.inf, "∞", "∞"),
    ],
)
def test_numbers(metric: MetricRecord, value: float, shown: str, signed: str) -> None:
    scale = Scale.of(metric)
    assert scale.number(value) == shown
    assert scale.signed(value) == signed


def test_a_difference_of_rates_is_in_points() -> None:
    scale = Scale.of(_metric(kind="rate", range=(0.0, 1.0)), fine=1)
    assert scale.with_unit(scale.signed(0.042), difference=True) == "+4.2 pts"
    assert scale.interval(-0.01, 0.05, signed=True) == "[-1.0, +5.0]"
    assert scale.interval(math.nan, 0.05) == "-"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0001, "<0.001"), (0.05, "0.050"), (1.0, "1.000"), (math.nan, "-")]
)
def test_p_values(value: float, shown: str) -> None:
    assert p_value(value) == shown


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain é 肌", "plain é 肌"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\u202eb", "a\ufffdb"),
        ("two\nlines", "two lines"),
        ("nul\x00", "nul\ufffd"),
    ],
)
def test_names_cannot_steer_the_output(text: str, result: str) -> None:
    assert clean(text) == result


def test_long_names_are_cut() -> None:
    assert shorten("x" * 99, 10) == "x" * 9 + "…"
    assert humanise("tone_level*pose") == "tone level × pose"


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#767676", 4.54), ("#123456", "#123456", 1.0)],
)
def test_contrast_is_that_of_wcag(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_and_marks_can_be_read_in_both_themes(theme: int) -> None:
    colours = {role: pair[theme] for role, pair in THEMES.items()}
    for role in ("ink", "muted", "accent", "bad", "good", "warn"):
        for ground in ("paper", "panel"):
            assert contrast(colours[role], colours[ground]) >= 4.5, (role, ground)
    for role in (role for role in colours if role[0] == "g" and role[1:].isdigit()):
        assert contrast(colours[role], colours["paper"]) >= 3, role


#: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    "greyscale": [[0.2126, 0.7152, 0.0722]] * 3,
}


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_three_groups_are_told_apart_by_everybody(theme: int, deficiency: str) -> None:
    """Beyond three, marker shapes carry the difference (and they differ for three as well)."""
    srgb = np.array(
        [[int(THEMES[f"g{i}"][theme][k : k + 2], 16) / 255 for k in (1, 3, 5)] for i in range(3)]
    )
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(DEFICIENCIES[deficiency]).T, 0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(encoded)
    apart = [deltaE_ciede2000(lab[i], lab[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert min(apart) > (4 if deficiency == "greyscale" else 10)


def test_groups_differ_in_shape_too() -> None:
    styles = [group_style(i) for i in range(40)]
    assert len(set(styles)) == 40
    assert len({marker for _, marker in styles[:10]}) == 10


def test_only_palette_colours_follow_the_theme() -> None:
    assert themed(THEMES["ink"][0].upper()) == "var(--ink)"
    assert themed("#abcdef") == "#abcdef"
    for theme in (0, 1):
        values = [pair[theme] for pair in THEMES.values()]
        assert len(set(values)) == len(values)
