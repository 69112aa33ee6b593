"""What an enhancer must hold to, measured on pictures made here; also a process of its own.

``python -m benchmark.enhancers.adapters.contract REQUEST RESULT`` reads what to build from one JSON
file and writes the findings to another, so that code from outside is imported in a process which
holds nothing but it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.enhancers.adapters.outside import build
from benchmark.enhancers.base import Enhancer

#: Largest difference that one 8-bit level makes; arithmetic in another order may cost as much.
_LEVEL = 1 / 255
_MOST_OUTSIDE = 0.05
_ODD = ((97, 131), (33, 50))
_TIMED = (256, 256)


@dataclass(frozen=True)
class Finding:
    """One promise: whether it is kept, and what was measured."""

    promise: str
    kept: bool
    measured: str


def examine(enhancer: Enhancer) -> list[Finding]:
    """Put an enhancer through its paces; whatever it raises is a finding."""
    return [_finding(promise, check, enhancer) for promise, check in _CHECKS.items()]


def latency(enhancer: Enhancer) -> float:
    """Milliseconds for one picture of 256 x 256, the median of five after one to warm up."""
    image = pictures(1, *_TIMED)
    seconds = []
    for _ in range(6):
        clock = time.perf_counter()
        enhancer.enhance(image)
        seconds.append(time.perf_counter() - clock)
    return 1000 * statistics.median(seconds[1:])


def count_parameters(enhancer: Enhancer) -> int:
    """Numbers in the networks that an enhancer holds; 0 where none can be seen."""
    held = [value for value in vars(enhancer).values() if value is not None]
    held += [value.model for value in held if hasattr(value, "model")]
    networks = {id(value): value for value in held if isinstance(value, nn.Module)}
    return sum(p.numel() for network in networks.values() for p in network.parameters())


def pictures(count: int, height: int, width: int) -> Tensor:
    """``[B, 3, H, W]`` in [0, 1]: dark, noisy slopes, each of its own brightness."""
    generator = torch.Generator().manual_seed(20230617)
    across = torch.linspace(0, 1, width).expand(height, width)
    down = torch.linspace(0, 1, height)[:, None].expand(height, width)
    slopes = torch.stack([across, down, (across + down) / 2])
    levels = torch.linspace(0.1, 0.9, count).reshape(-1, 1, 1, 1)
    noise = 0.05 * torch.randn(count, 3, height, width, generator=generator)
    return ((slopes * levels + noise).clamp(0, 1) * 255).round() / 255


def _finding(promise: str, check: Callable[[Enhancer], str], enhancer: Enhancer) -> Finding:
    try:
        return Finding(promise, True, check(enhancer))
    except _BrokenError as broken:
        return Finding(promise, False, str(broken))
    # somebody else's code: whatever it raises is what there is to say
    except Exception as error:
        return Finding(promise, False, f"raised {type(error).__name__}: {error}"[:300])


class _BrokenError(Exception):
    """A promise was not kept."""


def _outputs(enhancer: Enhancer, images: Tensor) -> Tensor:
    with torch.inference_mode():
        result = enhancer.enhance(images.clone())
    if not isinstance(result, Tensor):
        raise _BrokenError(f"returned {type(result).__name__}, not a tensor")
    if result.shape != images.shape:
        raise _BrokenError(f"made {tuple(result.shape)} of {tuple(images.shape)}")
    return result.detach().float().cpu()


def _shape(enhancer: Enhancer) -> str:
    made = _outputs(enhancer, pictures(4, 64, 96))
    return f"{tuple(made.shape)} of {tuple(made.shape)}"


def _single(enhancer: Enhancer) -> str:
    return str(tuple(_outputs(enhancer, pictures(1, 64, 64)).shape))


def _odd_sizes(enhancer: Enhancer) -> str:
    for height, width in _ODD:
        _outputs(enhancer, pictures(1, height, width))
    return ", ".join(f"{height} x {width}" for height, width in _ODD)


def _finite(enhancer: Enhancer) -> str:
    plain = torch.stack([torch.full((3, 64, 64), value) for value in (0.0, 1.0, 0.5)])
    for images in (pictures(2, 64, 64), plain):
        made = _outputs(enhancer, images)
        wrong = int((~torch.isfinite(made)).sum())
        if wrong:
            raise _BrokenError(f"{wrong} values are not finite")
    return "dark, black, white and grey pictures"


def _range(enhancer: Enhancer) -> str:
    made = _outputs(enhancer, pictures(4, 64, 64))
    outside = float(((made < -2 * _LEVEL) | (made > 1 + 2 * _LEVEL)).float().mean())
    shown = f"from {float(made.min()):.3f} to {float(made.max()):.3f}, {outside:.1%} outside [0, 1]"
    if not outside <= _MOST_OUTSIDE:
        raise _BrokenError(shown)
    return shown + (" (is clipped)" if outside else "")


def _deterministic(enhancer: Enhancer) -> str:
    images = pictures(2, 64, 64)
    apart = float((_outputs(enhancer, images) - _outputs(enhancer, images)).abs().max())
    if apart > 0:
        raise _BrokenError(f"the same pictures twice differ by {apart:.2g}")
    return "the same pictures twice, the same bits"


def _batch_invariant(enhancer: Enhancer) -> str:
    images = pictures(4, 64, 64)
    together = _outputs(enhancer, images).clamp(0, 1)
    alone = torch.cat([_outputs(enhancer, image[None]) for image in images]).clamp(0, 1)
    apart = float((together - alone).abs().max())
    if apart > _LEVEL:
        raise _BrokenError(f"a picture's output depends on its neighbours, by {apart:.2g}")
    return f"alone and among others, apart by at most {apart:.1g}"


def _leaves_input(enhancer: Enhancer) -> str:
    images = pictures(2, 64, 64)
    given = images.clone()
    with torch.inference_mode():
        enhancer.enhance(given)
    if not torch.equal(images, given):
        raise _BrokenError("it writes into the pictures that it is given")
    return "as it was"


_CHECKS: dict[str, Callable[[Enhancer], str]] = {
    "output shape": _shape,
    "batch of one": _single,
    "odd sizes": _odd_sizes,
    "finite": _finite,
    "range": _range,
    "deterministic": _deterministic,
    "batch-invariant": _batch_invariant,
    "input untouched": _leaves_input,
}


def main(request: Path, result: Path) -> None:
    """Build what the request says, examine it, and write what was found.

    What was built is said at once: foreign code may end this process while it is examined.
    """
    torch.set_num_threads(1)
    wanted = json.loads(request.read_text(encoding="utf-8"))
    try:
        enhancer = _built(wanted)
    # not only our own errors: an import can raise anything
    except BaseException as error:
        found: dict[str, Any] = {"error": str(error) or type(error).__name__}
    else:
        result.write_text(json.dumps({"built": True}), encoding="utf-8")
        findings = examine(enhancer)
        found = {"built": True, "findings": [asdict(each) for each in findings]}
        found["milliseconds"] = None
        found["parameters"] = count_parameters(enhancer)
        if all(each.kept for each in findings[:2]):
            found["milliseconds"] = latency(enhancer)
    result.write_text(json.dumps(found), encoding="utf-8")


def _built(wanted: dict[str, Any]) -> Enhancer:
    name = wanted["name"]
    if wanted["form"] == "registered":
        from benchmark.enhancers import ENHANCERS

        return ENHANCERS.get(name)()
    if wanted["form"] == "host":
        from benchmark.enhancers.hosts import HOSTS, TrainedHost

        host = HOSTS.get(name)
        return TrainedHost(host, host.factory(0).state_dict())
    return build(wanted["form"], Path(wanted["path"]), factory=name, trusted=wanted["trusted"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
