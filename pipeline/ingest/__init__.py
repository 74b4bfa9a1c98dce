"""The doors in: how events reach the log.

In: HTTP requests, files, settings. Out: records on `alliance.events.v1`, topics.
Never: a second opinion on what is accepted (that is `pipeline.core.acceptance`).
"""
