"""Records that are sent again: refused records once the cause is fixed, and the store's archive.

In: rows of a store. Out: records on the events topic.
Never: decide whether a record is accepted (that is `pipeline.core.acceptance`).
"""
