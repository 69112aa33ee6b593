"""Training a host in paired arms. Nothing here ever sees a demographic group."""

from benchmark.training.calibration import Calibration, calibrate
from benchmark.training.pool import TrainingPool
from benchmark.training.recipe import Recipe, TrainingUnit
from benchmark.training.result import TrainedArm, TrainingLog
from benchmark.training.setup import TrainingData
from benchmark.training.stages import load_host, run_calibration, run_training
from benchmark.training.trainer import train_arm

__all__ = [
    "Calibration",
    "Recipe",
    "TrainedArm",
    "TrainingData",
    "TrainingLog",
    "TrainingPool",
    "TrainingUnit",
    "calibrate",
    "load_host",
    "run_calibration",
    "run_training",
    "train_arm",
]
