"""What is wrong with a picture, and which restorer it is sent to (Cai et al. 2025, methods 4)."""

from benchmark.contexts.router.base import (
    CLASSES,
    CLASSIFIERS,
    DegradationClassifier,
    make_classifier,
)

_HERE = "benchmark.contexts.router"

CLASSIFIERS.add(
    "cnn",
    f"{_HERE}.cnn:CnnClassifier",
    summary="small convolutional network trained on degraded probes; the default",
)
CLASSIFIERS.add(
    "probe",
    f"{_HERE}.probe:LinearProbe",
    summary="logistic regression on frozen features of the suite's scene segmenter",
)
CLASSIFIERS.add(
    "clip",
    f"{_HERE}.outside:ClipClassifier",
    summary="zero-shot by CLIP or SigLIP; clip:FOLDER or clip:hub:owner/name@COMMIT",
    needs_model=True,
)
CLASSIFIERS.add(
    "vlm",
    f"{_HERE}.outside:VlmClassifier",
    summary="a vision-language model answers with a letter; vlm:FOLDER or vlm:hub:...",
    needs_model=True,
)

__all__ = ["CLASSES", "CLASSIFIERS", "DegradationClassifier", "make_classifier"]
