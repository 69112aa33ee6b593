"""Equilux: does an image enhancer treat everyone, and every context, equally well?"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("equilux")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+checkout"
