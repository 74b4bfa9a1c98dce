"""One process of a system, started so that it ends or raises at a named point.

In: a system, one of its processes, a point that `tests.support.crashing` names. Out: the process.
Never: a hook in the product.
"""

from deploy.testbed.processes import Process
from deploy.testbed.system import System


def start_crashing(system: System, command: str, point: str, *, passes: int = 0, act: str = "exit") -> Process:
    """Start `alliance COMMAND` of the system; `act` happens when the point is reached for the time after `passes`."""
    arguments = ("--at", point, "--passes", str(passes), "--act", act, command)
    process = system.processes.module(
        "tests.support.crashing", *arguments, env=system.settings, name=f"{command}-{point}"
    )
    system.running[command] = process
    return process
