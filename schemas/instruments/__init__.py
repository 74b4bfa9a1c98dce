"""Instrument definitions as data: one TOML file each, what it means, its arithmetic and its checks.

In: nothing of ours. Out: instruments by id.
Never: licensed wording.
"""
