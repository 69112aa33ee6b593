"""Context predictors p(c|x); registration is by text, so listing them imports nothing heavy."""

from benchmark.contexts.base import CONTEXTS, PREDICTORS, ContextPredictor, make_predictor

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
PREDICTORS.add(
    "clip",
    "benchmark.contexts.clip:ClipPredictor",
    summary="zero-shot by CLIP or SigLIP; clip:FOLDER or clip:hub:owner/name@COMMIT",
    needs_model=True,
)
PREDICTORS.add(
    "vlm",
    "benchmark.contexts.vlm:VlmPredictor",
    summary="a vision-language model answers with a letter; vlm:FOLDER or vlm:hub:...",
    needs_model=True,
)

__all__ = ["CONTEXTS", "PREDICTORS", "ContextPredictor", "make_predictor"]
