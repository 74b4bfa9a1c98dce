"""Real servers as local processes, and the project's virtual environment.

In: Python and a package manager. Out: a running Kafka, PostgreSQL, Prometheus or Alertmanager; `.venv`.
Never: an import beyond the standard library and `pipeline.runtime.processes`, because it runs before there is an
environment; an interface other than 127.0.0.1; a file outside `.parts`, `.venv` and the temporary folder.
"""
