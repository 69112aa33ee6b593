"""Licence-free rendered data with known truth."""
