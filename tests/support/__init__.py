"""Helpers of tests alone: crash points, a faulty network, random histories, the comparison with the oracle."""
