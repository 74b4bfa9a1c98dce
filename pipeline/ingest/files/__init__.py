"""Check-ins from files: JSON lines, and CSV with a mapping.

In: a file. Out: records on the events topic, and a report of rows that were refused.
Never: drop a row without reporting it.
"""
