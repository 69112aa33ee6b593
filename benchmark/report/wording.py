"""How numbers and verdicts are said, the same in the console, the figures and the page."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from benchmark.report.manifest import MetricRecord

RECONSTRUCTION = (
    "CALS here is a reconstruction: the publication's formulas are not public, so this schedule "
    "is this project's own reading of its abstract, and no result here speaks for its authors."
)

#: Verdict of a gap -> (word, short word, one line of explanation).
GAP_VERDICTS: dict[str, tuple[str, str, str]] = {
    "gap": ("GAP", "GAP", "the groups differ by more than chance explains"),
    "no_evidence": ("none seen", "none", "no evidence of a gap, which does not prove equality"),
    "insufficient": ("too few", "few", "too few subjects per group to say"),
    "single_group": ("one group", "one", "only one group is large enough: nothing to compare"),
    "unequal_coverage": ("invalid", "inv.", "the groups lost different shares of their samples"),
}

#: Target of an arm effect -> what it is, where it is not a group.
TARGETS: dict[str, str] = {
    "overall": "overall",
    "worst": "worst group",
    "gap": "deficit of the baseline's worst group",
    "range": "gap between best and worst group",
    "v_dc": "variance between groups",
}

#: Verdict of an arm effect -> (word, one line of explanation).
EFFECT_VERDICTS: dict[str, tuple[str, str]] = {
    "better": ("better", "better than the baseline arm, beyond chance"),
    "worse": ("worse", "worse than the baseline arm, beyond chance"),
    "no_evidence": ("no evidence", "no evidence of a difference between the arms"),
    "levelled_down": (
        "levelled down",
        "the gap shrank because the best group fell, which is not an improvement",
    ),
    "no_claim": ("no claim", "too few seeds or too few subjects: no claim is made"),
}

#: Size class of a group -> (flag, one line of explanation).
SIZE_FLAGS: dict[str, tuple[str, str]] = {
    "full": ("", "enough subjects for every method"),
    "small": ("~", "small group: small-sample intervals, never alone the ground of a claim"),
    "insufficient": ("( )", "insufficient data: shown, but left out of gaps and verdicts"),
    "empty": ("-", "nobody of this group is in the data"),
}

#: What a system has seen of the data it is measured on -> (mark, in a few words); what it is said
#: not to have seen needs no mark.
SEEN: dict[str, tuple[str, str]] = {
    "trained": ("(!)", "trained on these data"),
    "unpaired": ("(!)", "saw these data"),
    "overlaps": ("(!)", "trained on data that share pictures with these"),
    "unknown": ("(?)", "unknown whether it saw these data"),
}

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn"}


def clean(text: str) -> str:
    """``text`` on one line, without control, bidirectional-override or unassigned characters.

    Names come from files that somebody else wrote: a name must not move a terminal's cursor, turn
    a line around or end an XML document. Joiners that scripts need are kept.
    """
    if text.isprintable():  # nothing of the kind is in there
        return text
    return "".join(
        " " if char in "\n\r\t\x85\u2028\u2029" else "\ufffd" if _unsafe(char) else char
        for char in text
    )


def _unsafe(char: str) -> bool:
    return unicodedata.category(char) in _UNSAFE and char not in "\u200c\u200d\u00ad"


def shorten(text: str, width: int) -> str:
    """``text`` cleaned and cut to ``width`` characters, with an ellipsis where it was cut."""
    text = clean(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def humanise(name: str) -> str:
    """``id_cosine`` -> ``id cosine``; crossings read ``tone level x pose``."""
    return clean(name).replace("*", " × ").replace("_", " ")


@dataclass(frozen=True)
class Scale:
    """How the values of one metric are written: ``factor * value`` with ``decimals`` and ``unit``.

    Rates are written in percent and their differences in percentage points (``pts``).
    """

    factor: float
    decimals: int
    unit: str
    difference_unit: str

    @classmethod
    def of(cls, metric: MetricRecord, *, fine: int = 0) -> Scale:
        """The scale of ``metric``; ``fine`` adds (or takes) decimals."""
        if metric.kind == "rate":
            return cls(100.0, max(0, fine), "%", "pts")
        low, high = metric.range
        unit = clean(metric.unit)
        if unit == "dB":
            decimals = 2
        elif low is not None and high is not None and high - low <= 4:
            decimals = 3
        else:
            decimals = 1 if unit in {"deg", "°", "degrees"} else 2
        return cls(1.0, max(0, decimals + fine), unit, unit)

    def number(self, value: float, *, blank: str = "-") -> str:
        """``0.7251`` -> ``0.725`` or ``73``; NaN -> ``blank``."""
        if not math.isfinite(value):
            return blank if math.isnan(value) else ("∞" if value > 0 else "-∞")
        text = f"{self.factor * value:.{self.decimals}f}"
        return text.lstrip("-") if float(text) == 0 else text

    def signed(self, value: float, *, blank: str = "-") -> str:
        """Like :meth:`number` with the sign always written."""
        text = self.number(value, blank=blank)
        return f"+{text}" if text[0].isdigit() and float(text) > 0 else text

    def interval(self, low: float, high: float, *, signed: bool = False, blank: str = "-") -> str:
        """``[low, high]``, or ``blank`` where either end is unknown."""
        if math.isnan(low) or math.isnan(high):
            return blank
        write = self.signed if signed else self.number
        return f"[{write(low)}, {write(high)}]"

    def with_unit(self, text: str, *, difference: bool = False) -> str:
        """Append the unit, if there is one."""
        unit = self.difference_unit if difference else self.unit
        return f"{text} {unit}" if unit else text


def target(name: str) -> str:
    """What an effect is on: a group's name, or what ``TARGETS`` says."""
    return TARGETS.get(name) or humanise(name)


def p_value(value: float, *, blank: str = "-") -> str:
    """``0.0312`` -> ``0.031``; tiny ones as ``<0.001``."""
    if math.isnan(value):
        return blank
    return "<0.001" if value < 0.001 else f"{value:.3f}"
