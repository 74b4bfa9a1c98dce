"""Facts -> the world: each folder is a pure mapping and the I/O around it.

In: the topics of the log. Out: SQL rows, Prometheus series, alerts, reports.
Never: know how the stream processor works, or write to the topics it reads.
"""
