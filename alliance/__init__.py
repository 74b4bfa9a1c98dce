"""What a person starts: the command line, the demo, replays, backtests and the simulator.

In: arguments, files and a store. Out: processes, reports and files.
Never: a rule about an event or a flag (that is `pipeline.core`).
"""
