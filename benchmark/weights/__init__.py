"""Published weight files: where they are, whether they are the right ones, how to get them.

Nothing is downloaded unless ``python -m benchmark weights fetch NAME`` is asked for. A file is
known by its SHA-256; a publisher who gives only a part of it, or nothing, is taken at that.
"""

from benchmark.weights.base import WEIGHTS, WeightFile
from benchmark.weights.enhancers import ENHANCER_FILES
from benchmark.weights.fetch import fetch
from benchmark.weights.linked import LINKED_FILES
from benchmark.weights.loading import COUNTER, RIGHT, load_tensors, refuse_misfit, some
from benchmark.weights.store import Located, Status, WeightStore, locate, mending_command, require

for _weight in (*ENHANCER_FILES, *LINKED_FILES):
    WEIGHTS.add(_weight.name, _weight, summary=_weight.used_for)

__all__ = [
    "COUNTER",
    "RIGHT",
    "WEIGHTS",
    "Located",
    "Status",
    "WeightFile",
    "WeightStore",
    "fetch",
    "load_tensors",
    "locate",
    "mending_command",
    "refuse_misfit",
    "require",
    "some",
]
