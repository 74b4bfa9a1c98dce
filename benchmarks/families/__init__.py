"""Practices that differ in structure, and what detectors catch in them: `python -m benchmarks.families`."""
