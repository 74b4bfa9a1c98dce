"""Every command of `alliance`, in a file of its own name: the processes, and the commands that answer and end.

In: arguments and the environment. Out: a running process, or an answer on the terminal; an exit code.
Never: a traceback for a mistake that an operator can fix.
"""
