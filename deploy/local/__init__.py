"""Real parts as local processes: what comes in is Python and a package manager, what goes out is a running
broker, a running database and the project's virtual environment.

Stands on the standard library alone, since it runs before any environment exists. It listens on the loopback
interface only, ends only what it started, and writes only below `.parts`, `.venv` and the temporary folder.
"""
