"""Context predictors p(c|x); registration is by text, so listing them imports nothing heavy."""

from benchmark.contexts.base import CONTEXTS, PREDICTORS, ContextPredictor

PREDICTORS.add(
    "oracle",
    "benchmark.contexts.simple:OraclePredictor",
    summary="the label itself, as a one-hot vector: upper bound",
)
PREDICTORS.add(
    "cnn",
    "benchmark.contexts.cnn:CnnPredictor",
    summary="small convolutional network trained on degraded probes",
)
PREDICTORS.add(
    "shuffled",
    "benchmark.contexts.simple:ShuffledPredictor",
    summary="the vectors of another predictor in a fixed random order: negative control",
)

__all__ = ["CONTEXTS", "PREDICTORS", "ContextPredictor"]
