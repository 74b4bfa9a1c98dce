"""Events from files: JSON lines, and CSV with a mapping.

In: a file. Out: records on the events topic, and a report of every line that was refused.
Never: drop a line without reporting it.
"""
