"""Colours by role for both themes: one source for the stylesheet and the figures.

Groups are told apart by lightness and by marker shape as well as by hue, so that a figure survives
a greyscale printer and every common colour-vision deficiency.
"""

from __future__ import annotations

#: role -> (light theme, dark theme). Values within a theme are distinct, because a figure drawn
#: in the light theme's colours is made to follow the page's theme by replacing them one by one.
THEMES: dict[str, tuple[str, str]] = {
    "paper": ("#fdfcfa", "#15181d"),
    "panel": ("#f4f2ed", "#1e2229"),
    "rule": ("#d8d4cb", "#3a404a"),
    "ink": ("#1c2026", "#eceae5"),
    "muted": ("#5a5f68", "#a6abb4"),
    "accent": ("#2b4a9b", "#9db8ff"),
    "bad": ("#a3271c", "#ff9c8f"),
    "good": ("#1f6b3c", "#86d9a3"),
    "warn": ("#855400", "#f0bd5e"),
    "null": ("#c3beb3", "#565d69"),
    "g0": ("#c0690b", "#ffb65c"),
    "g1": ("#16769f", "#3f9fd6"),
    "g2": ("#46206b", "#e9dbff"),
    "g3": ("#0a8064", "#4fd6ab"),
    "g4": ("#b3224f", "#ff92b0"),
    "g5": ("#6d6a12", "#d6d16a"),
    "g6": ("#7d3c17", "#e8a27c"),
    "g7": ("#3d4f5c", "#b4c6d2"),
}

#: Marker per group position; with eight colours no pair repeats within forty groups.
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p")
_GROUP_ROLES = tuple(role for role in THEMES if role[0] == "g" and role[1:].isdigit())


def light(role: str) -> str:
    """The light theme's colour of a role, as figures are drawn."""
    return THEMES[role][0]


def group_style(position: int) -> tuple[str, str]:
    """``(colour, marker)`` of the group at ``position`` in display order."""
    role = _GROUP_ROLES[position % len(_GROUP_ROLES)]
    return light(role), MARKERS[position % len(MARKERS)]


def themed(colour: str) -> str:
    """A light-theme colour as a reference to the stylesheet's variable; others unchanged."""
    for role, (value, _) in THEMES.items():
        if value == colour.lower():
            return f"var(--{role})"
    return colour


def css_variables(theme: int) -> str:
    """Declarations of one theme: 0 light, 1 dark."""
    return "".join(f"--{role}:{colours[theme]};" for role, colours in THEMES.items())


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two ``#rrggbb`` colours, 1 to 21."""
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
