"""Published networks with their published weights; written afresh from the papers.

Nothing here imports torch's layers until a system is asked for: :mod:`.catalogue` and, where only
a person can download the weights, :mod:`.linked` list them, one module per architecture holds the
network, :mod:`.enhancer` loads weights into it strictly.
"""

from benchmark.enhancers.published.catalogue import PUBLISHED, Published
from benchmark.enhancers.published.linked import LINKED

__all__ = ["LINKED", "PUBLISHED", "Published"]
