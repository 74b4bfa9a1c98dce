"""Instrument definitions as data: one TOML file each, what it means, its arithmetic and its checks.

In: TOML files. Out: instruments by id.
Never: licensed wording.
"""
