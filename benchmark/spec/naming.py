"""Names that could be taken for other names: what a reader would confuse is refused."""

from __future__ import annotations

from collections.abc import Iterable

#: What looks alike in common typefaces, letters before pairs of them; separators are not looked at.
_ALIKE = (("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("rn", "m"), ("vv", "w"), ("cl", "d"))
#: Shorter names differ by a letter without anybody being deceived.
_NEAR_FROM = 6


def skeleton(name: str) -> str:
    """A name as a hasty reader sees it: equal skeletons, confusable names."""
    text = "".join(character for character in name.lower() if character.isalnum())
    for written, seen in _ALIKE:
        text = text.replace(written, seen)
    return text


def confusable(name: str, other: str) -> bool:
    """Whether two names look alike, or differ by one letter of six or more."""
    first, second = skeleton(name), skeleton(other)
    if first == second:
        return True
    return min(len(first), len(second)) >= _NEAR_FROM and _one_edit(first, second)


def name_conflict(owner: str, name: str, *, taken: Iterable[str], reserved: Iterable[str]) -> str:
    """Why a submission cannot be called so; empty if it can.

    Args:
        owner: folder; one owner may number versions, so only look-alikes of its own are refused.
        name: of the submission.
        taken: ``owner/name`` of the others.
        reserved: names of the suite's own rows, which would be read as those.
    """
    for known in sorted(reserved):
        if confusable(known, name):
            return f"{name!r} would be read as the suite's own {known!r}"
    for entry in sorted(taken):
        their_owner, _, their_name = entry.partition("/")
        if (their_owner, their_name) == (owner, name):
            return f"{entry} is there already"
        if their_owner == owner:
            if skeleton(their_name) == skeleton(name):
                return f"{name!r} would be read as {entry}"
        elif confusable(their_owner, owner):
            return f"the owner {owner!r} would be read as {their_owner!r}"
        elif confusable(their_name, name):
            return f"{name!r} would be read as {entry}, which is somebody else's"
    return ""


def _one_edit(first: str, second: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours makes them equal."""
    if abs(len(first) - len(second)) > 1:
        return False
    short, long = sorted((first, second), key=len)
    start = next(
        (i for i, pair in enumerate(zip(short, long, strict=False)) if len({*pair}) > 1), len(short)
    )
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    if short[start + 1 :] == long[start + 1 :]:
        return True
    swapped = long[:start] + long[start : start + 2][::-1] + long[start + 2 :]
    return short == swapped
