"""How events reach the log: over HTTP (`gateway`) and from files (`files`).

In: HTTP requests, files, settings. Out: records on `alliance.events.v1`.
Never: decide what is accepted (that is `pipeline.core.acceptance`).
"""
