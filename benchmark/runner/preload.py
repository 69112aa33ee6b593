"""Imported once by the server that workers are forked from, so that they share its memory.

Only modules that start no threads and touch no device may be imported here.
"""

import numpy
import pandas
import torch

import benchmark.runner.stages

__all__ = ["benchmark", "numpy", "pandas", "torch"]
