"""The commands for people, one file each; the processes are in `alliance.cli`.

In: arguments. Out: an answer on the terminal and an exit code.
Never: logic; a traceback for what a person can mend.
"""
