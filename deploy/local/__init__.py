"""Real parts as local processes.

In: Python and a package manager. Out: a running broker, a running database, the project's virtual environment.
Never: import more than the standard library (it runs before any environment exists), listen beyond the loopback
interface, end a process that it did not start, write outside of `.parts`, `.venv` and the temporary folder.
"""
